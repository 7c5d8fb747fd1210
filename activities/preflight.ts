// Before anything is spent: is there a place to train and one to serve, does the base model exist, do the credentials last?

import { z } from 'zod';
import type { TaskContext } from '../dag/context.js';
import { SystemError } from '../dag/failures.js';
import { task } from '../dag/task.js';
import { parseS3Uri } from '../systems/object-store/keys.js';
import type { Places } from '../systems/compute/port.js';
import { modelFile, type ModelSettings } from './schemas/model-settings.js';

const finding = z.object({ check: z.string(), ok: z.boolean(), explanation: z.string() });
type Finding = z.infer<typeof finding>;

const shown = ({ gpus, memoryBytes }: Places): string => `${gpus} GPUs and ${Math.ceil(memoryBytes / 2 ** 20)} MiB`;

const fits = (wants: Places, places: Places): boolean =>
  places.gpus >= wants.gpus && places.memoryBytes >= wants.memoryBytes;

/** Whether a host could ever take it, and whether one could now. */
async function roomOn(
  name: string,
  wants: Places,
  { systems }: TaskContext,
): Promise<{ ever: boolean; now: boolean; hosts: number }> {
  const hosts = await systems.compute.get(name).capacity();
  return {
    hosts: hosts.length,
    ever: hosts.some((host) => fits(wants, host.declared)),
    now: hosts.some((host) => host.reachable && fits(wants, host.free)),
  };
}

async function checkTraining({ train }: ModelSettings, context: TaskContext): Promise<Finding> {
  const check = 'a place to train';
  const room = await roomOn(train.compute, train.wants, context);
  if (!room.ever)
    return {
      check,
      ok: false,
      explanation: `no host of compute ${train.compute} declares the ${shown(train.wants)} that training wants`,
    };
  // Training waits for a free place by itself; only what can never be is a reason to stop.
  return {
    check,
    ok: true,
    explanation: room.now
      ? `compute ${train.compute} has room`
      : `compute ${train.compute} is busy: training will wait`,
  };
}

async function checkServing({ serve }: ModelSettings, context: TaskContext): Promise<Finding> {
  const check = 'room to serve a challenger';
  const wants = { gpus: serve.gpus, memoryBytes: serve.memoryBytes };
  const room = await roomOn(serve.compute, wants, context);
  const explanation = room.now
    ? `compute ${serve.compute} has room beside the champion`
    : `no host of compute ${serve.compute} has ${shown(wants)} free beside what it serves: free some, or declare more places`;
  return { check, ok: room.now, explanation };
}

async function checkBase({ train }: ModelSettings, { systems }: TaskContext): Promise<Finding> {
  const check = 'the base model';
  if (train.base === undefined) return { check, ok: true, explanation: 'a command of its own needs none' };
  if (!train.base.startsWith('s3://'))
    return { check, ok: true, explanation: `${train.base} is looked for on the training host` };
  const { bucket, key } = parseS3Uri(train.base);
  for await (const object of systems.objects.bucket(bucket).list(key)) {
    return { check, ok: true, explanation: `${train.base} is there (s3://${bucket}/${object.key}, …)` };
  }
  return { check, ok: false, explanation: `there is nothing under ${train.base}: check train.base` };
}

async function checkCredentials(settings: ModelSettings, { systems }: TaskContext): Promise<Finding> {
  const check = 'credentials that last';
  const expiresAt = await systems.objects.credentialsExpireAt();
  if (expiresAt === undefined)
    return { check, ok: true, explanation: 'they do not expire, or are renewed by themselves' };
  const wantedMs = settings.train.timeLimitMs + settings.evaluate.timeLimitMs;
  const ok = expiresAt.getTime() - Date.now() >= wantedMs;
  const explanation = `the object store's credentials expire at ${expiresAt.toISOString()}`;
  return {
    check,
    ok,
    explanation: ok ? explanation : `${explanation}, before training and evaluation need be done: renew them first`,
  };
}

export const preflight = task({
  name: 'preflight',
  version: '1',
  description: 'Is there a place to train and to serve, does the base model exist, do the credentials last?',
  input: z.object({ settings: modelFile }),
  output: z.object({ findings: z.array(finding) }),
  // Passing trouble is tried again until the deadline; what trying cannot mend fails at once.
  retry: { attempts: 1_000 },
  timeout: '2m',
  deadline: '30m',
  run: async ({ settings }, context) => {
    const findings = await Promise.all(
      [checkTraining, checkServing, checkBase, checkCredentials].map((check) => check(settings, context)),
    );
    const problems = findings.filter(({ ok }) => !ok).map(({ explanation }) => explanation);
    if (problems.length > 0) {
      throw new SystemError(
        'InvalidInput',
        `${settings.name} cannot be trained and served as its file says: ${problems.join('; ')}.`,
        { details: { findings } },
      );
    }
    return { findings };
  },
});
