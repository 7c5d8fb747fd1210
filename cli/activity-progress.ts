// What activities that are under way say of themselves, from the heartbeats that Temporal keeps for whoever takes them over.

import { defaultPayloadConverter } from '@temporalio/common';
import type { WorkflowExecutionDescription } from '@temporalio/client';
import { z } from 'zod';

const scalar = z.union([z.string(), z.number(), z.boolean()]);

const said = z.object({
  /** A job's `PAWL-PROGRESS`: whatever its program puts there. */
  progress: z.record(z.string(), z.unknown()).optional(),
  /** A canary's judgement so far. */
  summary: z.string().optional(),
});

export type ActivityProgress = z.infer<typeof said>;

/** What each activity that has something to say said last. */
export function activityProgress({ raw }: Pick<WorkflowExecutionDescription, 'raw'>): ActivityProgress[] {
  return (raw.pendingActivities ?? []).flatMap(({ heartbeatDetails }) => {
    const payload = heartbeatDetails?.payloads?.[0];
    if (payload == null) return [];
    const parsed = said.safeParse(defaultPayloadConverter.fromPayload(payload));
    return parsed.success && Object.keys(parsed.data).length > 0 ? [parsed.data] : [];
  });
}

/** In one line: `step 120 of 400 · epoch 1 · loss 1.93`. Empty where nothing can be said so. Pure. */
export const describeProgress = ({ progress = {}, summary = '' }: ActivityProgress): string =>
  [...describeJob(progress), summary].filter((part) => part !== '').join(' · ');

function describeJob(progress: Readonly<Record<string, unknown>>): string[] {
  const { step, steps, ...others } = progress;
  const place = typeof step === 'number' && typeof steps === 'number' ? [`step ${step} of ${steps}`] : [];
  const rest = Object.entries(place.length > 0 ? others : progress).flatMap(([name, value]) => {
    const parsed = scalar.safeParse(value);
    return parsed.success ? [`${name} ${typeof parsed.data === 'number' ? shortest(parsed.data) : parsed.data}`] : [];
  });
  return [...place, ...rest];
}

const shortest = (value: number): string =>
  Number.isInteger(value) ? value.toLocaleString('en-US') : String(Number(value.toPrecision(4)));
