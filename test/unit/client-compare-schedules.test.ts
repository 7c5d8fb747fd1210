import { describe, expect, it } from 'vitest';
import { compareSchedules } from '../../client/compare-schedules.js';
import type { ResolvedSchedule } from '../../client/schedule-definition.js';

const schedule = (name: string, more: Partial<ResolvedSchedule> = {}): ResolvedSchedule => ({
  name,
  dag: 'model-lifecycle',
  params: { model: name, reason: 'nightly' },
  cron: '0 2 * * *',
  timezone: 'UTC',
  overlap: 'buffer-one',
  catchupWindowMs: 1_000,
  ...more,
});

describe('the difference between schedules', () => {
  it('names what is new, what changed and how, what stays, and what goes', () => {
    const existing = [schedule('a'), schedule('b'), schedule('c')];
    const wanted = [schedule('b', { timezone: 'Europe/Berlin' }), schedule('d'), schedule('a')];
    expect(compareSchedules(existing, wanted)).toEqual([
      { kind: 'unchanged', name: 'a' },
      {
        kind: 'update',
        name: 'b',
        after: wanted[0],
        differences: ['timezone: "UTC" → "Europe/Berlin"'],
      },
      { kind: 'delete', name: 'c' },
      { kind: 'create', name: 'd', after: wanted[1] },
    ]);
  });

  it('does not depend on the order of keys', () => {
    const turned = schedule('a', { params: { reason: 'nightly', model: 'a' } });
    expect(compareSchedules([schedule('a')], [turned])).toEqual([{ kind: 'unchanged', name: 'a' }]);
  });

  it('refuses two schedules of one name', () => {
    expect(() => compareSchedules([], [schedule('a'), schedule('a')])).toThrow('two schedules are named "a"');
  });
});
