// How the commands are shown that somebody may type next.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { typed } from '../../../cli/typed.js';

const bin = mkdtempSync(join(tmpdir(), 'pawl-bin-'));
writeFileSync(join(bin, 'pawl'), '');
afterAll(() => rmSync(bin, { recursive: true }));

const ofProject = '/home/ann/models/node_modules/.bin/pawl';
const plan = (script: string, ...path: string[]): string =>
  typed('plan bot', { argv: ['node', script], env: { PATH: path.join(delimiter) } });

test('a project’s own pawl is typed with npx, whose path nobody else has', () => {
  expect(plan(ofProject, '/home/ann/models/node_modules/.bin', '/nowhere')).toBe('npx pawl plan bot');
  expect(plan(ofProject)).toBe('npx pawl plan bot');
});

test('one that is on the path is typed by its name', () => {
  expect(plan(ofProject, '/nowhere', bin)).toBe('pawl plan bot');
  expect(plan(join(bin, 'pawl'), bin)).toBe('pawl plan bot');
});

test('from the sources it is typed as in the pages', () => {
  expect(plan('/home/ann/pawl/cli/main.ts')).toBe('pawl plan bot');
});
