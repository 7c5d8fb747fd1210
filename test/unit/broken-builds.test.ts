// The table of broken builds fits the sources: each mistake can still be made, and the test that finds it is still named so.

import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { brokenBuilds } from '../chaos/broken-builds/builds.js';
import { breakText } from '../chaos/broken-builds/copy-sources.js';

const read = (file: string): string => readFileSync(fileURLToPath(new URL(`../../${file}`, import.meta.url)), 'utf8');
const builds = Object.entries(brokenBuilds).flatMap(([checker, list]) => list.map((build) => ({ checker, ...build })));

test.each(builds)('$name breaks what is there once', ({ edits }) => {
  for (const edit of edits) expect(breakText(read(edit.file), edit)).not.toBe(read(edit.file));
});

test.each(builds)('$name names a test that exists', ({ test: { file, name } }) => {
  expect(read(file)).toContain(`'${name}'`);
});

test.each(builds)('$name stands in docs/proof.md beside $checker', ({ checker, name, test: { file } }) => {
  const line = read('docs/proof.md')
    .split('\n')
    .find((each) => each.includes(`\`${name}\``));
  expect(line).toContain(`\`${checker}\``);
  expect(line).toContain(file.replace('test/chaos/', '').replace('.test.ts', ''));
});

test('a mistake that cannot be made any more is named', () => {
  const edit = { file: 'a.ts', find: 'here', replace: 'gone' };
  expect(() => breakText('nothing', edit)).toThrow(/stale: a.ts holds 0 times/);
  expect(() => breakText('here and here', edit)).toThrow(/stale: a.ts holds 2 times/);
});
