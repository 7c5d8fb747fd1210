import { format } from 'node:util';

import { describe, expect, test } from 'vitest';

import { createReference, originOf } from '../../../dag/reference.js';

interface Answer {
  readonly passed: boolean;
  readonly rules: readonly { readonly value: number }[];
}

const owner = { dag: 'rag-prep' };
const reference = createReference<Answer>(owner, ['steps', 'gate']);

describe('a reference', () => {
  test('records the path to what it stands for', () => {
    expect(originOf(reference.rules[3].value)).toEqual({ owner, path: ['steps', 'gate', 'rules', 3, 'value'] });
  });

  const loose = reference as unknown as { map(f: unknown): unknown } & Iterable<unknown> &
    AsyncIterable<unknown> &
    Record<string, unknown>;
  test.each<[string, () => unknown]>([
    ['awaited', async () => await (loose as unknown)],
    ['awaited', () => Promise.resolve(loose)],
    ['iterated', () => [...loose]],
    [
      'iterated',
      async () => {
        for await (const item of loose) return item;
        return 0;
      },
    ],
    ['turned into JSON', () => JSON.stringify({ answer: loose })],
    ['turned into text or a number', () => `${loose as unknown as string}`],
    ['turned into text or a number', () => Number(loose)],
    ['turned into text or a number', () => (loose as unknown as number) + 1],
    ['printed', () => format('%o', loose)],
    ['printed', () => format(loose)],
    ['spread or listed', () => ({ ...loose })],
    ['spread or listed', () => Object.keys(loose)],
    ['called', () => loose.map((item: unknown) => item)],
    ['searched with `in`', () => 'passed' in loose],
    [
      'changed',
      () => {
        loose.passed = true;
      },
    ],
    ['changed', () => delete loose.passed],
  ])('says what to do instead of being %s', async (what, misuse) => {
    const attempt = async (): Promise<unknown> => misuse();
    await expect(attempt()).rejects.toThrow(
      new RegExp(
        `^DAG rag-prep: steps\\.gate\\S* is a reference, whose value only a run knows, so it cannot be ${what} here: give it to a step as input`,
      ),
    );
  });

  test('is told from what is none', () => {
    expect([null, undefined, {}, 'steps.gate', () => 1].map(originOf)).toEqual(Array(5).fill(undefined));
  });
});
