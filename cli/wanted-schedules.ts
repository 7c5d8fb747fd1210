// The schedules that a project's models ask for.

import { z } from 'zod';
import type { Startable } from '../client/client.js';
import type { WantedSchedule } from '../client/schedule-definition.js';
import { SystemError } from '../dag/failures.js';
import { parseRunInput } from '../dag/run-options.js';
import type { Project } from '../workers/project.js';

/** Whose schedules those of the models' files are. */
export const modelSchedulesOwner = 'models';

/** What `model()` has made of a model's file. */
const scheduled = z.object({
  schedule: z
    .object({
      cron: z.string(),
      timezone: z.string(),
      pipeline: z.string(),
      overlap: z.enum(['skip', 'buffer-one', 'buffer-all', 'cancel-other']),
    })
    .optional(),
});

/**
 * One for each model that has a schedule. Throws `UnknownDag` for a pipeline that the project does not have, and `InvalidInput`
 * for one that does not run with a model's name alone.
 */
export function wantedSchedules(
  models: Project['models'],
  startables: ReadonlyMap<string, Startable>,
): WantedSchedule[] {
  return [...models].flatMap(([model, settings]) => {
    const { schedule } = scheduled.parse(settings);
    if (schedule === undefined) return [];
    const { pipeline, ...times } = schedule;
    const dag = startables.get(pipeline);
    if (dag?.kind !== 'dag') {
      const dags = [...startables.values()].filter(({ kind }) => kind === 'dag').map(({ name }) => name);
      throw new SystemError(
        'UnknownDag',
        `The schedule of model ${model} names the pipeline ${JSON.stringify(pipeline)}: there are ${dags.sort().join(', ')}.`,
      );
    }
    const params = { model };
    parseRunInput(dag.params, params, `the schedule of model ${model}: ${pipeline}`);
    return [{ name: model, dag: pipeline, params, ...times }];
  });
}
