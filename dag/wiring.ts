// Turns what an author wires (JSON with references in it) into the bindings and conditions of a graph.

import type { Check } from './condition.js';
import { SystemError } from './failures.js';
import type { Binding, Condition, Json } from './graph.js';
import type { Placeholder, ReferenceOwner, Unwired, Wirable } from './reference.js';
import { originOf, pathText } from './reference.js';

class First {
  readonly of: readonly Wirable[];
  constructor(of: readonly Wirable[]) {
    this.of = of;
  }
}

/**
 * The first of these whose step succeeded, in the order given; a literal at the end is what stands in where none has
 * (`firstOf(quick.answer, slow.answer, null)`).
 */
export const firstOf = <const W extends readonly [Wirable, ...Wirable[]]>(...of: W): Placeholder<Unwired<W[number]>> =>
  new First(of) as unknown as Placeholder<Unwired<W[number]>>;

export interface WiringScope {
  readonly owner: ReferenceOwner;
  /** Leads every message: `DAG rag-prep, step embed: input`. */
  readonly where: string;
  /** Gathers the ids of the steps that are referred to. */
  readonly uses: Set<string>;
}

/** The binding of a wired value. Throws `InvalidInput` for a foreign reference and for what JSON cannot hold. */
export const bindingOf = (value: unknown, scope: WiringScope): Binding => bind(value, scope, []);

function bind(value: unknown, scope: WiringScope, parents: readonly object[]): Binding {
  const origin = originOf(value);
  if (origin !== undefined) {
    if (origin.owner !== scope.owner) {
      throw new SystemError(
        'InvalidInput',
        `${scope.where} refers to ${pathText(origin.path)} of another DAG (${origin.owner.dag}): use only references from the builder's own argument`,
      );
    }
    if (origin.path[0] === 'steps') scope.uses.add(String(origin.path[1]));
    return { kind: 'reference', path: origin.path };
  }
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return { kind: 'literal', value };
  if (typeof value === 'number' && Number.isFinite(value)) return { kind: 'literal', value };
  if (typeof value !== 'object') throw notJson(value, scope);
  if (parents.includes(value)) throw new SystemError('InvalidInput', `${scope.where} contains itself`);
  const within = [...parents, value];
  if (value instanceof First) return { kind: 'first', of: value.of.map((item) => bind(item, scope, within)) };
  if (Array.isArray(value)) {
    return listOf(
      value.map((item, index) => bind(item ?? null, { ...scope, where: `${scope.where}[${index}]` }, within)),
    );
  }
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) throw notJson(value, scope);
  return objectOf(
    Object.entries(value)
      .filter(([, field]) => field !== undefined)
      .map(([key, field]) => [key, bind(field, { ...scope, where: `${scope.where}.${key}` }, within)]),
  );
}

/** Lists and objects without a reference in them are one literal, which keeps the graph small. */
function listOf(items: readonly Binding[]): Binding {
  const literals = items.filter((item) => item.kind === 'literal');
  return literals.length === items.length
    ? { kind: 'literal', value: literals.map((item) => item.value) }
    : { kind: 'list', items };
}

function objectOf(fields: readonly (readonly [string, Binding])[]): Binding {
  const literals: [string, Json][] = [];
  for (const [key, field] of fields) if (field.kind === 'literal') literals.push([key, field.value]);
  return literals.length === fields.length
    ? { kind: 'literal', value: Object.fromEntries(literals) }
    : { kind: 'object', fields: Object.fromEntries(fields) };
}

function notJson(value: unknown, scope: WiringScope): SystemError {
  const what =
    value === undefined
      ? 'undefined'
      : typeof value === 'object' && value !== null
        ? `a ${value.constructor.name}`
        : typeof value === 'number' || typeof value === 'bigint'
          ? `${value}${typeof value === 'bigint' ? 'n' : ''}`
          : `a ${typeof value}`;
  return new SystemError(
    'InvalidInput',
    `${scope.where} is ${what}, which JSON cannot hold: give plain data or a reference`,
  );
}

/** The condition of a check, with its references bound. */
export function conditionOf(check: Check, scope: WiringScope): Condition {
  switch (check.kind) {
    case 'isTrue':
      return { kind: 'isTrue', of: bindingOf(check.of, scope) };
    case 'equals':
      return { kind: 'equals', left: bindingOf(check.left, scope), right: bindingOf(check.right ?? null, scope) };
    case 'not':
      return { kind: 'not', of: conditionOf(check.of, scope) };
    case 'all':
      return { kind: 'all', of: check.of.map((part) => conditionOf(part, scope)) };
    case 'any':
      return { kind: 'any', of: check.of.map((part) => conditionOf(part, scope)) };
  }
}
