// A step's own word for what came of it: in the record, in the answer to the query, and in Temporal's UI.

import { expect, test } from 'vitest';
import type { Admission } from '../../activities/engine/protocol.js';
import { stepRecord } from '../../activities/engine/run-record-schema.js';
import { LiveState } from '../../workflows/dag-run/live-state.js';
import { renderDetails } from '../../workflows/dag-run/run-details.js';
import { describeState } from '../../workflows/dag-run/run-state.js';

const live = new LiveState(['gate', 'rollback', 'measure']);
live.settle('gate', { status: 'success', output: { outcome: 'rejected', rules: ['x'.repeat(5_000)] } });
live.settle('rollback', { status: 'success', output: { outcome: 'un|changed' } });
live.settle('measure', { status: 'success', output: { outcome: 3 } });

const admission = { run: { dag: 'life' }, graph: { digest: 'd' } } as unknown as Admission;

test('stands beside its status wherever a run is shown', () => {
  const { steps } = describeState(admission, live, undefined);
  expect(steps.map(({ id, outcome }) => [id, outcome])).toEqual([
    ['gate', 'rejected'],
    ['rollback', 'un|changed'],
    ['measure', null],
  ]);
  const details = renderDetails('life · running', live);
  expect(details).toContain('| ✓ | gate | success · rejected |');
  expect(details).toContain('| ✓ | rollback | success · un\\|changed |');
  expect(details).toContain('| ✓ | measure | success |');
});

test('is recorded also where the output is too large to be', () => {
  const { gate, measure } = live.takeAll();
  expect(stepRecord.parse(gate)).toMatchObject({
    outcome: 'rejected',
    output: { sizeBytes: expect.any(Number) as number },
  });
  expect(stepRecord.parse(measure).outcome).toBeUndefined();
});
