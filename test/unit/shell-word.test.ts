// What `pawl env` prints for a shell.

import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { shellWord } from '../../deploy/local/shell-word.js';

test('a text is one word of a shell, whatever stands in it', () => {
  const texts = [
    '',
    'plain',
    'http://127.0.0.1:8000/a?b',
    "it's",
    '$(date) `x` "y"',
    'a b',
    '*',
    '~',
    'line\nline',
    '\\',
  ];
  const said = execFileSync('sh', ['-c', `printf '%s\\0' ${texts.map(shellWord).join(' ')}`], { encoding: 'utf8' });
  expect(said.split('\0').slice(0, -1)).toEqual(texts);
  expect(shellWord('http://127.0.0.1:8000')).toBe('http://127.0.0.1:8000');
});
