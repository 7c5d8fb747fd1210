// Which schedules the models' files ask for.

import { describe, expect, test } from 'vitest';
import { wantedSchedules } from '../../../cli/wanted-schedules.js';
import type { Startable } from '../../../client/client.js';
import { dag } from '../../../dag/dag.js';
import { task } from '../../../dag/task.js';
import { z } from '../../../index.js';

const look = task({
  name: 'look',
  version: '1',
  input: z.object({ model: z.string() }),
  output: z.object({}),
  run: () => ({}),
});
const about = (name: string, params: z.ZodRawShape) =>
  dag({ name, params: z.strictObject({ model: z.string(), ...params }) }, ({ params: given, step }) => {
    step(look, { model: given.model });
  });
const startables = new Map<string, Startable>(
  [about('model-lifecycle', {}), about('reviewed-lifecycle', {}), about('needy', { day: z.string() }), look].map(
    (each) => [each.name, each],
  ),
);
const wanted = (schedule?: object) => wantedSchedules(new Map([['bot', { name: 'bot', schedule }]]), startables);

const nightly = { cron: '0 2 * * *', timezone: 'UTC', pipeline: 'model-lifecycle', overlap: 'buffer-one' };

describe('a model’s schedule', () => {
  test('runs the pipeline that it names with the model’s name', () => {
    expect(wanted(nightly)).toEqual([
      {
        name: 'bot',
        dag: 'model-lifecycle',
        params: { model: 'bot' },
        cron: '0 2 * * *',
        timezone: 'UTC',
        overlap: 'buffer-one',
      },
    ]);
    expect(wanted({ ...nightly, pipeline: 'reviewed-lifecycle', overlap: 'skip' })).toMatchObject([
      { dag: 'reviewed-lifecycle', overlap: 'skip' },
    ]);
    expect(wanted()).toEqual([]);
  });

  test.each([
    ['nightly', /names the pipeline "nightly": there are model-lifecycle, needy, reviewed-lifecycle\./],
    ['look', /names the pipeline "look"/],
    ['needy', /the schedule of model bot: needy: .*day/],
  ])('with the pipeline %j is refused', (pipeline, sentence) => {
    expect(() => wanted({ ...nightly, pipeline })).toThrow(sentence);
  });
});
