// Conditions for a step's `when`, built from references; they are evaluated in the run (resolve.ts).

import type { Placeholder, Wirable } from './reference.js';

/** What `when` takes. A condition that looks at a step without an output (skipped, failed) is false. */
export type Check =
  | { readonly kind: 'isTrue'; readonly of: Wirable }
  | { readonly kind: 'equals'; readonly left: Wirable; readonly right: Wirable }
  | { readonly kind: 'not'; readonly of: Check }
  | { readonly kind: 'all'; readonly of: readonly Check[] }
  | { readonly kind: 'any'; readonly of: readonly Check[] };

/** The value is `true` itself: no other value counts as true. */
export const isTrue = (of: Placeholder<boolean | null | undefined>): Check => ({ kind: 'isTrue', of });

/** Both are the same JSON; a list or object by its content. */
export const equals = <T>(left: Placeholder<T>, right: Placeholder<NoInfer<T>> | (NoInfer<T> & Wirable)): Check => ({
  kind: 'equals',
  left,
  right,
});

export const not = (of: Check): Check => ({ kind: 'not', of });

/** Every one of them; true where there are none. */
export const all = (...of: readonly Check[]): Check => ({ kind: 'all', of });

/** At least one of them; false where there are none. */
export const any = (...of: readonly Check[]): Check => ({ kind: 'any', of });
