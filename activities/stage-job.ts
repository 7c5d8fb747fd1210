// What the jobs of training and evaluation have in common: which program runs, where, and with which of the worker's variables.

import { SystemError } from '../dag/failures.js';
import type { Json } from '../dag/graph.js';
import { pawlPrograms, type RemoteJobPlan } from './remote-job/job-file.js';
import type { EvaluateSettings } from './schemas/evaluate-settings.js';
import type { TrainSettings } from './schemas/train-settings.js';

type StageSettings = TrainSettings | EvaluateSettings;
type JsonObject = { readonly [key: string]: Json };

/** A step of Pawl's own programs takes seconds; none is silent for as long as this. */
const pawlStallMs = 30 * 60_000;

interface PawlProgram {
  readonly main: string;
  /** The modules under `jobs/` that it imports. */
  readonly modules: readonly string[];
  /** What it finds in its spec; a team's own program finds its own settings there instead. */
  readonly settings: JsonObject;
}

/** The program of a stage: a team's own where the settings name a command, otherwise Pawl's. */
export async function stageJob(
  stage: StageSettings,
  pawl: PawlProgram,
): Promise<Omit<RemoteJobPlan, 'inputs' | 'outputs'>> {
  const { compute, wants, timeLimitMs, hostGraceMs } = stage;
  const stallMs = stage.stallMs ?? (stage.command === undefined ? pawlStallMs : undefined);
  const program =
    stage.command === undefined
      ? {
          command: ['{python}', `{dir}/${pawl.main}`],
          files: await pawlPrograms(pawl.main, ...pawl.modules),
          settings: pawl.settings,
        }
      : { command: stage.command, files: stage.files, settings: stage.settings as JsonObject };
  return {
    ...program,
    compute,
    wants,
    timeLimitMs,
    hostGraceMs,
    environment: environmentOf(stage.environment),
    ...(stallMs === undefined ? {} : { stallMs }),
  };
}

/** Read at the submission and handed to the host alone, so that no history ever holds a value. */
function environmentOf(names: readonly string[]): Record<string, string> {
  const missing = names.filter((name) => process.env[name] === undefined);
  if (missing.length > 0)
    throw new SystemError(
      'InvalidInput',
      `The job is to be given ${missing.join(', ')}, which the worker's environment does not have: set it there, or take it out of 'environment'.`,
    );
  return Object.fromEntries(names.map((name) => [name, process.env[name] ?? '']));
}

/** A base model in S3 is brought to the host as an input; any other is found there, or on the hub, by the program itself. */
export function placeBase(base: string | null | undefined): { inputs: { base?: string }; settings: { base?: string } } {
  if (base == null) return { inputs: {}, settings: {} };
  return base.startsWith('s3://') ? { inputs: { base }, settings: {} } : { inputs: {}, settings: { base } };
}

/** The value without what JSON leaves out. */
export const plainJson = (value: object): JsonObject => JSON.parse(JSON.stringify(value)) as JsonObject;
