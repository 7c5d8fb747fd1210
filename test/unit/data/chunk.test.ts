// Normalising, counting and cutting take time linear in the text, whatever the text is.

import { expect, test } from 'vitest';
import { chunkText, loadTokenizer } from '../../../activities/feature-engineering/chunk.js';
import { normalise } from '../../../activities/feature-engineering/normalise.js';

const tokenizers = ['o200k_base', 'cl100k_base'] as const;
/** Quadratic in a run, each of these would take many minutes. */
const awkward: Record<string, string> = {
  letters: 'a',
  'Han characters': '\u6f22\u5b57',
  'letters and marks': 'a\u0301\u0316',
  signs: '=',
  'white space': '\u3000',
  'line feeds': '\n',
  emoji: '\u{1f600}',
};

test.each(tokenizers)('a run of a million characters is counted and cut (%s)', { timeout: 120_000 }, async (name) => {
  const tokenizer = await loadTokenizer(name);
  for (const [what, repeated] of Object.entries(awkward)) {
    const text = repeated.repeat(Math.ceil(1_000_000 / repeated.length));
    expect(tokenizer.count(text), what).toBeGreaterThan(1_000);
    const chunks = chunkText(text, { maxTokens: 512, overlapTokens: 0 }, tokenizer);
    expect(chunks.map((chunk) => chunk.text).join('').length, what).toBe(text.trim().length);
  }
});

test.each(tokenizers)(
  'the count is exact but for long runs, which give two tokens more for each 128 characters at most (%s)',
  async (name) => {
    const { countTokens } = await import(`gpt-tokenizer/encoding/${name}`);
    const tokenizer = await loadTokenizer(name);
    const prose =
      'Donaudampfschifffahrtsgesellschaft, https://example.org/a_b?c=1 \u6f22\u5b57\u3002 1234567890\n\n\tend. '.repeat(
        200,
      );
    expect(tokenizer.count(prose)).toBe(countTokens(prose));
    for (const part of ['abcdefghij', '\u6f22\u5b57\u5927\u597d', 'Haus\u00e4rzte', '=-+', '\u3000']) {
      const run = part.repeat(300);
      const more = tokenizer.count(run) - countTokens(run);
      expect(more, part).toBeGreaterThanOrEqual(0);
      expect(more, part).toBeLessThanOrEqual((2 * run.length) / 128);
    }
  },
);

test('no character is cut in two', async () => {
  const tokenizer = await loadTokenizer('o200k_base');
  for (const piece of tokenizer.cut(`a${'\u{1f600}'.repeat(500)}`, 8)) expect(piece).not.toMatch(/\p{Surrogate}/u);
});

test('a letter with a million marks is normalised', { timeout: 20_000 }, () => {
  expect(normalise(`Cafe${'\u0301\u0316'.repeat(500_000)}`).length).toBeGreaterThan(1_000_000);
  expect(normalise(`e${'\u0301'.repeat(30)}`)).toBe(`\u00e9${'\u0301'.repeat(29)}`);
});
