// Which servers a command talks to: those of `pawl dev`, unless the environment says something else.

import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { adoptLocal, findLocal, findProjectRoot } from '../../../deploy/local/find-local.js';
import { lockFolder } from '../../../deploy/local/folder-lock.js';
import { writeDevFile, type DevFile } from '../../../deploy/local/dev-file.js';
import { choosePorts } from '../../../deploy/local/local-settings.js';
import { freePort } from '../../../deploy/embedded/ports.js';
import { createServer } from 'node:net';

const environment = {
  TEMPORAL_ADDRESS: '127.0.0.1:7001',
  AWS_ENDPOINT_URL_S3: 'http://127.0.0.1:7002',
  AWS_ACCESS_KEY_ID: 'local',
  AWS_SECRET_ACCESS_KEY: 'secret',
  PAWL_BUCKET: 'pawl',
};
const running = (pid: number): NonNullable<DevFile['running']> => ({
  pid,
  since: '2026-11-08T12:00:00.000Z',
  environment,
  files: [],
  uiUrl: null,
  gatewayUrl: 'http://127.0.0.1:7003',
});
const keys = { accessKeyId: 'a', secretAccessKey: 'b', routerToken: 'c' };

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'pawl-find-'));
});
afterEach(() => rm(root, { recursive: true, force: true }));

describe('what the environment says', () => {
  const found = { root: '/project', ...running(1) };

  test('nothing: the local servers, and nothing beside them that leads elsewhere', () => {
    const adopted = adoptLocal(
      { PATH: '/bin', AWS_PROFILE: 'prod', AWS_SESSION_TOKEN: 'x', AWS_ACCESS_KEY_ID: 'prod' },
      found,
    );
    expect(adopted).toEqual({ PATH: '/bin', ...environment });
  });

  test.each([
    { TEMPORAL_ADDRESS: 'temporal.prod:7233' },
    { TEMPORAL_PROFILE: 'prod' },
    { AWS_ENDPOINT_URL_S3: 'https://s3.prod' },
    { AWS_ENDPOINT_URL: 'https://s3.prod' },
  ])('%j: nothing is mixed with the local servers', (variables) => {
    expect(adoptLocal(variables, found)).toEqual(variables);
  });
});

describe('a folder', () => {
  test('is found from any folder below it', async () => {
    await mkdir(join(root, 'a/b'), { recursive: true });
    await writeFile(join(root, 'pawl.config.ts'), '');
    expect(findProjectRoot(join(root, 'a/b'))).toBe(root);
  });

  test('counts as running only while the process that says so holds it', async () => {
    await writeDevFile(root, { schema: 1, ports: {}, keys, running: running(process.pid) });
    expect(await findLocal(root)).toBeUndefined();
    const release = await lockFolder(root);
    expect(await findLocal(root)).toMatchObject({ pid: process.pid });
    await expect(lockFolder(root)).rejects.toThrow(new RegExp(`process ${process.pid}`));
    await release();
    expect(await findLocal(root)).toBeUndefined();
    await (
      await lockFolder(root)
    )();
  });

  test('is taken over from a process that is gone, and from one whose id somebody else has now', async () => {
    await (
      await lockFolder(root)
    )();
    for (const holder of [`999999999\n1`, `${process.pid}\n1`]) {
      await writeFile(join(root, '.pawl/dev.pid'), holder);
      await (
        await lockFolder(root)
      )();
    }
    expect(await readFile(join(root, '.pawl/dev.pid'), 'utf8')).toBe('');
  });
});

describe('ports', () => {
  test('are those of the last start, and another where somebody has one of them now', async () => {
    const { ports } = await choosePorts({}, {});
    expect(new Set(Object.values(ports)).size).toBe(5);
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(ports.s3, '127.0.0.1', resolve));
    const again = await choosePorts({}, ports);
    expect({ ...again.ports, s3: 0 }).toEqual({ ...ports, s3: 0 });
    expect(again.ports.s3).not.toBe(ports.s3);
    expect(again.moved).toEqual([expect.stringContaining(`port ${ports.s3} of S3 is taken`)]);
    await expect(choosePorts({ s3: ports.s3 }, {})).rejects.toThrow(/is taken/);
    await new Promise((resolve) => other.close(resolve));
  });

  test('that were asked for come before those of the last start', async () => {
    const wanted = await freePort();
    const { ports } = await choosePorts({ gateway: wanted }, { temporal: wanted });
    expect(ports.gateway).toBe(wanted);
    expect(ports.temporal).not.toBe(wanted);
  });
});
