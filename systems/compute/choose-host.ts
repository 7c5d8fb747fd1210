// Which hosts of a group have room for a job, and what is to be said where none has. Pure.

import { SystemError } from '../../dag/failures.js';
import type { HostCapacity, Places } from './port.js';

export interface Wish {
  readonly wants: Places;
  /** Hosts that were given up. */
  readonly avoid: readonly string[];
}

const fits = (wants: Places, places: Places): boolean =>
  places.gpus >= wants.gpus && places.memoryBytes >= wants.memoryBytes;

/** The host with most room left first, so that load spreads. */
export const hostsWithRoom = (capacity: readonly HostCapacity[], { wants, avoid }: Wish): readonly string[] =>
  capacity
    .filter(({ host, free, reachable }) => reachable && fits(wants, free) && !avoid.includes(host))
    .sort((left, right) => right.free.gpus - left.free.gpus || right.free.memoryBytes - left.free.memoryBytes)
    .map(({ host }) => host);

/** `NoCapacity`, to be tried again unless no host declares so much; it says of every host that is out of reach why. */
export function noRoom(compute: string, capacity: readonly HostCapacity[], { wants, avoid }: Wish): SystemError {
  const wish = `${wants.gpus} GPUs and ${(wants.memoryBytes / 2 ** 30).toFixed(1)} GiB`;
  if (!capacity.some(({ declared }) => fits(wants, declared)))
    return new SystemError(
      'NoCapacity',
      `No host of the compute ${compute} declares ${wish}: ask for less, or add a host that has it.`,
      { retryable: false },
    );
  const given = avoid.length === 0 ? '' : ` (given up: ${avoid.join(', ')})`;
  const reasons = capacity.flatMap(({ reason }) => (reason === undefined ? [] : [reason]));
  return new SystemError(
    'NoCapacity',
    [`No host of the compute ${compute} answers and has ${wish} free${given}.`, ...reasons].join(' '),
  );
}
