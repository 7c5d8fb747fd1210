import { describe, expect, test } from 'vitest';

import type { Binding, Condition, Json, ReferencePath, StepState } from '../../../dag/graph.js';
import { evaluateCondition, prepareStep, resolveBinding, resolveOutput } from '../../../dag/resolve.js';
import { stepOf } from './graphs.js';

const scope = {
  params: { model: 'm', nested: { list: [10, 20] } },
  run: { logicalDate: '2026-01-01T00:00:00Z' },
  steps: new Map<string, StepState>([
    ['gate', { status: 'success', output: { passed: true, note: null, rules: [{ value: 1 }] } }],
    ['train', { status: 'skipped' }],
    ['eval', { status: 'failed' }],
    ['slow', { status: 'running' }],
  ]),
};

const ref = (...path: ReferencePath): Binding => ({ kind: 'reference', path });
const literal = (value: Json): Binding => ({ kind: 'literal', value });

describe('a binding', () => {
  test('looks up parameters, the run and outputs by path', () => {
    expect(resolveBinding(ref('params', 'nested', 'list', 1), scope)).toEqual({ kind: 'value', value: 20 });
    expect(resolveBinding(ref('run', 'logicalDate'), scope)).toEqual({ kind: 'value', value: '2026-01-01T00:00:00Z' });
    expect(resolveBinding(ref('steps', 'gate', 'rules', 0, 'value'), scope)).toEqual({ kind: 'value', value: 1 });
    expect(resolveBinding(ref('params'), scope)).toEqual({ kind: 'value', value: scope.params });
  });

  test('leaves out fields that lead to nothing, and makes items null', () => {
    const binding: Binding = {
      kind: 'object',
      fields: {
        a: ref('params', 'missing', 'deep'),
        b: { kind: 'list', items: [ref('steps', 'gate', 'nope'), literal(1)] },
      },
    };
    expect(resolveBinding(binding, scope)).toEqual({ kind: 'value', value: { b: [null, 1] } });
  });

  test('does not find what JavaScript put there', () => {
    expect(resolveBinding(ref('params', 'constructor'), scope)).toEqual({ kind: 'value', value: undefined });
    expect(resolveBinding(ref('params', 'nested', 'list', 'length', 'x'), scope)).toEqual({
      kind: 'value',
      value: undefined,
    });
  });

  test('takes the first whose step succeeded, and a literal where none has', () => {
    const first = (...of: Binding[]): Binding => ({ kind: 'first', of });
    expect(resolveBinding(first(ref('steps', 'train', 'x'), ref('steps', 'gate', 'passed')), scope)).toEqual({
      kind: 'value',
      value: true,
    });
    expect(resolveBinding(first(ref('steps', 'train'), literal(null)), scope)).toEqual({ kind: 'value', value: null });
    expect(resolveBinding(first(ref('steps', 'train'), ref('steps', 'eval')), scope)).toMatchObject({
      kind: 'missing',
      stepId: 'eval',
    });
  });
});

describe('a step whose trigger rule is met', () => {
  test('runs with its input put together', () => {
    const step = stepOf('next', ['gate'], {
      input: { kind: 'object', fields: { ok: ref('steps', 'gate', 'passed') } },
    });
    expect(prepareStep(step, scope)).toEqual({ kind: 'run', input: { ok: true } });
  });

  test('is skipped where its condition does not hold, and says which', () => {
    const when: Condition = {
      kind: 'all',
      of: [
        { kind: 'isTrue', of: ref('steps', 'gate', 'passed') },
        { kind: 'equals', left: ref('params', 'model'), right: literal('other') },
      ],
    };
    expect(prepareStep(stepOf('next', ['gate'], { when }), scope)).toEqual({
      kind: 'settle',
      state: {
        status: 'skipped',
        reason: 'its condition does not hold: (steps.gate.passed is true) and (params.model equals "other")',
      },
    });
  });

  test.each([
    ['train', 'was skipped'],
    ['eval', 'failed'],
    ['slow', 'still runs'],
    ['gone', 'is not part of this run'],
  ])('fails where its input needs the output of a step that has none: %s', (id, what) => {
    expect(prepareStep(stepOf('next', [], { input: { kind: 'list', items: [ref('steps', id, 'x')] } }), scope)).toEqual(
      {
        kind: 'settle',
        state: {
          status: 'failed',
          reason: `its input cannot be put together: step ${id}, whose output it needs, ${what}`,
        },
      },
    );
  });
});

describe('a condition', () => {
  const isTrue = (of: Binding): Condition => ({ kind: 'isTrue', of });
  const equals = (left: Binding, right: Binding): Condition => ({ kind: 'equals', left, right });
  test.each<[string, Condition, boolean]>([
    ['true is true', isTrue(ref('steps', 'gate', 'passed')), true],
    ['other values are not', isTrue(literal(1)), false],
    ['a step without an output is not true', isTrue(ref('steps', 'train', 'ok')), false],
    ['nor equal to anything, null included', equals(ref('steps', 'train', 'ok'), literal(null)), false],
    ['nothing at the end of a path equals null', equals(ref('params', 'nope'), literal(null)), true],
    ['lists and objects are equal by content', equals(ref('params', 'nested'), literal({ list: [10, 20] })), true],
    ['a list is not an object', equals(literal([]), literal({})), false],
    ['one more field makes a difference', equals(literal({ a: 1 }), literal({ a: 1, b: null })), false],
    ['another field of the same count too', equals(literal({ a: 1 }), literal({ b: 1 })), false],
    ['not turns it round', { kind: 'not', of: isTrue(literal(false)) }, true],
    ['all of none holds', { kind: 'all', of: [] }, true],
    ['any of none does not', { kind: 'any', of: [] }, false],
    ['any needs one', { kind: 'any', of: [isTrue(literal(false)), isTrue(literal(true))] }, true],
  ])('%s', (_, condition, expected) => {
    expect(evaluateCondition(condition, scope)).toBe(expected);
  });
});

test('the output has null for what no step gave', () => {
  const output: Binding = {
    kind: 'object',
    fields: {
      passed: ref('steps', 'gate', 'passed'),
      version: ref('steps', 'train', 'version'),
      list: { kind: 'list', items: [ref('steps', 'gone')] },
    },
  };
  expect(resolveOutput(output, scope)).toEqual({ passed: true, version: null, list: [null] });
});
