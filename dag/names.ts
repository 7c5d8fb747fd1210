// The rules for names of DAGs, tasks and steps: they become workflow types, workflow ids, S3 keys and file names.

import { SystemError } from './failures.js';

const maxNameLength = 100;
const namePattern = /^[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?$/;

/** Workflow types of Pawl's own, which would run in place of a DAG or a task of that name, and names kept free for more. */
const ownWorkflows: ReadonlySet<string> = new Set([
  'requestRollout',
  'rollout',
  'dag-run',
  'pool',
  'asset',
  'backfill',
]);

/** Words that lead a reference's path, and would make its printed form ambiguous. */
const referenceRoots: ReadonlySet<string> = new Set(['params', 'steps', 'run']);

export type NamedThing = 'DAG' | 'task' | 'step';

/** Why a name cannot be had, as the end of a sentence; `undefined` where it can. */
export function nameProblem(thing: NamedThing, name: string): string | undefined {
  if (name === '') return 'it is empty';
  if (name.length > maxNameLength) return `it has ${name.length} characters, and ${maxNameLength} are the most`;
  if (!namePattern.test(name) || name.includes('..')) {
    return "use letters, digits, and '-', '_' or '.' between them: the name becomes a workflow id and an S3 key";
  }
  if (name in Object.prototype) return 'JavaScript has a meaning of its own for it';
  if (thing === 'step') return referenceRoots.has(name) ? 'it leads the path of references' : undefined;
  return ownWorkflows.has(name) ? 'a workflow of Pawl itself has it' : undefined;
}

/** Throws `InvalidInput` for a name that Temporal or S3 could not hold, or that means something else already. */
export function checkName(thing: NamedThing, name: string): void {
  const problem = nameProblem(thing, name);
  if (problem !== undefined) {
    throw new SystemError('InvalidInput', `the ${thing} name ${JSON.stringify(name)} cannot be used: ${problem}`);
  }
}
