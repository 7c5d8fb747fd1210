// Why an endpoint was changed, as its history tells it. A run that nobody gave a reason says only its name and time, which tells
// nobody anything: then which run it was, and what the gate said of the version that it brought.

import type { EndpointState } from '../systems/endpoint/state.js';
import type { ModelVersion, Registry } from '../systems/registry/port.js';
import { printable } from './style.js';
import { verdictOf } from './version-text.js';

/** What a rollout says by itself: `model-lifecycle of 2026-11-08T14:32:05.000Z`. */
const byItself = /^(\S+) of \d{4}-\d{2}-\d{2}T[\d:.]+Z$/;

type Versions = Pick<Registry, 'version'>;

/** One text for each state, in their order. A version that cannot be read leaves its part out. */
export async function reasonsOf(
  versions: Versions,
  model: string,
  states: readonly EndpointState[],
): Promise<string[]> {
  const read = new Map<number, Promise<ModelVersion | undefined>>();
  const versionOf = (number: number): Promise<ModelVersion | undefined> => {
    const reading = read.get(number) ?? versions.version(model, number).catch(() => undefined);
    read.set(number, reading);
    return reading;
  };
  return Promise.all(
    states.map(async (state) => {
      const about = state.challenger ?? state.champion;
      const isBare = byItself.test(state.change.reason);
      return describeReason(state, !isBare || about === null ? undefined : await versionOf(about));
    }),
  );
}

/** `version`: the one that the change is about. Pure. */
function describeReason({ change, operationId }: EndpointState, version?: ModelVersion): string {
  const [, dag] = byItself.exec(change.reason) ?? [];
  if (dag === undefined) return printable(change.reason);
  const lineage = version?.lineage;
  // A version may be rolled out by another run than the one that made it.
  const run = lineage !== undefined && operationId.startsWith(lineage.runId) ? lineage.workflowId : dag;
  // Whoever had no name of its own is named by the run.
  const parts = [run === change.by ? '' : `run ${run}`, version === undefined ? '' : verdictOf(version)];
  return printable(parts.filter((part) => part !== '').join(': ')) || `run ${dag}`;
}
