// Why an endpoint was changed, as its history tells it. A run that nobody gave a reason says only its name and time, which tells
// nobody anything: then which run it was, and what the gate said of the version that it made.

import { runRecord } from '../activities/engine/run-record-schema.js';
import type { EndpointState } from '../systems/endpoint/state.js';
import { readJson } from '../systems/object-store/json-object.js';
import { runKey } from '../systems/object-store/keys.js';
import type { ObjectStore } from '../systems/object-store/port.js';
import type { ModelVersion, Registry } from '../systems/registry/port.js';
import { printable } from './style.js';
import { verdictOf } from './version-text.js';

/** What a rollout says by itself: `model-lifecycle of 2026-11-08T14:32:05.000Z`. */
const byItself = /^(\S+) of \d{4}-\d{2}-\d{2}T[\d:.]+Z$/;

interface Systems {
  readonly registry: Pick<Registry, 'version'>;
  /** Where the runs' records are. */
  readonly objects: ObjectStore;
}

/** One text for each state, in their order. What cannot be read leaves its part out. */
export async function reasonsOf(systems: Systems, model: string, states: readonly EndpointState[]): Promise<string[]> {
  const read = new Map<number, Promise<ModelVersion | undefined>>();
  const versionOf = (number: number): Promise<ModelVersion | undefined> => {
    const reading = read.get(number) ?? systems.registry.version(model, number).catch(() => undefined);
    read.set(number, reading);
    return reading;
  };
  return Promise.all(states.map((state) => reasonOf(state, systems.objects, versionOf)));
}

async function reasonOf(
  state: EndpointState,
  objects: ObjectStore,
  versionOf: (number: number) => Promise<ModelVersion | undefined>,
): Promise<string> {
  const { change } = state;
  const [, dag] = byItself.exec(change.reason) ?? [];
  if (dag === undefined) return printable(change.reason);
  const about = state.challenger ?? state.champion;
  const version = about === null ? undefined : await versionOf(about);
  const runId = firstRunIdOf(state);
  // What another run made, or made first, was judged there and then: it says nothing of this one.
  const isMaker = version !== undefined && version.lineage.runId === runId;
  const workflowId = isMaker ? version.lineage.workflowId : await workflowIdOf(state, objects, { dag, runId });
  // Whoever had no name of its own is named by the run.
  const parts = [workflowId === change.by ? '' : `run ${workflowId}`, isMaker ? verdictOf(version) : ''];
  return printable(parts.filter((part) => part !== '').join(': ')) || `run ${dag}`;
}

/** Of the run that asked for it: its step's key begins the operation's id. */
const firstRunIdOf = ({ operationId }: EndpointState): string => operationId.split('.')[0] ?? '';

/** From the run's record; where that is gone, what else it can be found by. */
async function workflowIdOf(
  { environment }: EndpointState,
  objects: ObjectStore,
  { dag, runId }: { readonly dag: string; readonly runId: string },
): Promise<string> {
  const found = await readJson(objects, runKey(environment, dag, runId), runRecord).catch(() => undefined);
  return found?.value.run.workflowId ?? `${dag} ${runId}`;
}
