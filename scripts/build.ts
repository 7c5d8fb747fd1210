// `npm run build`: the sources compiled into dist/, and the workflow code bundled into it, so that no worker has to bundle.
// What is no TypeScript (the jobs, the hosts' supervisor) is shipped from where it lies, by `files` in package.json.

import { spawnSync } from 'node:child_process';
import { rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { buildWorkflowBundle } from '../workers/bundle.js';

const root = fileURLToPath(new URL('../', import.meta.url));
const tsc = createRequire(import.meta.url).resolve('typescript/bin/tsc');

await rm(`${root}dist`, { recursive: true, force: true });
const { status } = spawnSync(process.execPath, [tsc, '-p', 'tsconfig.build.json'], { cwd: root, stdio: 'inherit' });
if (status !== 0) process.exit(1);
const code = await buildWorkflowBundle();
await writeFile(`${root}dist/workflow-bundle.js`, code);
console.log(`dist/ is built; the workflow bundle has ${Math.round(code.length / 1024)} KiB`);
