// Asserts that a run's faults landed: a worker died before and after each of these effects.

import { expect } from 'vitest';
import type { EffectLog } from './effects.js';

export function expectKilledAround({ kills }: EffectLog, sites: readonly string[]): void {
  const missing = sites.flatMap((site) =>
    (['before', 'after'] as const)
      .filter((when) => kills.get(site)?.has(when) !== true)
      .map((when) => `${when} ${site}`),
  );
  expect(missing).toEqual([]);
}
