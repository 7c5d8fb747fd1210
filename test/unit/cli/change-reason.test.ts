// What the history of an endpoint says for WHY.

import { expect, test } from 'vitest';
import { readRolloutRequest } from '../../../activities/rollout/read-request.js';
import { reasonsOf } from '../../../cli/change-reason.js';
import { SystemError } from '../../../dag/failures.js';
import type { EndpointState } from '../../../systems/endpoint/state.js';
import { runKey } from '../../../systems/object-store/keys.js';
import { MemoryObjectStore } from '../../../systems/object-store/memory.js';
import type { ModelVersion } from '../../../systems/registry/port.js';

const workflowId = 'model-lifecycle/dev/20261108-143205-k3f9';
const runId = '0c2c2a1e-6f3c-7c4e-9a53-0f6f1f8e7d10';
const verdict = { passed: true, summary: 'Accepted: all 2 rules that apply hold.' };

/** As a rollout writes it for a run: with the reason that it is given, or its own. */
function promoted(run: { dag: string; runId: string; by?: string; reason?: string }): EndpointState {
  const { request } = readRolloutRequest(
    {
      input: { model: 'bot', version: 2, rollout: {} },
      run: {
        ...{ environment: 'dev', workflowId, logicalDate: '2026-11-08T14:32:05.000Z', trigger: 'manual' },
        ...run,
      },
      step: { id: 'canary-deploy', key: `${run.runId}.canary-deploy.0` },
    },
    workflowId,
  );
  return {
    environment: 'dev',
    operationId: `${request.operationId}/3-aa`,
    champion: 2,
    challenger: null,
    change: { kind: 'promote', by: request.by, reason: request.reason, at: '2026-11-08T14:40:00.000Z' },
  } as EndpointState;
}

const registry = {
  version: async (_: string, version: number): Promise<ModelVersion> => {
    if (version !== 2) throw new SystemError('NotFound', 'no such version');
    return { version, verdict, lineage: { workflowId, runId } } as unknown as ModelVersion;
  },
};
const objects = new MemoryObjectStore();
const why = async (state: EndpointState): Promise<string | undefined> =>
  (await reasonsOf({ registry, objects }, 'bot', [state]))[0];

test('is the reason that somebody gave, as it was given', async () => {
  expect(await why(promoted({ dag: 'model-lifecycle', runId, reason: 'drift of\ntickets' }))).toBe('drift of tickets');
});

test('of a run without one is the run, and what the gate said of what it brought', async () => {
  const state = promoted({ dag: 'model-lifecycle', runId, by: 'ann' });
  expect(await why(state)).toBe(`run ${workflowId}: ${verdict.summary}`);
  // Whom nobody asked for says itself who it is.
  expect(await why(promoted({ dag: 'model-lifecycle', runId }))).toBe(verdict.summary);
});

test('of a run that brought what another had made first is that run, without the verdict of the first', async () => {
  const again = '5d0f0a52-0b1e-7f0a-8a44-2f2d64c1b9aa';
  const state = promoted({ dag: 'model-lifecycle', runId: again, by: 'ann' });
  expect(await why(state)).toBe(`run model-lifecycle ${again}`);

  const second = 'model-lifecycle/dev/20261109-020000-b7qd';
  const record = {
    ...{ schema: 1, sequence: 1, graph: {}, params: {}, dryRun: false, status: 'running', steps: {} },
    run: {
      ...{ dag: 'model-lifecycle', environment: 'dev', workflowId: second, runId: again },
      ...{ logicalDate: '2026-11-09T02:00:00.000Z', trigger: 'manual' },
    },
    startedAt: '2026-11-09T02:00:00.000Z',
  };
  await objects.put(runKey('dev', 'model-lifecycle', again), JSON.stringify(record));
  expect(await why(state)).toBe(`run ${second}`);
  // It is told as WHO already.
  expect(await why(promoted({ dag: 'model-lifecycle', runId: again, by: second }))).toBe('run model-lifecycle');
});

test('of a version that cannot be read is the run alone', async () => {
  const state = { ...promoted({ dag: 'model-lifecycle', runId, by: 'ann' }), champion: 1 } as EndpointState;
  expect(await why(state)).toBe(`run model-lifecycle ${runId}`);
});
