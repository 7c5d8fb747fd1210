import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isHeld, leaseOnMove, leaseOnStart, noLease, renewLease, type Lease } from '../../systems/serving/lease.js';
import { endpointOf, trialOf } from '../fixtures/endpoint-states.js';

const leaseMs = 90_000;
const ask = (generation: number, trial = 'trial-1') => ({ generation, trial, leaseMs });
const begun = (nowMs = 0): Lease => leaseOnMove(leaseOnMove(noLease, trialOf(2, 0), nowMs), trialOf(3, 10), nowMs);

describe('the lease', () => {
  test('nobody has it until somebody takes it up, and then it lasts as long as agreed', () => {
    const lease = begun();
    expect(isHeld(lease, 0)).toBe(false);
    const { lease: held, answer } = renewLease(lease, ask(3), { state: trialOf(3, 10), nowMs: 10 });
    expect(answer).toEqual({ lease: 'held', remainingMs: leaseMs });
    expect(isHeld(held, 10 + leaseMs - 1)).toBe(true);
    expect(isHeld(held, 10 + leaseMs)).toBe(false);
  });

  test('a router that was started within a trial answers expired, also at the weights that follow', () => {
    const found = leaseOnStart(trialOf(3, 10), 0);
    expect(renewLease(found, ask(3), { state: trialOf(3, 10), nowMs: 1 }).answer).toEqual({ lease: 'expired' });
    const moved = leaseOnMove(found, trialOf(4, 25), 2);
    expect(renewLease(moved, ask(4), { state: trialOf(4, 25), nowMs: 3 }).answer).toEqual({ lease: 'expired' });
  });

  test('a router that was started before the challenger had any share can take the lease later', () => {
    const lease = leaseOnMove(leaseOnStart(trialOf(2, 0), 0), trialOf(3, 10), 1_000_000);
    expect(renewLease(lease, ask(3), { state: trialOf(3, 10), nowMs: 1_000_001 }).answer.lease).toBe('held');
  });

  test('the launch of a challenger may take longer than the lease', () => {
    const atZero = leaseOnMove(noLease, trialOf(2, 0), 0);
    const lease = leaseOnMove(atZero, trialOf(3, 10), 10 * leaseMs);
    expect(renewLease(lease, ask(3), { state: trialOf(3, 10), nowMs: 10 * leaseMs + 1 }).answer.lease).toBe('held');
  });

  test('a controller that takes it up too late finds it expired', () => {
    const lease = begun(0);
    expect(renewLease(lease, ask(3), { state: trialOf(3, 10), nowMs: leaseMs }).answer).toEqual({ lease: 'expired' });
  });

  test('a change of weight leaves the time that was left, and ends nothing', () => {
    const { lease } = renewLease(begun(), ask(3), { state: trialOf(3, 10), nowMs: 0 });
    const moved = leaseOnMove(lease, trialOf(4, 25), 50_000);
    expect(isHeld(moved, leaseMs - 1)).toBe(true);
    expect(isHeld(moved, leaseMs)).toBe(false);
    expect(renewLease(moved, ask(4), { state: trialOf(4, 25), nowMs: leaseMs }).answer).toEqual({ lease: 'expired' });
  });

  test('a controller that names another generation is told the one that is followed, and renews nothing', () => {
    const { lease } = renewLease(begun(), ask(3), { state: trialOf(3, 10), nowMs: 0 });
    const late = renewLease(leaseOnMove(lease, trialOf(4, 25), 1), ask(3), { state: trialOf(4, 25), nowMs: 80_000 });
    expect(late.answer).toEqual({ lease: 'other-generation', generation: 4 });
    expect(isHeld(late.lease, leaseMs)).toBe(false);
  });

  test('promotion ends it, and another trial starts with one of its own', () => {
    const { lease } = renewLease(begun(), ask(3), { state: trialOf(3, 10), nowMs: 0 });
    const promoted = endpointOf({ generation: 4, champion: 2, previous: 1 });
    const ended = leaseOnMove(lease, promoted, 1);
    expect(renewLease(ended, ask(4), { state: promoted, nowMs: 2 }).answer).toEqual({ lease: 'expired' });
    const next = trialOf(5, 10, { champion: 2, challenger: 3, trial: 'trial-2' });
    const second = leaseOnMove(ended, next, 3);
    expect(renewLease(second, ask(5), { state: next, nowMs: 4 }).answer).toEqual({ lease: 'expired' });
    expect(renewLease(second, ask(5, 'trial-2'), { state: next, nowMs: 4 }).answer.lease).toBe('held');
  });

  test('is never longer than the endpoint allows', () => {
    const { answer } = renewLease(begun(), { ...ask(3), leaseMs: 10 * leaseMs }, { state: trialOf(3, 10), nowMs: 0 });
    expect(answer).toEqual({ lease: 'held', remainingMs: leaseMs });
  });

  test('whatever happens in whatever order: held only within leaseMs of a renewal, and never again once it was over', () => {
    const event = fc.record({ afterMs: fc.nat(2 * leaseMs), kind: fc.constantFrom('renew', 'old', 'weight', 'look') });
    fc.assert(
      fc.property(fc.array(event, { maxLength: 30 }), (events) => {
        let nowMs = 0;
        let generation = 3;
        let lease = begun();
        let renewedMs = -Infinity;
        let wasOver = false;
        for (const { afterMs, kind } of events) {
          nowMs += afterMs;
          // Whoever has let so long a time pass has lost it.
          wasOver ||= nowMs - Math.max(renewedMs, 0) >= leaseMs;
          if (kind === 'weight') lease = leaseOnMove(lease, trialOf((generation += 1), 25), nowMs);
          else if (kind !== 'look') {
            const named = kind === 'renew' ? generation : generation - 1;
            const renewal = renewLease(lease, ask(named), { state: trialOf(generation, 25), nowMs });
            lease = renewal.lease;
            if (kind === 'renew') expect(renewal.answer.lease).toBe(wasOver ? 'expired' : 'held');
            else expect(renewal.answer.lease).toBe('other-generation');
            if (renewal.answer.lease === 'held') renewedMs = nowMs;
          }
          expect(isHeld(lease, nowMs)).toBe(!wasOver && renewedMs !== -Infinity);
        }
      }),
    );
  });
});
