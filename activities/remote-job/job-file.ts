// Turns what a stage wants done into a submission: the job file, Pawl's runner around the program, and the program's own files.

import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { digestOf } from '../../dag/digest.js';
import { SystemError } from '../../dag/failures.js';
import type { Json } from '../../dag/graph.js';
import type { JobSubmission, Places } from '../../systems/compute/port.js';
import { jobCheckpointsPrefix, jobResultKey, parseS3Uri, s3Uri } from '../../systems/object-store/keys.js';
import type { ClaimAddress } from './claim.js';
import { hostKeyOf } from './claim.js';

/** What a job is, for all of its epochs. The same plan is given to `submitJob` and `awaitJob`. */
export interface RemoteJobPlan {
  /** The name of a compute system. */
  readonly compute: string;
  /** Program and arguments; `{python}` and `{dir}` are replaced by the host's own. */
  readonly command: readonly string[];
  /** Put beside the program, by relative path; `pawlPrograms` gives those of Pawl's own jobs. */
  readonly files: Readonly<Record<string, string>>;
  /** Name → `s3://bucket/prefix/`, or one object. */
  readonly inputs: Readonly<Record<string, string>>;
  /** Name → `s3://bucket/…/{digest}/` or with `{epoch}`, so that a host which comes back late writes over nothing. */
  readonly outputs: Readonly<Record<string, string>>;
  readonly settings: { readonly [key: string]: Json };
  readonly wants: Places;
  readonly timeLimitMs: number;
  readonly environment?: Readonly<Record<string, string>>;
  /** How long a host may be away until it is given up: ten minutes unless set. */
  readonly hostGraceMs?: number;
  /** A program that writes nothing for so long counts as frozen, and is started anew; never unless set. */
  readonly stallMs?: number;
  /** How often the host looks for new checkpoints: two seconds unless set. */
  readonly checkpointEveryMs?: number;
  /** How long the host tries on when S3 is in trouble: ten minutes unless set. */
  readonly stagingRetryMs?: number;
}

// A folder of its own, so that no file of the program can stand in for one of the runner's.
const runnerFolder = 'pawl-runner';
const runnerFiles = ['run_job.py', 'staging.py', 's3_failures.py', 'checkpoint_shipping.py', 'safe_files.py'];

const jobsFolders = ['../../jobs/', '../../../jobs/'].map((place) => fileURLToPath(new URL(place, import.meta.url)));

/** The sources of programs under `jobs/`, by their names there; throws `NotFound`. */
export async function pawlPrograms(...names: readonly string[]): Promise<Record<string, string>> {
  const folder = jobsFolders.find((path) => existsSync(path)) ?? '';
  const sources = await Promise.all(
    names.map(async (name) => {
      try {
        return [name, await readFile(`${folder}${name}`, 'utf8')] as const;
      } catch (cause) {
        throw new SystemError('NotFound', `Pawl's own job ${name} is not in this installation: install it anew.`, {
          cause,
        });
      }
    }),
  );
  return Object.fromEntries(sources);
}

/** Changes with whatever the job does, and with nothing else. */
export const settingsDigestOf = ({ command, files, inputs, outputs, settings }: RemoteJobPlan): string =>
  digestOf({ command, files, inputs, outputs, settings });

/** Throws `InvalidInput` for an address that is no S3 one, and for an output that a late host could write over. */
export async function buildSubmission(
  plan: RemoteJobPlan,
  address: ClaimAddress,
  epoch: number,
): Promise<JobSubmission> {
  const { objects, environment, key } = address;
  for (const uri of Object.values(plan.inputs)) parseS3Uri(uri);
  for (const [name, uri] of Object.entries(plan.outputs)) {
    parseS3Uri(uri.replaceAll(/\{(digest|epoch)\}/g, '0'));
    if (!/\{(digest|epoch)\}/.test(uri))
      throw new SystemError(
        'InvalidInput',
        `The output ${name} goes to ${uri}: put {digest} or {epoch} into it, so that a host that comes back late writes over nothing.`,
      );
  }
  if (Object.keys(plan.files).some((path) => path === 'job.json' || path.startsWith(`${runnerFolder}/`)))
    throw new SystemError(
      'InvalidInput',
      `A job's files cannot be called job.json or lie in ${runnerFolder}/: rename them.`,
    );
  const inBucket = (objectKey: string): string => s3Uri(objects.bucketName, objectKey);
  const jobFile = {
    schema: 1,
    key,
    epoch,
    command: plan.command,
    inputs: plan.inputs,
    outputs: plan.outputs,
    checkpoints: inBucket(jobCheckpointsPrefix(environment, key)),
    result: inBucket(jobResultKey(environment, key, epoch)),
    settings: plan.settings,
    ...(plan.checkpointEveryMs !== undefined && { checkpointEveryMs: plan.checkpointEveryMs }),
    ...(plan.stagingRetryMs !== undefined && { retryForMs: plan.stagingRetryMs }),
  };
  const runner = Object.entries(await pawlPrograms(...runnerFiles));
  return {
    key: hostKeyOf(environment, key),
    epoch,
    kind: 'batch',
    command: ['{python}', `{dir}/${runnerFolder}/run_job.py`, '{dir}/job.json'],
    environment: { PYTHONDONTWRITEBYTECODE: '1', PYTHONUNBUFFERED: '1', ...plan.environment },
    files: {
      ...plan.files,
      ...Object.fromEntries(runner.map(([name, text]) => [`${runnerFolder}/${name}`, text])),
      'job.json': JSON.stringify(jobFile, undefined, 2),
    },
    wants: plan.wants,
    timeLimitMs: plan.timeLimitMs,
  };
}
