// What every serving system must do. An implementation's test opens one and lists nothing else.

import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { EndpointState } from '../../systems/endpoint/state.js';
import type { LaunchRequest, Serving } from '../../systems/serving/port.js';

export interface ServingWorld {
  readonly serving: Serving;
  /** Fresh for each call; answered by a server that comes up, one that ends at once, or one that answers errors. */
  request(version: number, kind: 'good' | 'ends' | 'errs'): Promise<LaunchRequest>;
  /** How many programs run for a version. */
  running(version: number): Promise<number>;
  /** Its program ends by itself. */
  crash(version: number): Promise<void>;
  promoteFirst(version: number): Promise<EndpointState>;
  nameChallenger(version: number): Promise<EndpointState>;
  shiftWeight(weightPercent: number): Promise<EndpointState>;
  abort(): Promise<EndpointState>;
  readonly trial: string;
  /** Every router is started anew. */
  restartRouters(): Promise<void>;
  close(): Promise<void>;
}

const probe = { path: '/v1/completions', bodies: ['{"prompt":"a"}', '{"prompt":"b"}'] };
const patience = { timeout: 30_000, interval: 50 };

export function servingContract(implementation: { name: string; open(): Promise<ServingWorld> }): void {
  describe(`serving: ${implementation.name}`, () => {
    let world: ServingWorld;
    let serving: Serving;
    let model: string;
    const ready = (version: number) =>
      vi.waitFor(async () => expect((await serving.state(model, version)).phase).toBe('ready'), patience);

    beforeAll(async () => {
      world = await implementation.open();
      serving = world.serving;
      const request = await world.request(1, 'good');
      model = request.model;
      await serving.launch(request);
      await ready(1);
    });
    afterAll(() => world.close());

    test('a version that was never launched is absent, and to retire it does nothing', async () => {
      expect(await serving.state(model, 99)).toEqual({ phase: 'absent' });
      await serving.retire(model, 99, { drainMs: 0 });
      expect(await serving.state(model, 99)).toEqual({ phase: 'absent' });
    });

    test('two launches at once, and one more under another key, start one program', async () => {
      const request = await world.request(2, 'good');
      await Promise.all([serving.launch(request), serving.launch(request)]);
      await ready(2);
      await serving.launch({ ...request, key: `${request.key}-another` });
      await ready(2);
      expect(await world.running(2)).toBe(1);
      expect([...(await serving.launched(model))].sort()).toEqual([1, 2]);
    });

    test('a version that ended by itself has failed, with a reason, and a launch starts it again', async () => {
      const request = await world.request(3, 'good');
      await serving.launch(request);
      await ready(3);
      await world.crash(3);
      await vi.waitFor(async () => expect((await serving.state(model, 3)).phase).toBe('failed'), patience);
      expect(await serving.state(model, 3)).toMatchObject({ reason: expect.stringMatching(/\w/) });
      await serving.launch(request);
      await ready(3);
      await serving.retire(model, 3, { drainMs: 0 });
    });

    test('a version that does not come up has failed', async () => {
      await serving.launch(await world.request(4, 'ends'));
      await vi.waitFor(async () => expect((await serving.state(model, 4)).phase).toBe('failed'), patience);
      await serving.retire(model, 4, { drainMs: 0 });
    });

    test('a probe asks a version directly, and counts what goes wrong', async () => {
      expect(await serving.probe(model, 1, probe)).toMatchObject({ requests: 2, errors: 0 });
      await serving.launch(await world.request(5, 'errs'));
      await ready(5);
      const result = await serving.probe(model, 5, probe);
      expect(result).toMatchObject({ requests: 2, errors: 2, firstError: expect.stringMatching(/500/) });
      await serving.retire(model, 5, { drainMs: 0 });
    });

    test('a version that was retired is gone, can be retired again, and can be launched again', async () => {
      const request = await world.request(6, 'good');
      await serving.launch(request);
      await ready(6);
      await serving.retire(model, 6, { drainMs: 1_000 });
      await serving.retire(model, 6, { drainMs: 1_000 });
      expect(await serving.state(model, 6)).toEqual({ phase: 'absent' });
      expect(await serving.launched(model)).not.toContain(6);
      expect(await world.running(6)).toBe(0);
      await serving.launch({ ...request, key: `${request.key}-again` });
      await ready(6);
      expect(await world.running(6)).toBe(1);
      await serving.retire(model, 6, { drainMs: 0 });
    });

    describe('its routers', () => {
      const leaseMs = 60_000;
      const syncAll = async (): Promise<number[]> => {
        const routers = await serving.routers();
        expect(routers.length).toBeGreaterThan(0);
        return Promise.all(routers.map(async (router) => (await router.sync(model)).generation));
      };
      const renewAll = async (generation: number, trial = world.trial) =>
        Promise.all(
          (await serving.routers()).map(async (router) => router.renewLease(model, { generation, trial, leaseMs })),
        );

      test('route by generation 0 where there is no endpoint, and by the object from a sync on', async () => {
        expect(new Set(await syncAll())).toEqual(new Set([0]));
        await world.promoteFirst(1);
        expect(new Set(await syncAll())).toEqual(new Set([1]));
      });

      test('grant the lease of a trial that they saw begin, carry it over a change of weight, and end it with the trial', async () => {
        await world.nameChallenger(2);
        await syncAll();
        const raised = await world.shiftWeight(10);
        for (const answer of await renewAll(raised.generation))
          expect(answer).toMatchObject({ lease: 'other-generation' });
        await syncAll();
        for (const answer of await renewAll(raised.generation)) expect(answer.lease).toBe('held');
        const higher = await world.shiftWeight(50);
        await syncAll();
        for (const answer of await renewAll(raised.generation))
          expect(answer).toEqual({ lease: 'other-generation', generation: higher.generation });
        for (const answer of await renewAll(higher.generation)) expect(answer.lease).toBe('held');
        for (const answer of await renewAll(higher.generation, 'another-trial')) expect(answer.lease).toBe('expired');
        const ended = await world.abort();
        await syncAll();
        for (const answer of await renewAll(ended.generation)) expect(answer.lease).toBe('expired');
      });

      test('that were started anew within a trial answer expired, and stay so', async () => {
        await world.nameChallenger(2);
        await syncAll();
        const raised = await world.shiftWeight(10);
        await syncAll();
        for (const answer of await renewAll(raised.generation)) expect(answer.lease).toBe('held');
        await world.restartRouters();
        expect(new Set(await syncAll())).toEqual(new Set([raised.generation]));
        for (const answer of await renewAll(raised.generation)) expect(answer.lease).toBe('expired');
        const higher = await world.shiftWeight(50);
        await syncAll();
        for (const answer of await renewAll(higher.generation)) expect(answer.lease).toBe('expired');
      });

      test('have nothing under way where nobody asks', async () => {
        for (const router of await serving.routers()) expect(await router.inFlight(model, 1)).toBe(0);
      });
    });
  });
}
