// What activities that are under way say of themselves, from the heartbeats that Temporal keeps for whoever takes them over.

import { defaultPayloadConverter } from '@temporalio/common';
import type { WorkflowExecutionDescription } from '@temporalio/client';
import { z } from 'zod';

const scalar = z.union([z.string(), z.number(), z.boolean()]);

/** A job's `PAWL-PROGRESS`, whatever its program puts there; a canary's judgement so far. */
const heartbeat = z.object({ progress: z.record(z.string(), z.unknown()).optional(), summary: z.string().optional() });

/** One line for each activity that has something to say: `step 120 of 400 · epoch 1 · loss 1.93`. */
export function activityProgress({ raw }: Pick<WorkflowExecutionDescription, 'raw'>): string[] {
  return (raw.pendingActivities ?? []).flatMap(({ heartbeatDetails }) => {
    const payload = heartbeatDetails?.payloads?.[0];
    if (payload == null) return [];
    const said = heartbeat.safeParse(defaultPayloadConverter.fromPayload(payload));
    if (!said.success) return [];
    const { progress = {}, summary } = said.data;
    return [describeProgress(progress), summary ?? ''].filter((line) => line !== '');
  });
}

/** Pure. */
export function describeProgress(progress: Readonly<Record<string, unknown>>): string {
  const { step, steps, ...others } = progress;
  const place = typeof step === 'number' && typeof steps === 'number' ? [`step ${step} of ${steps}`] : [];
  const rest = Object.entries(place.length > 0 ? others : progress).flatMap(([name, value]) => {
    const parsed = scalar.safeParse(value);
    return parsed.success ? [`${name} ${typeof parsed.data === 'number' ? shortest(parsed.data) : parsed.data}`] : [];
  });
  return [...place, ...rest].join(' · ');
}

const shortest = (value: number): string =>
  Number.isInteger(value) ? value.toLocaleString('en-US') : String(Number(value.toPrecision(4)));
