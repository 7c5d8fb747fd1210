// A terminated run runs no clean-up of its own: the reaper ends its job and closes its record, and lets open runs alone.

import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { readRunRecord } from '../../activities/engine/run-record.js';
import { runKey } from '../../systems/object-store/keys.js';
import { Reaper } from '../../workers/reaper.js';
import { LifecycleWorld } from '../fixtures/lifecycle-world.js';
import { until } from '../fixtures/until.js';

let world: LifecycleWorld;

beforeAll(async () => {
  world = await LifecycleWorld.open({ temporal: inject('temporal'), s3: inject('s3') });
  await Promise.all([world.startGateway(), world.startWorker()]);
});
afterAll(() => world.close());

const running = async (): Promise<string[]> => {
  const keys: string[] = [];
  for await (const { key, state } of world.systems.compute.get('local').list())
    if (state.phase === 'running') keys.push(key);
  return keys;
};

test('a terminated run loses its job and gets the end of its record, an open one keeps both', async () => {
  const slow = world.params({ settings: { pauseMs: 60_000 } });
  const doomed = await world.client.start('model-lifecycle', slow);
  const open = await world.client.start('model-lifecycle', slow);
  await until('both trainings run', async () => (await running()).length === 2, 60_000);
  await world.temporal.workflow.getHandle(doomed.workflowId).terminate('an operator pressed the wrong button');

  const log = {
    debug() {},
    info() {},
    warn: (fields: object, message: string) => console.log(message, fields),
    error() {},
  };
  const reaper = new Reaper({ systems: world.systems, client: world.temporal, log });
  // Temporal's list is a second or so behind.
  await until('the record is closed', async () => {
    await reaper.pass();
    const found = await readRunRecord(
      world.systems.objects,
      runKey(world.environment, 'model-lifecycle', doomed.runId),
    );
    return found?.value.status === 'terminated';
  });
  const left = await running();
  expect(left).toHaveLength(1);
  expect(left[0]).toContain(open.runId);
  const record = await readRunRecord(world.systems.objects, runKey(world.environment, 'model-lifecycle', open.runId));
  expect(record?.value.status).toBe('running');

  await world.client.cancel(open);
  await expect(world.client.result(open)).rejects.toMatchObject({ type: 'Cancelled' });
  expect(await running()).toEqual([]);
});
