// Names the effects of a worker on the world: one name for each place in Pawl's code where the world is changed, so that a test
// can say where a process was killed, and that no place was left out.

/** Those of a rollout. */
export const rolloutSites =
  '^(objects\\.put (endpoint|serving record|registry aliases)|compute\\.\\w+ service|router|serving|temporal)';

const last = (key: string): string => key.slice(key.lastIndexOf('/') + 1);

const parsed = (body: unknown): Record<string, unknown> => {
  if (typeof body !== 'string') return {};
  try {
    return JSON.parse(body) as Record<string, unknown>;
  } catch {
    return {};
  }
};

const stepOf = (key: string): string => /\.(fine-tune|evaluate)\./.exec(key)?.[1] ?? 'service';

function endpointMove(body: unknown): string {
  const { change, weights, generation } = parsed(body) as {
    change?: { kind: string };
    weights?: { challenger: number };
    generation?: number;
  };
  if (change?.kind === 'weight') return `weight ${weights?.challenger}`;
  return change?.kind === 'promote' && generation === 1 ? 'first promotion' : (change?.kind ?? 'unknown');
}

function claimState(body: unknown): string {
  const { released, current } = parsed(body) as {
    released?: boolean;
    current?: { submitted: boolean; ended?: unknown; epoch: number } | null;
  };
  if (released === true) return 'released';
  if (current?.ended !== undefined) return 'ended';
  return current?.submitted === true ? 'submitted' : 'claimed';
}

function servingPhase(body: unknown): string {
  const { phase, job } = parsed(body) as { phase?: string; job?: unknown };
  return phase === 'launching' && job !== null ? 'launching, job known' : (phase ?? 'unknown');
}

/** The kind of an object, by its key and, where several moments write one key, by what is written. */
export function objectSite(key: string, body?: unknown): string {
  const [folder, , , third] = key.split('/');
  switch (folder) {
    case 'endpoints':
      return key.includes('/history/') ? `endpoint history ${endpointMove(body)}` : `endpoint ${endpointMove(body)}`;
    case 'serving':
      return `serving record ${servingPhase(body)}`;
    case 'models':
      return `registry ${key.split('/')[2] ?? ''}`;
    case 'datasets':
      return key.split('/')[2] === 'latest' ? 'dataset latest' : `dataset ${third ?? ''}`;
    case 'jobs':
      if (last(key) === 'claim.json') return `claim ${stepOf(key)} ${claimState(body)}`;
      return `job ${stepOf(key)} ${key.includes('/checkpoints/') ? 'checkpoint' : last(key)}`;
    case 'runs':
      return `run record ${String((parsed(body)['state'] as { status?: string } | undefined)?.status ?? parsed(body)['status'])}`;
    default:
      return folder === 'v0' ? 'large payload' : `${folder ?? ''} ${last(key)}`;
  }
}

/** Of a job on a host. */
export const jobSite = (verb: string, { key }: { key: string }): string => `compute.${verb} ${stepOf(key)}`;
