import { describe, expect, test } from 'vitest';

import type { TriggerRule } from '../../../dag/graph.js';
import { triggerRules } from '../../../dag/graph.js';
import { judgeTriggerRule } from '../../../dag/trigger-rule.js';
import { columns, table } from './trigger-rules.js';

const verdicts = { R: 'start', k: 'skipped', u: 'upstream_failed', '.': 'wait' } as const;
const isVerdict = (letter: string): letter is keyof typeof verdicts => letter in verdicts;

const countOf = (upstream: string, letter: string): number => upstream.split(letter).length - 1;

interface Cell {
  readonly rule: TriggerRule;
  readonly upstream: string;
  readonly expected: string;
}

const cells: readonly Cell[] = table
  .trim()
  .split('\n')
  .flatMap((line) => {
    const [upstream = '', letters = ''] = line.split('|').map((part) => part.trim());
    return letters.split(' ').map((letter, index) => {
      const rule = columns[index];
      if (rule === undefined || !isVerdict(letter)) throw new Error(`the table cannot be read: ${line}`);
      return { rule, upstream, expected: verdicts[letter] };
    });
  });

test('the table has every rule over every combination of up to three upstream steps', () => {
  expect([...columns].sort()).toEqual([...triggerRules].sort());
  expect(new Set(cells.map(({ rule, upstream }) => `${rule} ${upstream}`)).size).toBe(12 * (5 + 15 + 35));
});

describe.each(triggerRules)('%s', (rule) => {
  test.each(cells.filter((cell) => cell.rule === rule))('over $upstream is $expected', ({ upstream, expected }) => {
    const verdict = judgeTriggerRule(rule, {
      upstream: upstream.length,
      success: countOf(upstream, 'S'),
      skipped: countOf(upstream, 'K'),
      failed: countOf(upstream, 'F'),
      upstreamFailed: countOf(upstream, 'U'),
    });
    expect(verdict).toBe(expected);
  });

  test('runs a step that has nothing upstream', () => {
    const none = { upstream: 0, success: 0, skipped: 0, failed: 0, upstreamFailed: 0 };
    expect(judgeTriggerRule(rule, none)).toBe('start');
  });
});
