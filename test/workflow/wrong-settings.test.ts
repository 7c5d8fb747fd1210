// A setting of Temporal's that is wrong: every program says which one and ends, and none waits for ever.

import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { startWorkerProcess } from '../../deploy/local/worker-process.js';

const root = fileURLToPath(new URL('../../', import.meta.url));
const sentence = /no such namespace.*typo.*TEMPORAL_NAMESPACE/;

describe('a namespace that the server does not have', () => {
  let folder: string;
  let environment: NodeJS.ProcessEnv;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'pawl-namespace-'));
    const { endpoint, region, accessKeyId, secretAccessKey } = inject('s3');
    environment = {
      ...process.env,
      TEMPORAL_ADDRESS: inject('temporal').address,
      TEMPORAL_NAMESPACE: 'typo',
      AWS_ENDPOINT_URL_S3: endpoint,
      AWS_REGION: region,
      AWS_ACCESS_KEY_ID: accessKeyId,
      AWS_SECRET_ACCESS_KEY: secretAccessKey,
    };
  });
  afterAll(() => rm(folder, { recursive: true }));

  /** What a command wrote, and how it ended: `null` where it had to be killed. */
  async function pawl(...args: string[]): Promise<{ code: number | null; text: string }> {
    const child = spawn(process.execPath, ['--import', 'tsx', join(root, 'cli/main.ts'), ...args, '--cwd', folder], {
      cwd: root,
      env: environment,
      timeout: 40_000,
      killSignal: 'SIGKILL',
    });
    let text = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (text += String(chunk)));
    const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
    return { code, text };
  }

  test('pawl worker ends, and says which setting is wrong', async () => {
    const { code, text } = await pawl('worker');
    expect(text).toMatch(sentence);
    expect(code).toBe(1);
  });

  test('the worker of pawl dev tells its parent', async () => {
    const options = { root: folder, files: [], environment, logFile: join(folder, 'worker.log') };
    await expect(startWorkerProcess(options)).rejects.toMatchObject({
      type: 'NotFound',
      message: expect.stringMatching(sentence) as string,
    });
  });

  test.each(['doctor', 'runs'])('pawl %s', async (command) => {
    const { code, text } = await pawl(command, '--json');
    expect(text).toMatch(sentence);
    expect(text).not.toContain('unexpected error');
    expect(code).not.toBe(0);
  });
});
