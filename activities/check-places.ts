// Whether the hosts of a compute have a place for what a model's file wants there, as preflight tells it.

import type { TaskContext } from '../dag/context.js';
import type { Places } from '../systems/compute/port.js';
import type { ModelSettings } from './schemas/model-settings.js';

export interface Checked {
  readonly ok: boolean;
  readonly explanation: string;
  /** Waiting may mend it. */
  readonly passing?: true;
}

type JobPlace = Pick<ModelSettings['train'], 'compute' | 'wants'>;

const shown = ({ gpus, memoryBytes }: Places): string => `${gpus} GPUs and ${Math.ceil(memoryBytes / 2 ** 20)} MiB`;

const fits = (wants: Places, places: Places): boolean =>
  places.gpus >= wants.gpus && places.memoryBytes >= wants.memoryBytes;

/** Whether a host could ever take it, whether one could now, and why some cannot be asked. */
async function roomOn(
  name: string,
  wants: Places,
  { systems, log }: TaskContext,
): Promise<{ ever: boolean; now: boolean; unreachable: string }> {
  const hosts = await systems.compute.get(name).capacity();
  const reasons = hosts.flatMap(({ reason }) => (reason === undefined ? [] : [reason]));
  if (reasons.length > 0) log.warn({ compute: name, reasons }, 'hosts are left out: they cannot be reached');
  return {
    ever: hosts.some((host) => fits(wants, host.declared)),
    now: hosts.some((host) => host.reachable && fits(wants, host.free)),
    unreachable: reasons.map((reason) => ` (${reason.replace(/\.$/, '')})`).join(''),
  };
}

const never = (compute: string, wants: Places, what: string): Checked => ({
  ok: false,
  explanation: `no host of compute ${compute} declares the ${shown(wants)} that ${what} wants`,
});

/** A job waits for a free place by itself; only what can never be is a reason to stop. */
export async function checkJobPlace(
  what: string,
  { compute, wants }: JobPlace,
  context: TaskContext,
): Promise<Checked> {
  const room = await roomOn(compute, wants, context);
  if (!room.ever) return never(compute, wants, what);
  const explanation = room.now ? `compute ${compute} has room` : `compute ${compute} is busy: ${what} will wait`;
  return { ok: true, explanation: `${explanation}${room.unreachable}` };
}

/** Waited for here: a challenger without a place would cost a whole training first. */
export async function checkServingPlace(
  { compute, gpus, memoryBytes }: ModelSettings['serve'],
  context: TaskContext,
): Promise<Checked> {
  const wants = { gpus, memoryBytes };
  const room = await roomOn(compute, wants, context);
  if (!room.ever) return never(compute, wants, 'serving');
  if (room.now) return { ok: true, explanation: `compute ${compute} has room beside the champion${room.unreachable}` };
  const explanation = `no host of compute ${compute} has ${shown(wants)} free beside what it serves: free some, or declare more places`;
  return { ok: false, passing: true, explanation: `${explanation}${room.unreachable}` };
}
