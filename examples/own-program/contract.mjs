// The job contract in fifty lines of plain Node: what any program, in any language, does to be run by Pawl (docs/job-contract.md).

import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

export const exitCodes = { badInput: 65, passingTrouble: 75 };

const specFile = process.env.PAWL_SPEC;
if (specFile === undefined) fail(exitCodes.badInput, 'PAWL_SPEC names no file: this program is started by Pawl');

/** `{ inputs: {name: folder}, outputs: {name: folder}, checkpoints: folder, settings }`. */
export const spec = JSON.parse(readFileSync(specFile, 'utf8'));

export function fail(exitCode, sentence) {
  console.error(`error: ${sentence}`);
  process.exit(exitCode);
}

export const progress = (fields) => console.log(`PAWL-PROGRESS ${JSON.stringify(fields)}`);

export function writeResult(result) {
  const path = join(dirname(specFile), 'result.json');
  writeFileSync(`${path}.part`, JSON.stringify(result));
  renameSync(`${path}.part`, path);
}

/** The rows of a JSONL file; a bad one ends the program with its file and line. */
export function readRows(name) {
  const path = join(spec.inputs.dataset, name);
  if (!existsSync(path)) fail(exitCodes.badInput, `the data set has no ${name}`);
  const lines = readFileSync(path, 'utf8').split('\n');
  return lines.flatMap((line, index) => {
    if (line.trim() === '') return [];
    try {
      const { prompt, completion, slices } = JSON.parse(line);
      if (typeof prompt === 'string' && typeof completion === 'string') return [{ prompt, completion, slices }];
    } catch {}
    return fail(exitCodes.badInput, `${name} line ${index + 1} is no row with a prompt and a completion`);
  });
}

/** Files of the newest checkpoint that is whole, by name; undefined where there is none. */
export function newestCheckpoint() {
  if (!existsSync(spec.checkpoints)) return undefined;
  const whole = readdirSync(spec.checkpoints).filter((name) => existsSync(join(spec.checkpoints, name, 'COMPLETE')));
  const newest = whole.sort().at(-1);
  return newest === undefined
    ? undefined
    : JSON.parse(readFileSync(join(spec.checkpoints, newest, 'state.json'), 'utf8'));
}

/** `number` counts up, so that names sort by age; COMPLETE is written last. */
export function saveCheckpoint(number, state) {
  const folder = join(spec.checkpoints, `step-${String(number).padStart(9, '0')}`);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'state.json'), JSON.stringify(state));
  writeFileSync(join(folder, 'COMPLETE'), '');
}
