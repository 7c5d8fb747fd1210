// Before anything is spent: are there places to train, to evaluate and to serve, does the base model exist, do the credentials last?

import { z } from 'zod';
import type { TaskContext } from '../dag/context.js';
import { SystemError } from '../dag/failures.js';
import { task } from '../dag/task.js';
import { parseS3Uri } from '../systems/object-store/keys.js';
import { checkJobPlace, checkServingPlace, type Checked } from './check-places.js';
import { modelFile, type ModelSettings } from './schemas/model-settings.js';

const finding = z.object({ check: z.string(), ok: z.boolean(), explanation: z.string() });
type Finding = z.infer<typeof finding>;
type Check = (settings: ModelSettings, context: TaskContext) => Promise<Checked>;

const checkBase: Check = async ({ train }, { systems }) => {
  if (train.base === undefined) return { ok: true, explanation: 'a command of its own needs none' };
  if (!train.base.startsWith('s3://'))
    return { ok: true, explanation: `${train.base} is looked for on the training host` };
  const { bucket, key } = parseS3Uri(train.base);
  for await (const object of systems.objects.bucket(bucket).list(key)) {
    return { ok: true, explanation: `${train.base} is there (s3://${bucket}/${object.key}, …)` };
  }
  return { ok: false, explanation: `there is nothing under ${train.base}: check train.base` };
};

const lasts = (expireAt: Date, forMs: number): boolean => expireAt.getTime() - Date.now() >= forMs;

/** Whoever renews the worker's credentials, a job keeps those that it was started with. */
async function checkHandedOut(
  section: 'train' | 'evaluate',
  { compute, timeLimitMs }: ModelSettings['train' | 'evaluate'],
  { systems }: TaskContext,
): Promise<readonly string[]> {
  if (!systems.compute.names.includes(compute)) return [];
  const expireAt = await systems.compute.get(compute).credentialsExpireAt?.();
  if (expireAt === undefined || lasts(expireAt, timeLimitMs)) return [];
  return [
    `jobs on compute ${compute} are given the worker's credentials as they are, which now end at ${expireAt.toISOString()}, before ${section}.timeLimitMs (${timeLimitMs}): lower it, or set credentials: 'host' for that compute, so that its programs use the host's own`,
  ];
}

const checkCredentials: Check = async ({ train, evaluate }, context) => {
  const expireAt = await context.systems.objects.credentialsExpireAt();
  const end = `the object store's credentials expire at ${expireAt?.toISOString() ?? ''}`;
  if (expireAt !== undefined && !lasts(expireAt, train.timeLimitMs + evaluate.timeLimitMs))
    return { ok: false, explanation: `${end}, before training and evaluation need be done: renew them first` };
  const tooShort = [
    ...(await checkHandedOut('train', train, context)),
    ...(await checkHandedOut('evaluate', evaluate, context)),
  ];
  if (tooShort.length > 0) return { ok: false, explanation: tooShort.join('; ') };
  return { ok: true, explanation: expireAt === undefined ? 'they do not expire, or are renewed by themselves' : end };
};

const checks: Readonly<Record<string, Check>> = {
  'a place to train': ({ train }, context) => checkJobPlace('training', train, context),
  'a place to evaluate': ({ evaluate }, context) => checkJobPlace('evaluation', evaluate, context),
  'room to serve a challenger': ({ serve }, context) => checkServingPlace(serve, context),
  'the base model': checkBase,
  'credentials that last': checkCredentials,
};

/** What a check runs into for good is a finding like any other, so that every problem is told at once. */
async function findingOf(check: Check, settings: ModelSettings, context: TaskContext): Promise<Checked> {
  try {
    return await check(settings, context);
  } catch (error) {
    if (!(error instanceof SystemError) || error.retryable) throw error;
    return { ok: false, explanation: error.message.replace(/\.$/, '') };
  }
}

export const preflight = task({
  name: 'preflight',
  version: '1',
  description: 'Are there places to train, evaluate and serve, does the base model exist, do the credentials last?',
  input: z.object({ settings: modelFile }),
  output: z.object({ findings: z.array(finding) }),
  // Passing trouble is tried again until the deadline; what trying cannot mend fails at once.
  retry: { attempts: 1_000 },
  timeout: '2m',
  deadline: '30m',
  run: async ({ settings }, context) => {
    const checked = await Promise.all(
      Object.entries(checks).map(async ([check, make]) => ({ check, ...(await findingOf(make, settings, context)) })),
    );
    const findings = checked.map(({ check, ok, explanation }): Finding => ({ check, ok, explanation }));
    const problems = checked.filter(({ ok }) => !ok);
    if (problems.length > 0) {
      const said = [...new Set(problems.map(({ explanation }) => explanation))].join('; ');
      throw problems.every(({ passing }) => passing)
        ? new SystemError('NoCapacity', `${settings.name} waits before it is trained: ${said}.`, {
            details: { findings },
          })
        : new SystemError('InvalidInput', `${settings.name} cannot be trained and served as its file says: ${said}.`, {
            details: { findings },
          });
    }
    return { findings };
  },
});
