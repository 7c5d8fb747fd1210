// Who paused the rollout of an endpoint, since when and why: Temporal's history of the rollout keeps what operators say.

import { defaultPayloadConverter } from '@temporalio/common';
import type { Client } from '@temporalio/client';
import { z } from 'zod';
import type { RolloutView } from '../activities/rollout/protocol.js';
import type { Rollout } from '../client/rollout.js';
import type { RolloutPause } from './pause-text.js';

const message = z.object({ by: z.string(), reason: z.string() });
const pageSize = 100;

/** `undefined` where it is not paused. Throws what Temporal answers with. */
export async function findPause(
  client: Client,
  rollout: Pick<Rollout, 'workflowId'>,
  operation: RolloutView['operation'],
): Promise<RolloutPause | undefined> {
  if (operation?.paused !== true) return undefined;
  const { version, weightPercent, note } = operation;
  const said = await lastWord(client, rollout.workflowId, Date.parse(operation.startedAt));
  return { version, weightPercent, ...(said ?? { by: null, since: null, reason: note }) };
}

type Said = Pick<RolloutPause, 'by' | 'since' | 'reason'>;

/** The last `pause` of the operation, unless it was resumed since. */
async function lastWord(client: Client, workflowId: string, startedAtMs: number): Promise<Said | undefined> {
  let nextPageToken: Uint8Array | undefined;
  do {
    const page = await client.workflowService.getWorkflowExecutionHistoryReverse({
      namespace: client.options.namespace,
      execution: { workflowId },
      maximumPageSize: pageSize,
      ...(nextPageToken !== undefined && { nextPageToken }),
    });
    for (const { eventTime, workflowExecutionUpdateAcceptedEventAttributes: accepted } of page.history?.events ?? []) {
      const at = new Date(Number(eventTime?.seconds?.toString() ?? 0) * 1_000);
      if (at.getTime() < startedAtMs - 1_000) return undefined;
      const { name, args } = accepted?.acceptedRequest?.input ?? {};
      if (name === 'resume') return undefined;
      const payload = args?.payloads?.[0];
      if (name !== 'pause' || payload == null) continue;
      const parsed = message.safeParse(defaultPayloadConverter.fromPayload(payload));
      if (parsed.success) return { ...parsed.data, since: at.toISOString() };
    }
    nextPageToken = page.nextPageToken == null || page.nextPageToken.length === 0 ? undefined : page.nextPageToken;
  } while (nextPageToken !== undefined);
  return undefined;
}
