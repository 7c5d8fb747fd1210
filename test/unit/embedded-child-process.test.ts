import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, rm, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { isAlive, startGuardedProcess } from '../../deploy/embedded/child-process.js';
import { choosePort, freePort, isPortFree } from '../../deploy/embedded/ports.js';

const until = async (condition: () => boolean): Promise<void> => {
  while (!condition()) await sleep(20);
};

describe('a guarded process', () => {
  let owner: ChildProcess | undefined;
  afterEach(() => owner?.kill('SIGKILL'));

  it.each(['SIGKILL', 'SIGTERM'] as const)('ends with its whole group when %s ends its owner', async (signal) => {
    const script = fileURLToPath(new URL('./embedded-child.ts', import.meta.url));
    owner = spawn(process.execPath, ['--import', 'tsx', script, 'own'], { stdio: ['ignore', 'pipe', 'inherit'] });
    const said: string[] = [];
    createInterface({ input: owner.stdout as NodeJS.ReadableStream }).on('line', (line) => said.push(line));
    await until(() => said.length === 2);
    const grandchild = Number(said.find((line) => /^\d+$/.test(line)));
    const group = Number(said.find((line) => line.startsWith('group'))?.split(' ')[1]);
    expect([isAlive(grandchild), isAlive(group)]).toEqual([true, true]);
    owner.kill(signal);
    await until(() => !isAlive(group) && !isAlive(grandchild));
  });

  it('is asked to end, and made to after the grace time', async () => {
    const stubborn = await startGuardedProcess({
      command: '/bin/sh',
      args: ['-c', 'trap "echo asked" TERM; echo ready; while :; do sleep 0.05; done'],
    });
    while (!(await stubborn.tail()).includes('ready')) await sleep(10);
    await stubborn.stop(300);
    expect(await stubborn.tail()).toContain('asked');
    expect(stubborn.ended()).toBe('signal SIGKILL');
    expect(isAlive(stubborn.pid)).toBe(false);
    await stubborn.stop();
  });

  it('takes what it left behind in its group with it', async () => {
    const leader = await startGuardedProcess({
      command: '/bin/sh',
      args: ['-c', '(trap "" TERM; exec sleep 1000) & echo $!; wait'],
    });
    while (!/\d/.test(await leader.tail())) await sleep(10);
    const left = Number(await leader.tail());
    await leader.stop(2_000);
    await until(() => !isAlive(left));
  });

  it('says how it ended and what it last printed', async () => {
    const child = await startGuardedProcess({ command: '/bin/sh', args: ['-c', 'echo out; echo err >&2; exit 3'] });
    expect(await child.waitUntilEnded()).toBe('exit code 3');
    expect((await child.tail()).split('\n').sort()).toEqual(['', 'err', 'out']);
  });

  it('appends its output to a log file whose folder is made', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'pawl-log-'));
    const logFile = join(folder, 'logs', 'server.log');
    for (const word of ['one', 'two']) {
      const child = await startGuardedProcess({ command: '/bin/sh', args: ['-c', `echo ${word}`], logFile });
      await child.waitUntilEnded();
      expect(await child.tail()).toContain(word);
    }
    expect(await readFile(logFile, 'utf8')).toBe('one\ntwo\n');
    await rm(folder, { recursive: true });
  });

  it('that cannot be started is an error', async () => {
    await expect(startGuardedProcess({ command: '/nowhere/at-all', args: [] })).rejects.toThrow('ENOENT');
  });
});

describe('ports', () => {
  it('refuses a port that is taken, in one sentence', async () => {
    const port = await freePort();
    expect(await isPortFree(port)).toBe(true);
    const { createServer } = await import('node:net');
    const server = createServer().listen(port, '127.0.0.1');
    await until(() => server.listening);
    await expect(choosePort(port, 'S3')).rejects.toThrow(`port ${port} of 127.0.0.1, wanted for S3, is taken: `);
    server.close();
  });

  it('takes a free one where none is wanted', async () => {
    expect(await choosePort(undefined, 'S3')).toBeGreaterThan(0);
    expect(await choosePort(0, 'S3')).toBeGreaterThan(0);
  });
});
