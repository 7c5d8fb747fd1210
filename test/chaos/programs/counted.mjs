// Writes down that a program was started, and becomes it: `node counted.mjs train.mjs`. The file's name is in its settings.

import { appendFileSync, readFileSync } from 'node:fs';

const program = process.argv[2];
const { settings } = JSON.parse(readFileSync(process.env.PAWL_SPEC, 'utf8'));
appendFileSync(settings.startsFile, `${program} ${process.cwd()}\n`);
await import(new URL(program, import.meta.url));
