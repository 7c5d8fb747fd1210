import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { SshAccess } from '../../systems/compute/ssh-connection.js';
import { SshCompute } from '../../systems/compute/ssh.js';
import type { Sshd } from '../fixtures/sshd.js';
import { startSshd } from '../fixtures/sshd.js';
import { restartHost } from '../fixtures/supervised-host.js';
import { computeContract } from './compute.suite.js';

const places = { gpus: 2, memoryBytes: 4 * 2 ** 30 };

computeContract({
  name: 'ssh',
  async open() {
    const folder = await mkdtemp(join(tmpdir(), 'pawl-compute-'));
    const bootIdFile = join(folder, 'boot-id');
    const root = join(folder, 'root');
    await writeFile(bootIdFile, 'first boot\n');
    const sshd = await startSshd();
    const opened: SshCompute[] = [];
    const open = () => {
      const host = { name: 'gpu-1', access: sshd.access, root, places, bootIdFile };
      const compute = new SshCompute({ name: 'gpu', hosts: [host] });
      opened.push(compute);
      return compute;
    };
    return {
      compute: open(),
      root,
      reopen: open,
      restartHost: () => restartHost(root, bootIdFile),
      loseHost: () => sshd.stop(),
      findHost: () => sshd.start(),
      async close() {
        await Promise.all(opened.map((compute) => compute.close()));
        await sshd.close();
        await rm(folder, { recursive: true, force: true });
      },
    };
  },
});

describe('ssh compute with several hosts', () => {
  let folder: string;
  let first: Sshd;
  let second: Sshd;
  let compute: SshCompute;
  const job = (key: string) => ({
    key,
    epoch: 1,
    kind: 'batch' as const,
    command: ['sleep', '600'],
    environment: {},
    files: {},
    wants: { gpus: 2, memoryBytes: 1024 },
    timeLimitMs: 60_000,
  });
  const host = (name: string, access: SshAccess) => ({ name, access, root: join(folder, name), places });

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'pawl-compute-'));
    [first, second] = await Promise.all([startSshd(), startSshd()]);
    compute = new SshCompute({ name: 'gpu', hosts: [host('gpu-1', first.access), host('gpu-2', second.access)] });
  });
  afterAll(async () => {
    await first.start();
    for await (const { key, epoch, host: name } of compute.list())
      await compute.end({ compute: 'gpu', host: name, key, epoch }, { graceMs: 0 });
    await compute.close();
    await Promise.all([first.close(), second.close()]);
    await rm(folder, { recursive: true, force: true });
  });

  it('spreads jobs by free places, finds what runs, and passes over a host that is away', async () => {
    const one = await compute.submit(job('one'));
    expect(one.host).toBe('gpu-1');
    expect((await compute.submit(job('two'))).host).toBe('gpu-2');
    await expect(compute.submit(job('three'))).rejects.toMatchObject({ type: 'NoCapacity' });
    expect(await compute.submit(job('one'))).toEqual(one);
    await compute.end({ ...one, host: 'gpu-2', key: 'two' }, { graceMs: 0 });
    await first.stop();
    expect((await compute.capacity()).map(({ reachable }) => reachable)).toEqual([false, true]);
    expect(await compute.pick({ gpus: 1, memoryBytes: 1 })).toBe('gpu-2');
    const listed = [];
    for await (const { host: name } of compute.list()) listed.push(name);
    expect(listed).toEqual(['gpu-2']);
  });

  it('refuses a host that shows another key than the pinned one, and names the key', async () => {
    const other = `SHA256:${'A'.repeat(43)}`;
    const strict = new SshCompute({ name: 'gpu', hosts: [host('gpu-2', { ...second.access, hostKeys: [other] })] });
    await expect(strict.submit(job('one'))).rejects.toMatchObject({
      type: 'PermissionDenied',
      message: expect.stringContaining(
        `shows the key ${second.access.hostKeys[0] ?? ''}, which is not pinned`,
      ) as string,
    });
  });

  it('leaves out a host that refuses us while another answers, and says why where none has room', async () => {
    const reinstalled = { ...first.access, hostKeys: [`SHA256:${'A'.repeat(43)}`] };
    await first.start();
    const group = new SshCompute({
      name: 'gpu',
      hosts: [host('rekeyed', reinstalled), host('gpu-3', second.access)],
    });
    const wants = { gpus: 2, memoryBytes: 1024 };
    const why = expect.stringMatching(/^The host rekeyed .* is not pinned/) as string;
    expect(await group.capacity()).toEqual([
      { host: 'rekeyed', declared: places, free: { gpus: 0, memoryBytes: 0 }, reachable: false, reason: why },
      { host: 'gpu-3', declared: places, free: places, reachable: true },
    ]);
    expect(await group.pick(wants)).toBe('gpu-3');
    const ref = await group.submit(job('beside'));
    expect(ref.host).toBe('gpu-3');
    const listed = [];
    for await (const { key } of group.list()) listed.push(key);
    expect(listed).toEqual(['beside']);
    await expect(group.pick(wants)).rejects.toMatchObject({
      type: 'NoCapacity',
      retryable: true,
      message: expect.stringMatching(/The host rekeyed .* is not pinned/) as string,
    });
    await expect(group.submit(job('named'), { host: 'rekeyed' })).rejects.toMatchObject({ type: 'PermissionDenied' });
    expect(await group.state({ ...ref, host: 'rekeyed' })).toMatchObject({ phase: 'lost', reason: why });
    await group.end(ref, { graceMs: 0 });
    await group.close();
  });

  it('refuses a host without a pinned key, and a folder that a shell could read as more than a word', () => {
    const unpinned = { ...second.access, hostKeys: [] };
    expect(() => new SshCompute({ name: 'gpu', hosts: [host('gpu-2', unpinned)] })).toThrow(
      /no well-formed pinned host key/,
    );
    const root = '/srv/pawl; rm -rf /';
    expect(() => new SshCompute({ name: 'gpu', hosts: [{ ...host('gpu-2', second.access), root }] })).toThrow(/root/);
  });

  it('says so when the host refuses the login', async () => {
    const stranger = new SshCompute({
      name: 'gpu',
      hosts: [host('gpu-2', { ...second.access, privateKey: first.access.privateKey! })],
    });
    await expect(stranger.capacity()).rejects.toMatchObject({ type: 'PermissionDenied', message: /refuses the login/ });
  });
});
