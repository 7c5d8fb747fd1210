// A training job submitted by the packed package: its Python programs, and the supervisor that runs them, must be in it.

import { fineTune } from 'pawl';
import { LocalCompute } from 'pawl/systems/compute/local';
import { jobResultKey } from 'pawl/systems/object-store/keys';
import { memorySystems, runTask, type MemorySystems } from 'pawl/testing';

const sent: string[] = [];
const digest = 'a'.repeat(64);
const artifact = { uri: 's3://pawl/models/m/artifacts/a/', digest, sizeBytes: 1 };

const systems: MemorySystems = memorySystems({
  programs: {
    '{python}': async ({ files }) => {
      sent.push(...files.keys());
      const key = 'test-run.fine-tune.0';
      const result = { schema: 1, key, epoch: 1, result: {}, outputs: { artifact } };
      await systems.objects.put(jobResultKey('test', key, 1), JSON.stringify(result));
      return 0;
    },
  },
});

const dataset = { id: digest, uri: 's3://pawl/datasets/m/a/', rows: { train: 1, validation: 1, test: 1 } };
const trained = await runTask(
  fineTune,
  { model: 'm', dataset, train: { base: 's3://pawl/base/', timeLimitMs: 60_000 } },
  { systems },
);

const host = new LocalCompute({ name: 'local', root: `${process.cwd()}/jobs` });
const job = await host.submit({
  key: 'package-test',
  epoch: 1,
  kind: 'batch',
  command: ['node', '-e', 'console.log("from a job")'],
  environment: {},
  files: {},
  wants: { gpus: 0, memoryBytes: 0 },
  timeLimitMs: 30_000,
});
const deadlineMs = Date.now() + 30_000;
let state = await host.state(job);
while (state?.phase === 'running' && Date.now() < deadlineMs) {
  await new Promise((resolve) => setTimeout(resolve, 100));
  state = await host.state(job);
}
const { text } = await host.log(job, 0, 1_000);
await host.remove(job);

console.log(
  JSON.stringify({ digest: trained.artifact.digest, sent: sent.sort(), state: state?.phase, log: text.trim() }),
);
