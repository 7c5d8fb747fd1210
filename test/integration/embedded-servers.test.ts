// The embedded servers as `pawl dev` uses them: on files, restarted, and left by an owner that was killed.

import { spawn } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { CreateBucketCommand, GetObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { Client, Connection } from '@temporalio/client';
import { afterAll, afterEach, beforeAll, describe, expect, inject, it } from 'vitest';
import { isAlive } from '../../deploy/embedded/child-process.js';
import { freePort } from '../../deploy/embedded/ports.js';
import { ensurePython } from '../../deploy/embedded/python.js';
import { startS3Server, type S3Access } from '../../deploy/embedded/s3-server.js';
import { startTemporalServer, type TemporalServer } from '../../deploy/embedded/temporal-server.js';
import { searchAttributes } from '../../workers/search-attributes.js';

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pawl-embedded-'));
});

afterAll(() => rm(folder, { recursive: true, force: true }));

describe('the Temporal server', () => {
  const stops: (() => Promise<void>)[] = [];
  afterEach(async () => {
    for (const stop of stops.splice(0)) await stop();
  });

  const start = async (options: Parameters<typeof startTemporalServer>[0]): Promise<TemporalServer> => {
    const server = await startTemporalServer(options);
    stops.push(server.stop);
    return server;
  };

  it('keeps open runs through a restart on the same file and the same ports', async () => {
    const options = { dataFile: join(folder, 'temporal.sqlite'), port: await freePort(), uiPort: await freePort() };
    const first = await start(options);
    const connection = await Connection.connect({ address: first.address });
    const client = new Client({ connection });
    const input = { taskQueue: 'nobody', workflowId: 'waits', args: [{}] };
    await client.workflow.start('any', { ...input, searchAttributes: { PawlDag: ['any'] } });
    await connection.close();
    await first.stop();
    expect(isAlive(first.pid)).toBe(false);

    const second = await start(options);
    expect(second.address).toBe(first.address);
    expect((await fetch(second.uiUrl ?? '')).status).toBe(200);
    const again = await Connection.connect({ address: second.address });
    const description = await new Client({ connection: again }).workflow.getHandle('waits').describe();
    expect(description.status.name).toBe('RUNNING');
    await again.close();
  });

  it('has the search attributes registered in a namespace of its own', async () => {
    const { address } = await start({ namespace: 'team' });
    const connection = await Connection.connect({ address });
    const { customAttributes } = await connection.operatorService.listSearchAttributes({ namespace: 'team' });
    expect(Object.keys(customAttributes)).toEqual(expect.arrayContaining(Object.keys(searchAttributes)));
    await connection.close();
  });

  it('refuses a port that is taken', async () => {
    const port = Number(inject('temporal').address.split(':')[1]);
    await expect(startTemporalServer({ port })).rejects.toThrow(
      `port ${port} of 127.0.0.1, wanted for Temporal, is taken`,
    );
  });

  it('says why it could not start', async () => {
    const dataFile = join(folder, 'no-database');
    await writeFile(dataFile, 'not a database, but long enough to be read as a header of one');
    await expect(startTemporalServer({ dataFile })).rejects.toThrow(
      /Temporal ended before it answered \(exit code 1\): .*database/,
    );
  });
});

