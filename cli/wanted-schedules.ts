// The schedules that a project's models ask for.

import { z } from 'zod';
import type { WantedSchedule } from '../client/schedule-definition.js';
import type { Project } from '../workers/project.js';

const scheduled = z.object({ schedule: z.object({ cron: z.string(), timezone: z.string() }).optional() });

/** One for each model that has a schedule. */
export const wantedSchedules = (models: Project['models']): WantedSchedule[] =>
  [...models].flatMap(([name, settings]) => {
    const { schedule } = scheduled.parse(settings);
    return schedule === undefined ? [] : [{ name, dag: 'model-lifecycle', params: { model: name }, ...schedule }];
  });
