// `npx tsx bench/data-stage.ts [GIB]`: the data stage over so many GiB of JSONL (4 unless told), in a process of its own against a
// real S3 server; prints the time it took, rows, and the most memory that the process ever had. Too long for the test suite.

import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { featureEngineering } from '../activities/feature-engineering.js';
import { dataSettings } from '../activities/schemas/data-settings.js';
import type { TaskContext } from '../dag/context.js';
import { startS3Server } from '../deploy/embedded/s3-server.js';
import { S3ObjectStore } from '../systems/object-store/s3.js';
import type { Systems } from '../systems/systems.js';

const gib = Number(process.argv[2] ?? 4);
const files = 8;
const sizeBytes = gib * 2 ** 30;

/** Records whose words differ from one to the next; every hundredth is a copy, every thousandth is malformed. */
function* records(file: number): Generator<string> {
  let written = 0;
  for (let index = 0; written < sizeBytes / files; index += 1) {
    const seed = index % 100 === 99 ? `${file}-${index - 1}` : `${file}-${index}`;
    const words = createHash('shake256', { outputLength: 1_000 }).update(seed).digest('hex').replace(/.{5}/g, '$& ');
    const line =
      index % 1_000 === 999 ? '{"text": broken\n' : `${JSON.stringify({ id: `${file}-${index}`, text: words })}\n`;
    written += line.length;
    yield line;
  }
}

const peakBytes = async (): Promise<number> => {
  const status = await readFile('/proc/self/status', 'utf8');
  return Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1] ?? 0) * 1024;
};

const folder = await mkdtemp(join(tmpdir(), 'pawl-data-'));
const server = await startS3Server({ folder: join(folder, 's3') });
try {
  const { endpoint, region, accessKeyId, secretAccessKey } = server;
  const objects = new S3ObjectStore({
    bucket: 'pawl',
    endpoint,
    region,
    credentials: { accessKeyId, secretAccessKey },
  });
  await objects.createBucketIfMissing();
  for (let file = 0; file < files; file += 1)
    await objects.put(`raw/${file}.jsonl`, Readable.from(records(file), { objectMode: false }));
  const peakBefore = await peakBytes();
  const startedAt = performance.now();
  let last = 0;
  const context: TaskContext = {
    systems: { environment: 'bench', objects } as unknown as Systems,
    log: { debug() {}, info() {}, warn() {}, error() {} },
    progress: (details) => {
      if (performance.now() - last < 15_000) return;
      last = performance.now();
      console.error(JSON.stringify(details));
    },
    lastProgress: undefined,
    signal: new AbortController().signal,
    run: {
      dag: 'bench',
      environment: 'bench',
      workflowId: 'w',
      runId: 'r',
      logicalDate: new Date().toISOString(),
      trigger: 'manual',
    },
    step: { id: 'feature-engineering', attempt: 1, key: 'r.feature-engineering.0' },
  };
  const settings = dataSettings.parse({
    source: 's3://pawl/raw/',
    kind: 'records',
    fields: { id: 'id' },
    chunk: { tokenizer: 'words' },
    expect: { maxQuarantinedPercent: 5 },
  });
  const { dataset, dropped, quarantined } = await featureEngineering.run({ model: 'bench', data: settings }, context);
  const seconds = (performance.now() - startedAt) / 1_000;
  console.log(
    JSON.stringify({
      gib,
      seconds: Math.round(seconds),
      mibPerSecond: Number(((gib * 1024) / seconds).toFixed(1)),
      peakMiB: Math.round((await peakBytes()) / 2 ** 20),
      peakBeforeMiB: Math.round(peakBefore / 2 ** 20),
      rows: dataset.rows,
      dropped,
      quarantined: quarantined.rows,
    }),
  );
  objects.close();
} finally {
  await server.stop();
  await rm(folder, { recursive: true, force: true });
}
