// Puts a step's input together from what the run knows so far, and evaluates its condition.
// Pure, and imported by workflow code, so it imports nothing but what is pure.

import type { Binding, Condition, Json, ReferencePath, Step, StepState } from './graph.js';
import { statusText } from './status-text.js';

/** What bindings see. */
export interface Scope {
  /** The resolved parameters, as pinned. */
  readonly params: Json;
  /** `logicalDate`, `runId`, `workflowId`, `environment`. */
  readonly run: { readonly [key: string]: Json };
  readonly steps: ReadonlyMap<string, StepState>;
}

/**
 * - `value`: undefined where the path leads to nothing (an optional field that a step left out)
 * - `missing`: a step that is needed has no output, and why
 */
export type Resolution =
  | { readonly kind: 'value'; readonly value: Json | undefined }
  | { readonly kind: 'missing'; readonly stepId: string; readonly reason: string };

/** What a step that may start does next: run, or settle at once. */
export type Preparation =
  | { readonly kind: 'run'; readonly input: Json }
  | { readonly kind: 'settle'; readonly state: StepState & { readonly status: 'skipped' | 'failed' } };

/**
 * Evaluates the condition and the input of a step whose trigger rule is met. A condition that does not hold skips it;
 * an input that needs an output which does not exist fails it.
 */
export function prepareStep(step: Step, scope: Scope): Preparation {
  if (step.when !== undefined && !evaluateCondition(step.when, scope)) {
    return {
      kind: 'settle',
      state: { status: 'skipped', reason: `its condition does not hold: ${describeCondition(step.when)}` },
    };
  }
  const input = resolveBinding(step.input, scope);
  if (input.kind === 'missing') {
    return { kind: 'settle', state: { status: 'failed', reason: `its input cannot be put together: ${input.reason}` } };
  }
  return { kind: 'run', input: input.value ?? null };
}

/** The value of a binding. Fields that lead to nothing are left out; items of lists become null. */
export function resolveBinding(binding: Binding, scope: Scope): Resolution {
  switch (binding.kind) {
    case 'literal':
      return { kind: 'value', value: binding.value };
    case 'reference':
      return lookUp(binding.path, scope);
    case 'first':
      return resolveFirst(binding.of, scope);
    case 'object': {
      const fields: Record<string, Json> = {};
      for (const [key, field] of Object.entries(binding.fields)) {
        const resolved = resolveBinding(field, scope);
        if (resolved.kind === 'missing') return resolved;
        if (resolved.value !== undefined) fields[key] = resolved.value;
      }
      return { kind: 'value', value: fields };
    }
    case 'list': {
      const items: Json[] = [];
      for (const item of binding.items) {
        const resolved = resolveBinding(item, scope);
        if (resolved.kind === 'missing') return resolved;
        items.push(resolved.value ?? null);
      }
      return { kind: 'value', value: items };
    }
  }
}

/** What a DAG returns: as `resolveBinding`, with null for what no step gave. */
export function resolveOutput(binding: Binding, scope: Scope): Json {
  switch (binding.kind) {
    case 'object':
      return Object.fromEntries(
        Object.entries(binding.fields).map(([key, field]) => [key, resolveOutput(field, scope)]),
      );
    case 'list':
      return binding.items.map((item) => resolveOutput(item, scope));
    case 'literal':
    case 'reference':
    case 'first': {
      const resolved = resolveBinding(binding, scope);
      return resolved.kind === 'value' ? (resolved.value ?? null) : null;
    }
  }
}

/** Looking at a step without an output, `isTrue` and `equals` are false. */
export function evaluateCondition(condition: Condition, scope: Scope): boolean {
  switch (condition.kind) {
    case 'isTrue': {
      const resolved = resolveBinding(condition.of, scope);
      return resolved.kind === 'value' && resolved.value === true;
    }
    case 'equals': {
      const left = resolveBinding(condition.left, scope);
      const right = resolveBinding(condition.right, scope);
      return left.kind === 'value' && right.kind === 'value' && sameJson(left.value ?? null, right.value ?? null);
    }
    case 'not':
      return !evaluateCondition(condition.of, scope);
    case 'all':
      return condition.of.every((part) => evaluateCondition(part, scope));
    case 'any':
      return condition.of.some((part) => evaluateCondition(part, scope));
  }
}

function resolveFirst(candidates: readonly Binding[], scope: Scope): Resolution {
  let lastMissing: Resolution | undefined;
  for (const candidate of candidates) {
    const resolved = resolveBinding(candidate, scope);
    if (resolved.kind === 'value') return resolved;
    lastMissing = resolved;
  }
  return lastMissing ?? { kind: 'value', value: undefined };
}

function lookUp(path: ReferencePath, scope: Scope): Resolution {
  const [root, ...rest] = path;
  if (root !== 'steps') return { kind: 'value', value: walk(root === 'params' ? scope.params : scope.run, rest) };
  const [first, ...within] = rest;
  const stepId = String(first);
  const state = scope.steps.get(stepId);
  if (state?.status === 'success') return { kind: 'value', value: walk(state.output ?? null, within) };
  const ending = state === undefined ? 'is not part of this run' : statusText(state.status);
  return { kind: 'missing', stepId, reason: `step ${stepId}, whose output it needs, ${ending}` };
}

function walk(from: Json, path: readonly (string | number)[]): Json | undefined {
  let value: Json | undefined = from;
  for (const part of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, part)) return undefined;
    value = (value as Readonly<Record<string | number, Json>>)[part];
  }
  return value;
}

function sameJson(left: Json, right: Json): boolean {
  if (left === right) return true;
  if (typeof left !== 'object' || typeof right !== 'object' || left === null || right === null) return false;
  if (Array.isArray(left) !== Array.isArray(right)) return false;
  const leftFields = Object.entries(left);
  if (leftFields.length !== Object.keys(right).length) return false;
  const other = right as Readonly<Record<string, Json>>;
  return leftFields.every(([key, field]: [string, Json]) => {
    const counterpart = Object.hasOwn(right, key) ? other[key] : undefined;
    return counterpart !== undefined && sameJson(field, counterpart);
  });
}

/** `steps.gate.passed is true`. */
export function describeCondition(condition: Condition): string {
  switch (condition.kind) {
    case 'isTrue':
      return `${describeBinding(condition.of)} is true`;
    case 'equals':
      return `${describeBinding(condition.left)} equals ${describeBinding(condition.right)}`;
    case 'not':
      return `not (${describeCondition(condition.of)})`;
    case 'all':
    case 'any': {
      if (condition.of.length === 0) return condition.kind === 'all' ? 'always' : 'never';
      return condition.of
        .map((part) => `(${describeCondition(part)})`)
        .join(condition.kind === 'all' ? ' and ' : ' or ');
    }
  }
}

function describeBinding(binding: Binding): string {
  switch (binding.kind) {
    case 'literal':
      return JSON.stringify(binding.value);
    case 'reference':
      return binding.path.join('.');
    case 'first':
      return `the first of ${binding.of.map(describeBinding).join(', ')}`;
    case 'object':
    case 'list':
      return 'a composed value';
  }
}
