// What has to change for the schedules there are to become those that are wanted. Pure.

import { canonicalJson } from '../dag/digest.js';
import { SystemError } from '../dag/failures.js';
import type { ResolvedSchedule } from './schedule-definition.js';

export type ScheduleChange =
  | { readonly kind: 'unchanged'; readonly name: string }
  | { readonly kind: 'create'; readonly name: string; readonly after: ResolvedSchedule }
  | {
      readonly kind: 'update';
      readonly name: string;
      readonly after: ResolvedSchedule;
      /** `cron: "0 2 * * *" → "0 3 * * *"`. */
      readonly differences: readonly string[];
    }
  | { readonly kind: 'delete'; readonly name: string };

/** By name; throws `InvalidInput` where two wanted ones have the same. */
export function compareSchedules(
  existing: readonly ResolvedSchedule[],
  wanted: readonly ResolvedSchedule[],
): readonly ScheduleChange[] {
  const before = new Map(existing.map((schedule) => [schedule.name, schedule]));
  const after = new Map<string, ResolvedSchedule>();
  for (const schedule of wanted) {
    if (after.has(schedule.name))
      throw new SystemError(
        'InvalidInput',
        `two schedules are named ${JSON.stringify(schedule.name)}: rename one of them`,
      );
    after.set(schedule.name, schedule);
  }
  const names = [...new Set([...after.keys(), ...before.keys()])].sort();
  return names.map((name): ScheduleChange => {
    const [old, next] = [before.get(name), after.get(name)];
    if (next === undefined) return { kind: 'delete', name };
    if (old === undefined) return { kind: 'create', name, after: next };
    const differences = differencesOf(old, next);
    return differences.length === 0 ? { kind: 'unchanged', name } : { kind: 'update', name, after: next, differences };
  });
}

function differencesOf(before: ResolvedSchedule, after: ResolvedSchedule): readonly string[] {
  const keys = Object.keys({ ...before, ...after }).sort() as (keyof ResolvedSchedule)[];
  return keys.flatMap((key) => {
    const [old, next] = [canonicalJson(before[key]), canonicalJson(after[key])];
    return old === next ? [] : [`${key}: ${old} → ${next}`];
  });
}
