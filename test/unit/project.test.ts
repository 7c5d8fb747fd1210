// Which of a configuration file's exports are the settings.

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { loadSettings } from '../../workers/project.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pawl-project-'));
});
afterEach(() => rm(folder, { recursive: true }));

test.each([
  ['the default export', 'pawl.config.mjs', `export default { ...base, bucket: 'whole' };`],
  ['a list’s', 'pawl.config.mjs', `const whole = { ...base, bucket: 'whole' }; export { whole as default };`],
  [
    'the one that an older module system wrapped',
    'pawl.config.mjs',
    `export default { __esModule: true, default: { ...base, bucket: 'whole' } };`,
  ],
])('%s is taken, whatever else is exported', async (_, file, code) => {
  await writeFile(join(folder, file), `export const base = { environment: 'prod', bucket: 'half' };\n${code}\n`);
  await expect(loadSettings(folder)).resolves.toMatchObject({ environment: 'prod', bucket: 'whole' });
});

test('a file without a default export is refused', async () => {
  await writeFile(join(folder, 'pawl.config.mjs'), `export const config = { bucket: 'half' };\n`);
  await expect(loadSettings(folder)).rejects.toMatchObject({
    type: 'InvalidInput',
    message: 'pawl.config.mjs has no default export: write "export default defineConfig({ … })" in it.',
  });
});
