// References: stand-ins, typed by the value they stand for, that record where the value will be found when a run gets there.

import { SystemError } from './failures.js';
import type { ReferencePath } from './graph.js';

declare const valueType: unique symbol;

/** Stands, wherever a step's input may be written, for a value of type T that only the run will know. */
export interface Placeholder<T> {
  readonly [valueType]: T;
}

/** A placeholder whose fields and items are references too: `verdict.passed`, `report.rules[0]`. */
export type Reference<T> = Placeholder<T> & Fields<NonNullable<T>, Nothing<T>>;

/** Where the whole may be missing, its parts may be. */
type Nothing<T> = [Extract<T, null | undefined>] extends [never] ? never : undefined;

type Fields<T, N> = [T] extends [never] ? unknown : FieldsOfEach<T, N>;

type FieldsOfEach<T, N> = T extends readonly (infer Item)[]
  ? number extends T['length']
    ? { readonly [Index in SmallIndex]: Reference<Item | N> } & { readonly [index: number]: Reference<Item | N> }
    : { readonly [Index in Extract<keyof T, `${number}`>]: Reference<T[Index] | N> }
  : T extends object
    ? { readonly [Key in keyof T]-?: Reference<T[Key] | N> }
    : unknown;

/** Written out, since `noUncheckedIndexedAccess` adds `undefined` to what an index signature gives. */
type SmallIndex = 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9;

/** T, with references standing wherever values may: the whole, its fields, its items. */
export type Wired<T> = [AnyJson] extends [T] ? Wirable : Placeholder<T> | WiredParts<T>;

/** Told apart because the compiler gives up on walking into JSON in general. */
type AnyJson = null | boolean | number | string | AnyJson[] | { [key: string]: AnyJson };

type WiredParts<T> = T extends string | number | boolean | null | undefined
  ? T
  : T extends object
    ? { readonly [Key in keyof T]: Wired<T[Key]> }
    : T;

/** Anything that can be wired: JSON with placeholders in it. */
export type Wirable =
  | null
  | undefined
  | boolean
  | number
  | string
  | Placeholder<unknown>
  | readonly Wirable[]
  | { readonly [key: string]: Wirable };

/** What a wiring becomes in a run; `Missing` is what a placeholder may give beside its value. */
export type Unwired<W, Missing = never> =
  W extends Placeholder<infer T>
    ? T | Missing
    : W extends string | number | boolean | null | undefined
      ? W
      : { -readonly [Key in keyof W]: Unwired<W[Key], Missing> };

/** The builder that a reference belongs to; compared by identity. */
export interface ReferenceOwner {
  readonly dag: string;
}

export interface ReferenceOrigin {
  readonly owner: ReferenceOwner;
  readonly path: ReferencePath;
}

const origins = new WeakMap<object, ReferenceOrigin>();

/** Where a reference points; `undefined` for anything else. */
export const originOf = (value: unknown): ReferenceOrigin | undefined =>
  (typeof value === 'object' || typeof value === 'function') && value !== null ? origins.get(value) : undefined;

/** `steps.gate.passed`, `params.suites[0]`. */
export const pathText = (path: ReferencePath): string =>
  path.map((part, index) => (typeof part === 'number' ? `[${part}]` : index === 0 ? part : `.${part}`)).join('');

const inspectSymbol = Symbol.for('nodejs.util.inspect.custom');

/** Property names that JavaScript itself asks for when something other than wiring is done with a reference. */
const misuses: ReadonlyMap<PropertyKey, string> = new Map<PropertyKey, string>([
  ['then', 'awaited'],
  ['toJSON', 'turned into JSON'],
  ['toString', 'turned into text'],
  ['valueOf', 'computed with'],
  [Symbol.toPrimitive, 'turned into text or a number'],
  [Symbol.iterator, 'iterated'],
  [Symbol.asyncIterator, 'iterated'],
  [inspectSymbol, 'printed'],
]);

/** Makes the reference to a path. Its fields are made when they are asked for. */
export function createReference<T>(owner: ReferenceOwner, path: ReferencePath): Reference<T> {
  const refuse = (what: string): never => {
    throw new SystemError(
      'InvalidInput',
      `DAG ${owner.dag}: ${pathText(path)} is a reference, whose value only a run knows, so it cannot be ${what} here: ` +
        'give it to a step as input, use it in a condition (`when: isTrue(…)`), or do the work inside a task',
    );
  };
  // A function, so that calling it (`docs.map(…)`) can be answered; Node prints a proxy's target, not the proxy.
  const target = Object.assign(() => undefined, { [inspectSymbol]: () => refuse('printed') });
  const proxy = new Proxy(target, {
    get(_, key) {
      const misuse = misuses.get(key);
      if (misuse !== undefined) return refuse(misuse);
      if (typeof key === 'symbol') return undefined;
      return createReference(owner, [path[0], ...path.slice(1), /^(?:0|[1-9]\d*)$/.test(key) ? Number(key) : key]);
    },
    apply: () => refuse('called'),
    construct: () => refuse('constructed'),
    ownKeys: () => refuse('spread or listed'),
    has: () => refuse('searched with `in`'),
    set: () => refuse('changed'),
    deleteProperty: () => refuse('changed'),
    defineProperty: () => refuse('changed'),
  });
  origins.set(proxy, { owner, path });
  return proxy as unknown as Reference<T>;
}
