// Runs the Python programs' own tests (test/python) on the Python that jobs run on, in one process: starting torch takes seconds.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import { ensurePython } from '../../deploy/embedded/python.js';

const folder = join(import.meta.dirname, '../python');

test('the programs that train and evaluate pass the tests of their own', { timeout: 900_000 }, async () => {
  const { python } = await ensurePython();
  const child = spawn(python, ['-B', '-m', 'unittest', 'discover', '--start-directory', folder], {
    stdio: ['ignore', 'inherit', 'pipe'],
  });
  const [said, [exitCode]] = await Promise.all([text(child.stderr), once(child, 'close')]);
  expect(said).toMatch(/^Ran [1-9]\d+ tests/m);
  expect(exitCode, said).toBe(0);
});
