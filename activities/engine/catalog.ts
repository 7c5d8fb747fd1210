// What a worker can run by name: its DAGs and its tasks, in one namespace.

import type { Dag } from '../../dag/dag.js';
import { sealGraph } from '../../dag/digest.js';
import { SystemError } from '../../dag/failures.js';
import type { Graph } from '../../dag/graph.js';
import { childFields, type Task } from '../../dag/task.js';

export interface Catalog {
  readonly dags: ReadonlyMap<string, Dag>;
  readonly tasks: ReadonlyMap<string, Task>;
}

/** Tasks of the DAGs count as given. Throws `InvalidInput` with one sentence where two things have one name. */
export function catalogOf(dags: readonly Dag[], tasks: readonly Task[] = []): Catalog {
  const byName = { dags: new Map<string, Dag>(), tasks: new Map<string, Task>() };
  for (const dag of dags) {
    const namesake = byName.dags.get(dag.name);
    if (namesake !== undefined && namesake !== dag) throw duplicate(dag.name, 'two DAGs are');
    byName.dags.set(dag.name, dag);
  }
  for (const task of [...tasks, ...dags.flatMap((dag) => dag.tasks)]) {
    const namesake = byName.tasks.get(task.name);
    if (namesake !== undefined && namesake !== task) throw duplicate(task.name, 'two tasks are');
    if (byName.dags.has(task.name)) throw duplicate(task.name, 'a DAG and a task are both');
    byName.tasks.set(task.name, task);
  }
  return byName;
}

const duplicate = (name: string, who: string): SystemError =>
  new SystemError(
    'InvalidInput',
    `${who} named ${JSON.stringify(name)}, and a run is started by that name: rename one of them`,
  );

/** All names, sorted. */
export const namesOf = ({ dags, tasks }: Catalog): string[] => [...dags.keys(), ...tasks.keys()].sort();

/** The graph of a task that is started by itself: one step, whose input is what the run's parameters came to. */
export const graphOfTask = (task: Task): Graph =>
  sealGraph({
    schema: 1,
    name: task.name,
    steps: [
      {
        id: task.name,
        kind: task.kind,
        task: task.contract,
        ...childFields(task),
        input: { kind: 'reference', path: ['params'] },
        upstream: [],
        triggerRule: 'all_success',
        ...task.limits,
      },
    ],
    output: { kind: 'reference', path: ['steps', task.name] },
  });