describe('the S3 server', () => {
  const client = ({ endpoint, region, accessKeyId, secretAccessKey }: S3Access): S3Client =>
    new S3Client({ endpoint, region, credentials: { accessKeyId, secretAccessKey }, forcePathStyle: true });

  it('keeps objects through a restart on the same folder with the same keys', async () => {
    const first = await startS3Server({ folder: join(folder, 's3') });
    const before = client(first);
    await before.send(new CreateBucketCommand({ Bucket: 'pawl' }));
    await before.send(new PutObjectCommand({ Bucket: 'pawl', Key: 'kept', Body: 'still here' }));
    before.destroy();
    await first.stop();

    const { accessKeyId, secretAccessKey } = first;
    const second = await startS3Server({ folder: join(folder, 's3'), accessKeyId, secretAccessKey });
    const after = client(second);
    const { Body } = await after.send(new GetObjectCommand({ Bucket: 'pawl', Key: 'kept' }));
    expect(await Body?.transformToString()).toBe('still here');
    after.destroy();
    await second.stop();
    expect(isAlive(second.pid)).toBe(false);
  });

  it('gives every server keys of its own', async () => {
    expect(inject('s3').secretAccessKey.length).toBeGreaterThan(24);
    const other = await startS3Server({ folder: join(folder, 'other') });
    expect(other.secretAccessKey).not.toBe(inject('s3').secretAccessKey);
    await other.stop();
  });

  it('refuses a port that is taken', async () => {
    const port = Number(new URL(inject('s3').endpoint).port);
    await expect(startS3Server({ folder: join(folder, 'x'), port })).rejects.toThrow(/wanted for S3, is taken/);
  });
});

describe('an owner that is killed with -9', () => {
  it('leaves no server behind', async () => {
    const script = fileURLToPath(new URL('./embedded-owner.ts', import.meta.url));
    const owner = spawn(process.execPath, ['--import', 'tsx', script, join(folder, 'owned')], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const lines = createInterface({ input: owner.stdout });
    const pids = JSON.parse(await new Promise<string>((resolve) => lines.once('line', resolve))) as number[];
    expect(pids.map(isAlive)).toEqual([true, true]);
    owner.kill('SIGKILL');
    while (pids.some(isAlive)) await sleep(20);
  });
});

describe('the Python for jobs', () => {
  const requirementsFile = (): string => join(folder, 'requirements.txt');

  it('is made once and taken from the cache from then on', async () => {
    await writeFile(requirementsFile(), '# nothing beside the standard library\n');
    const lines: string[] = [];
    const options = {
      environment: { ...process.env, XDG_CACHE_HOME: join(folder, 'cache'), PAWL_PYTHON: '' },
      requirementsFile: requirementsFile(),
      onProgress: (line: string) => void lines.push(line),
    };
    const both = await Promise.all([ensurePython(options), ensurePython(options)]);
    expect(both[0].python).toBe(both[1].python);
    expect(lines.filter((line) => /^installing .*: done/.test(line))).toHaveLength(1);
    const soFar = lines.length;
    expect(await ensurePython(options)).toEqual(both[0]);
    expect(lines).toHaveLength(soFar);
  });

  it('is another one for other requirements, and says in one sentence why it could not be made', async () => {
    await writeFile(requirementsFile(), 'six==0.0.0.dev999\n');
    const environment = { ...process.env, XDG_CACHE_HOME: join(folder, 'cache'), PAWL_PYTHON: '' };
    await expect(
      ensurePython({ environment, requirementsFile: requirementsFile(), onProgress: () => undefined }),
    ).rejects.toThrow(
      /^Python's packages for jobs could not be installed \(.*six==0\.0\.0\.dev999.*\): .* PAWL_PYTHON/,
    );
  });

  it('is the one that PAWL_PYTHON names', async () => {
    const environment = { PAWL_PYTHON: process.execPath };
    expect(await ensurePython({ environment })).toEqual({ python: process.execPath });
    await expect(ensurePython({ environment: { PAWL_PYTHON: '/nowhere/python' } })).rejects.toThrow(
      /PAWL_PYTHON names \/nowhere/,
    );
  });

  it('is not to be had without a Python on PATH, and the error says so', async () => {
    await mkdir(join(folder, 'empty'), { recursive: true });
    const environment = { PATH: join(folder, 'empty'), XDG_CACHE_HOME: join(folder, 'cache-2') };
    await expect(ensurePython({ environment, onProgress: () => undefined })).rejects.toThrow(
      /no Python 3\.11 or later/,
    );
  });
});
