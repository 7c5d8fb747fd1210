// The compute systems that a worker was composed with, by name.

import { SystemError } from '../../dag/failures.js';
import type { Compute, ComputeSystems } from './port.js';

/** Throws `InvalidInput` where two have one name. */
export function computeSystems(all: readonly Compute[]): ComputeSystems {
  const byName = new Map(all.map((compute) => [compute.name, compute]));
  const names = [...byName.keys()];
  if (names.length !== all.length)
    throw new SystemError(
      'InvalidInput',
      `Two compute systems have one name among ${all.map(({ name }) => name).join(', ')}.`,
    );
  return {
    names,
    get(name) {
      const compute = byName.get(name);
      if (compute !== undefined) return compute;
      const known = names.length === 0 ? 'there are none' : `there are ${names.join(', ')}`;
      throw new SystemError('NotFound', `There is no compute system ${name}: ${known}.`);
    },
  };
}
