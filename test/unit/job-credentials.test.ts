// Which credentials for the object store a job is given, and until when they are good.

import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { composeSystems } from '../../workers/systems.js';
import { resolveSettings } from '../../workers/settings.js';

describe('the credentials of jobs', () => {
  const expiry = new Date(Date.now() + 3_600_000);
  let folder: string;

  /** A worker whose credentials are asked for anew when they expire, as those of a role or of single sign-on are. */
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'pawl-credentials-'));
    const answer = {
      ...{ Version: 1, AccessKeyId: 'of-the-role', SecretAccessKey: 'secret', SessionToken: 'token' },
      Expiration: expiry.toISOString(),
    };
    const program = join(folder, 'credentials.sh');
    await writeFile(program, `#!/bin/sh\necho '${JSON.stringify(answer)}'\n`);
    await chmod(program, 0o700);
    await writeFile(join(folder, 'config'), `[profile role]\ncredential_process = ${program}\nregion = eu-west-1\n`);
    vi.stubEnv('AWS_CONFIG_FILE', join(folder, 'config'));
    vi.stubEnv('AWS_SHARED_CREDENTIALS_FILE', join(folder, 'none'));
    vi.stubEnv('AWS_PROFILE', 'role');
    vi.stubEnv('AWS_ENDPOINT_URL_S3', 'http://127.0.0.1:9');
    for (const name of ['ACCESS_KEY_ID', 'SECRET_ACCESS_KEY', 'SESSION_TOKEN', 'REGION', 'DEFAULT_REGION'])
      vi.stubEnv(`AWS_${name}`, undefined);
  });
  afterEach(async () => {
    vi.unstubAllEnvs();
    await rm(folder, { recursive: true, force: true });
  });

  /** The variables of AWS that a job on a compute finds. */
  async function givenOn(compute: object): Promise<{ variables: string; expireAt: Date | undefined }> {
    const settings = resolveSettings({ compute: { local: { kind: 'local', root: folder, ...compute } } }, {});
    const systems = composeSystems(settings, folder);
    const local = systems.compute.get('local');
    const show = 'import os; print(" ".join(sorted(k for k in os.environ if k.startswith("AWS_"))))';
    const job = await local.submit({
      ...{ key: 'show', epoch: 1, kind: 'batch', command: ['{python}', '-c', show], environment: {}, files: {} },
      ...{ wants: { gpus: 0, memoryBytes: 0 }, timeLimitMs: 60_000 },
    });
    await vi.waitFor(async () => expect(await local.state(job)).toMatchObject({ phase: 'exited' }), 20_000);
    const { text } = await local.log(job, 0, 10_000);
    systems.objects.close();
    return { variables: text.trim(), expireAt: await local.credentialsExpireAt?.() };
  }

  test("are the worker's as they are when it starts, which nobody renews for it", async () => {
    expect(await givenOn({})).toEqual({
      variables:
        'AWS_ACCESS_KEY_ID AWS_DEFAULT_REGION AWS_ENDPOINT_URL_S3 AWS_REGION AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN',
      expireAt: expiry,
    });
  });

  test("are the host's own where its compute says so", async () => {
    expect(await givenOn({ credentials: 'host' })).toEqual({
      variables: 'AWS_DEFAULT_REGION AWS_ENDPOINT_URL_S3 AWS_REGION',
      expireAt: undefined,
    });
  });
});
