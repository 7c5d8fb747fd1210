// `npx tsx test/chaos/broken-builds.ts [name…]`: breaks a copy of the sources in one way after the other (broken-builds/builds.ts)
// and wants the chaos test named there to fail with the sentence of the checker that the break is for.

import { fileURLToPath } from 'node:url';
import { brokenBuilds } from './broken-builds/builds.js';
import { tryBuild } from './broken-builds/try-build.js';

const root = fileURLToPath(new URL('../../', import.meta.url));
const known = Object.entries(brokenBuilds).flatMap(([checker, builds]) =>
  builds.map((build) => ({ checker, ...build })),
);
const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !known.some((build) => build.name === name));
if (unknown.length > 0) {
  console.error(
    `No broken build is named ${unknown.join(', ')}: there are ${known.map(({ name }) => name).join(', ')}.`,
  );
  process.exit(2);
}

const stopping = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stopping.abort());
let missed = 0;
for (const build of known) {
  if (wanted.length > 0 && !wanted.includes(build.name)) continue;
  const startedAtMs = performance.now();
  const verdict = await tryBuild(root, build, stopping.signal);
  if (stopping.signal.aborted) process.exit(130);
  const seconds = Math.round((performance.now() - startedAtMs) / 1_000);
  const said = verdict.found ? `found by "${verdict.sentence}"` : `NOT FOUND: ${verdict.why}`;
  console.log(`${build.checker}, ${build.name}: ${said} (${seconds} s)`);
  if (verdict.leftRunning > 0)
    console.log(`  processes that it left running, and that were ended: ${verdict.leftRunning}`);
  if (!verdict.found) {
    missed += 1;
    console.log(verdict.outputTail.replaceAll(/^/gm, '  | '));
  }
}
process.exit(missed === 0 ? 0 : 1);
