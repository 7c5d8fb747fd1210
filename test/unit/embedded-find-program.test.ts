// Discovery is tried on folders of real, tiny executables: a `go` that "builds" by writing a file, a vendor that is a local server.

import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createReadStream, existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SystemError } from '../../dag/failures.js';
import { isAlive } from '../../deploy/embedded/child-process.js';
import { addressInEnvironment, findProgram } from '../../deploy/embedded/find-program.js';
import { servers, type ServerProgram } from '../../deploy/embedded/servers.js';

const { download: _, ...program }: ServerProgram = servers.minio;
const fit = `#!/bin/sh\necho '${program.probePrints}'\n`;

let folder: string;
let bin: string;
let cache: string;
let environment: NodeJS.ProcessEnv;
let lines: string[];

const onProgress = (line: string): void => void lines.push(line);

const executable = async (path: string, content: string): Promise<void> => {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, content);
  await chmod(path, 0o755);
};

/** A `go` that notes its call, takes its time and installs the program. */
/** A build that takes so many seconds, or until `finishBuild`. */
const fakeGo = (seconds: number): Promise<void> =>
  executable(
    join(bin, 'go'),
    `#!/bin/sh
if [ "$1" = env ]; then echo go1.26.0; exit; fi
echo $$ >> '${folder}/builds'
waited=0
while [ $waited -lt ${seconds} ] && [ ! -e '${folder}/finish' ]; do sleep 1; waited=$((waited + 1)); done
printf '#!/bin/sh\\necho built "%s"\\n' "$*" > "$GOBIN/${program.name}"
chmod +x "$GOBIN/${program.name}"
`,
  );

const finishBuild = (): Promise<void> => writeFile(join(folder, 'finish'), '');

const builds = async (): Promise<string[]> => {
  const file = join(folder, 'builds');
  return existsSync(file) ? (await readFile(file, 'utf8')).trim().split('\n') : [];
};

const cached = (): string => join(cache, 'bin', `${program.name}-${program.version}`, program.name);

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pawl-find-'));
  bin = join(folder, 'bin');
  cache = join(folder, 'cache', 'pawl');
  lines = [];
  await mkdir(bin);
  // The shell's own tools, and nothing else of this machine: no Go, no Python, no servers.
  for (const tool of ['sh', 'sleep', 'chmod', 'tar', 'gzip', 'printf']) {
    const { stdout } = await promisify(execFile)('/bin/sh', ['-c', `command -v ${tool} || true`]);
    if (stdout.startsWith('/')) await symlink(stdout.trim(), join(bin, tool));
  }
  environment = { PATH: bin, XDG_CACHE_HOME: join(folder, 'cache'), HOME: folder };
});

afterEach(() => rm(folder, { recursive: true, force: true }));

describe('the order of discovery', () => {
  it('is led by an address in the environment', () => {
    expect(addressInEnvironment(servers.temporal, { TEMPORAL_ADDRESS: 'temporal.example:7233' })).toBe(
      'temporal.example:7233',
    );
    expect(addressInEnvironment(servers.temporal, { TEMPORAL_ADDRESS: '' })).toBeUndefined();
    expect(
      addressInEnvironment(servers.versitygw, { AWS_ENDPOINT_URL: 'http://a', AWS_ENDPOINT_URL_S3: 'http://b' }),
    ).toBe('http://b');
  });

  it('takes a fit program on PATH before the cache', async () => {
    await executable(join(bin, program.name), fit);
    await executable(cached(), fit);
    expect(await findProgram(program, { environment, onProgress })).toEqual({
      path: join(bin, program.name),
      from: 'path',
    });
    expect(lines).toEqual([]);
  });

  it('passes over a program on PATH that cannot do what is needed', async () => {
    await executable(join(bin, program.name), '#!/bin/sh\necho something else of the same name\n');
    await executable(cached(), fit);
    expect(await findProgram(program, { environment, onProgress })).toEqual({ path: cached(), from: 'cache' });
  });

  it('does not take a file on PATH that is no executable', async () => {
    await writeFile(join(bin, program.name), fit);
    await executable(cached(), fit);
    expect(await findProgram(program, { environment, onProgress })).toMatchObject({ from: 'cache' });
  });

  it('builds the pinned module once where nothing else helps, and finds it in the cache from then on', async () => {
    await fakeGo(0);
    expect(await findProgram(program, { environment, onProgress })).toEqual({ path: cached(), from: 'build' });
    expect(await readFile(cached(), 'utf8')).toContain(`${program.goPackage}@v${program.version}`);
    expect(await findProgram(program, { environment, onProgress })).toEqual({ path: cached(), from: 'cache' });
    expect(await builds()).toHaveLength(1);
    expect(await readdir(join(cache, 'bin'))).toEqual([`${program.name}-${program.version}`]);
    expect(lines.join('\n')).toMatch(/^building MinIO .* …\nbuilding MinIO .*: done in /);
  });

  it('says in one sentence what to install where there is no way at all', async () => {
    const error: unknown = await findProgram(program, { environment, onProgress }).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(SystemError);
    const { type, message } = error as SystemError;
    expect(type).toBe('Unavailable');
    expect(message).toMatch(
      /^MinIO 0\.0\.0-.* is neither on PATH nor in Pawl's cache .*: install minio on PATH, or Go/,
    );
    expect(message).not.toContain('\n');
    expect(await readdir(join(cache, 'bin'))).toEqual([]);
  });

  it('names the reason of a build that failed', async () => {
    await executable(
      join(bin, 'go'),
      '#!/bin/sh\n[ "$1" = env ] && echo go1.26.0 && exit\necho "no route to the proxy" >&2; exit 1\n',
    );
    await expect(findProgram(program, { environment, onProgress })).rejects.toThrow(/build: .*no route to the proxy/);
  });

  it('does not build with a Go that is too old to fetch its own toolchain', async () => {
    await executable(join(bin, 'go'), '#!/bin/sh\n[ "$1" = env ] && echo go1.20.3 && exit\nexit 0\n');
    await expect(findProgram(program, { environment, onProgress })).rejects.toThrow(/no Python 3\.11 or later/);
  });
});

