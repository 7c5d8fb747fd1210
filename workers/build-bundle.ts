// Part of `npm run build`: writes the workflow bundle into the package, so that no worker has to bundle.

import { mkdir, writeFile } from 'node:fs/promises';
import { buildWorkflowBundle } from './bundle.js';

const target = new URL('../dist/workflow-bundle.js', import.meta.url);
const code = await buildWorkflowBundle();
await mkdir(new URL('.', target), { recursive: true });
await writeFile(target, code);
console.log(`workflow bundle: ${Math.round(code.length / 1024)} KiB`);
