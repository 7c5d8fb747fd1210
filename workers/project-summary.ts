// What a project holds, by name: what a worker tells whoever started it, and what `pawl dev` prints.

import { z } from 'zod';
import type { Project } from './project.js';

export const projectSummary = z.object({
  dags: z.array(z.string()),
  tasks: z.array(z.string()),
  models: z.array(z.string()),
  /** Whether a job of a model runs on the Python that Pawl installs: its own trainer, evaluation or model server. */
  needsJobPython: z.boolean(),
});
export type ProjectSummary = z.infer<typeof projectSummary>;

const command = z.array(z.string()).optional();
const commands = z.object({
  train: z.object({ command }),
  evaluate: z.object({ command }),
  serve: z.object({ command }),
});

/** Where a model's settings name no program of their own for it, or one that asks for `{python}`. */
function needsJobPython(settings: unknown): boolean {
  const parsed = commands.safeParse(settings);
  if (!parsed.success) return true;
  return Object.values(parsed.data).some(
    (stage) => stage.command === undefined || stage.command.some((word) => word.includes('{python}')),
  );
}

export const summarize = ({ dags, tasks, models }: Pick<Project, 'dags' | 'tasks' | 'models'>): ProjectSummary => {
  const ofDags = dags.flatMap((dag) => dag.tasks);
  return {
    dags: dags.map(({ name }) => name).sort(),
    tasks: [...new Set([...tasks, ...ofDags].map(({ name }) => name))].sort(),
    models: [...models.keys()].sort(),
    needsJobPython: [...models.values()].some(needsJobPython),
  };
};