describe("the vendor's download", () => {
  let vendor: Server;
  let base: string;
  let asked: string[];

  const downloadable = (): ServerProgram => ({
    ...program,
    download: {
      url: () => `${base}/program.tar.gz`,
      checksumsUrl: `${base}/checksums.txt`,
      member: () => `nested/${program.name}`,
    },
  });

  beforeEach(async () => {
    await executable(join(folder, 'vendor', 'nested', program.name), fit);
    const archive = join(folder, 'vendor', 'program.tar.gz');
    await promisify(execFile)('tar', ['-czf', archive, '-C', join(folder, 'vendor'), 'nested']);
    const digest = createHash('sha256')
      .update(await readFile(archive))
      .digest('hex');
    await writeFile(
      join(folder, 'vendor', 'checksums.txt'),
      `${'0'.repeat(64)}  other.tar.gz\n${digest}  program.tar.gz\n`,
    );
    asked = [];
    vendor = createServer((request, response) => {
      asked.push(request.url ?? '');
      createReadStream(join(folder, 'vendor', request.url ?? ''))
        .on('error', () => response.writeHead(404).end())
        .pipe(response);
    });
    vendor.listen(0, '127.0.0.1');
    await once(vendor, 'listening');
    base = `http://127.0.0.1:${(vendor.address() as AddressInfo).port}`;
  });

  afterEach(() => void vendor.close());

  it('is taken before a build, when its checksum holds', async () => {
    await fakeGo(0);
    expect(await findProgram(downloadable(), { environment, onProgress })).toEqual({
      path: cached(),
      from: 'download',
    });
    expect(await readFile(cached(), 'utf8')).toBe(fit);
    expect(await readdir(dirname(cached()))).toEqual([program.name]);
    expect(asked).toEqual(['/checksums.txt', '/program.tar.gz']);
    expect(await builds()).toEqual([]);
  });

  it('is refused when its checksum does not hold, and the program is built', async () => {
    await fakeGo(0);
    await writeFile(join(folder, 'vendor', 'checksums.txt'), `${'0'.repeat(64)}  program.tar.gz\n`);
    expect(await findProgram(downloadable(), { environment, onProgress })).toMatchObject({ from: 'build' });
    expect(lines.join('\n')).toMatch(/SHA-256/);
    expect(await readdir(dirname(cached()))).toEqual([program.name]);
  });

  it('is refused when the vendor states no checksum for it', async () => {
    await fakeGo(0);
    await writeFile(join(folder, 'vendor', 'checksums.txt'), 'nothing here\n');
    expect(await findProgram(downloadable(), { environment, onProgress })).toMatchObject({ from: 'build' });
  });

  it('gives way to a build when the vendor cannot be reached', async () => {
    await fakeGo(0);
    vendor.close();
    vendor.closeAllConnections();
    expect(await findProgram(downloadable(), { environment, onProgress })).toMatchObject({ from: 'build' });
    expect(lines.join('\n')).toMatch(/cannot be reached/);
  });
});

describe('two processes at once, and interrupted ones', () => {
  const script = fileURLToPath(new URL('./embedded-child.ts', import.meta.url));
  const started: ChildProcess[] = [];

  const find = (): { child: ChildProcess; said: string[]; ended: Promise<number | null> } => {
    const child = spawn(process.execPath, ['--import', 'tsx', script, 'find'], {
      env: environment,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    started.push(child);
    const said: string[] = [];
    createInterface({ input: child.stdout }).on('line', (line) => said.push(line));
    return { child, said, ended: once(child, 'close').then(([code]) => code as number | null) };
  };

  const until = async (condition: () => Promise<boolean> | boolean): Promise<void> => {
    while (!(await condition())) await sleep(50);
  };

  afterEach(() => {
    for (const child of started.splice(0)) child.kill('SIGKILL');
  });

  it('build once: the second waits for the first and says so', async () => {
    await fakeGo(1_000);
    const first = find();
    await until(async () => (await builds()).length === 1);
    const second = find();
    await until(() => second.said.length > 0);
    await finishBuild();
    expect(await first.ended).toBe(0);
    expect(await second.ended).toBe(0);
    expect(await builds()).toHaveLength(1);
    expect(first.said.at(-1)).toBe(JSON.stringify({ path: cached(), from: 'build' }));
    expect(second.said.at(-1)).toBe(JSON.stringify({ path: cached(), from: 'cache' }));
    expect(second.said[0]).toMatch(/^another process is getting MinIO .*, waiting for it …$/);
  });

  it.each(['SIGINT', 'SIGKILL'] as const)(
    'a build that %s ended leaves nothing running and is done anew',
    async (signal) => {
      await fakeGo(1_000);
      const first = find();
      await until(async () => (await builds()).length === 1);
      const [pid] = await builds();
      first.child.kill(signal);
      await first.ended;
      await until(() => !isAlive(Number(pid)));
      expect(existsSync(cached())).toBe(false);

      await fakeGo(0);
      const second = find();
      expect(await second.ended).toBe(0);
      expect(second.said.at(-1)).toBe(JSON.stringify({ path: cached(), from: 'build' }));
      expect(await readdir(join(cache, 'bin'))).toEqual([`${program.name}-${program.version}`]);
    },
  );
});
