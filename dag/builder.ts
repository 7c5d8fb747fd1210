// Records the steps of one DAG while its author wires them, and makes the graph of them at the end.

import type { Check } from './condition.js';
import { sealGraph } from './digest.js';
import { SystemError } from './failures.js';
import type { Binding, Graph, Step, TriggerRule } from './graph.js';
import { triggerRules } from './graph.js';
import { checkGraph, sortSteps } from './graph-check.js';
import type { LimitOptions } from './limits.js';
import { applyLimits } from './limits.js';
import { checkName } from './names.js';
import type { Placeholder, Reference, ReferenceOwner, Wired } from './reference.js';
import { createReference, originOf, pathText } from './reference.js';
import { withScopes } from './setup-scope.js';
import type { InputOf, OutputOf, Task } from './task.js';
import { childFields } from './task.js';
import { bindingOf, conditionOf } from './wiring.js';

type StepReference = Placeholder<unknown>;
type OneOrMore<T> = T | readonly T[];

export interface StepOptions extends LimitOptions {
  /** The task's name unless set; needed where a task is used twice. */
  readonly id?: string;
  /** Steps to wait for, beside those that the input and the condition refer to. */
  readonly after?: OneOrMore<StepReference>;
  /** Once the trigger rule is met: the step runs where this holds, and is skipped where it does not. */
  readonly when?: Check;
  /** `all_success` unless set. */
  readonly triggerRule?: TriggerRule;
  /** The worker's own unless set. */
  readonly taskQueue?: string;
  /** Makes it a setup: what lies between it and its teardown runs only where it succeeded. */
  readonly setup?: true;
  /**
   * Makes it the teardown of these setups: it runs once everything in between is done, whatever became of it, cancellation
   * included, provided a setup succeeded. In between is all that comes after its setups, or what `after` names.
   */
  readonly teardownOf?: OneOrMore<StepReference>;
}

export type StepFunction = <T extends Task>(
  task: T,
  input: Wired<InputOf<T>>,
  options?: StepOptions,
) => Reference<OutputOf<T>>;

export interface BuiltGraph {
  readonly graph: Graph;
  readonly tasks: readonly Task[];
}

export class GraphBuilder {
  readonly owner: ReferenceOwner;
  private readonly steps = new Map<string, Step>();
  private readonly tasks = new Map<string, Task>();
  /** Teardowns that did not say what they come after. */
  private readonly openTeardowns = new Set<string>();
  private closed = false;

  constructor(dagName: string) {
    this.owner = { dag: dagName };
  }

  readonly step: StepFunction = (task, input, options = {}) => {
    const id = options.id ?? task.name;
    const where = `DAG ${this.owner.dag}, step ${id}`;
    this.checkStep(id, task, where);
    const uses = new Set<string>();
    const binding = bindingOf(input ?? null, { owner: this.owner, where: `${where}: its input`, uses });
    const when =
      options.when && conditionOf(options.when, { owner: this.owner, where: `${where}: its condition`, uses });
    const after = this.stepIds(options.after, `${where}: after`);
    const teardownOf = this.stepIds(options.teardownOf, `${where}: teardownOf`);
    const triggerRule = this.triggerRule(options, where);
    for (const setup of teardownOf) {
      if (this.steps.get(setup)?.setup !== true) {
        throw new SystemError(
          'InvalidInput',
          `${where} is the teardown of ${setup}, which is not a setup: give that step { setup: true }`,
        );
      }
    }
    if (teardownOf.length > 0 && after.length === 0) this.openTeardowns.add(id);
    this.tasks.set(task.name, task);
    this.steps.set(id, {
      id,
      kind: task.kind,
      task: task.contract,
      ...childFields(task),
      input: binding,
      upstream: [...new Set([...uses, ...after, ...teardownOf])],
      ...(when === undefined ? {} : { when }),
      triggerRule,
      ...(options.setup === true ? { setup: true } : {}),
      ...(teardownOf.length > 0 ? { teardownOf } : {}),
      ...applyLimits(task.limits, options, where),
      ...(options.taskQueue === undefined ? {} : { taskQueue: options.taskQueue }),
    });
    return createReference(this.owner, ['steps', id]);
  };

  /** The graph of all that was wired. `output` is what the DAG returns. */
  finish(output: unknown): BuiltGraph {
    const { dag } = this.owner;
    if (output instanceof Promise) {
      throw new SystemError(
        'InvalidInput',
        `DAG ${dag}: its builder is async; wire the steps without waiting for anything`,
      );
    }
    this.closed = true;
    if (this.steps.size === 0)
      throw new SystemError('InvalidInput', `DAG ${dag} has no steps: call step() in its builder`);
    const bound: Binding = bindingOf(output ?? null, {
      owner: this.owner,
      where: `DAG ${dag}: its output`,
      uses: new Set(),
    });
    const steps = sortSteps(dag, withScopes(dag, [...this.steps.values()], this.openTeardowns));
    const graph = sealGraph({ schema: 1, name: dag, steps, output: bound });
    checkGraph(graph);
    return { graph, tasks: [...this.tasks.values()] };
  }

  private checkStep(id: string, task: Task, where: string): void {
    if (this.closed) {
      throw new SystemError(
        'InvalidInput',
        `${where} was added after the DAG was built: call step() only while its builder runs`,
      );
    }
    checkName('step', id);
    if (this.steps.has(id)) {
      throw new SystemError(
        'InvalidInput',
        `${where}: another step has this id; give one of them an id of its own: step(task, input, { id })`,
      );
    }
    const namesake = this.tasks.get(task.name);
    if (namesake !== undefined && namesake !== task) {
      throw new SystemError(
        'InvalidInput',
        `${where}: another task of this DAG is named ${task.name} too: rename one of them`,
      );
    }
    if (task.name === this.owner.dag) {
      throw new SystemError(
        'InvalidInput',
        `${where}: its task has the DAG's own name, and they share one namespace: rename one of them`,
      );
    }
  }

  private triggerRule({ triggerRule, teardownOf, setup }: StepOptions, where: string): TriggerRule {
    if (triggerRule !== undefined && !triggerRules.includes(triggerRule)) {
      throw new SystemError(
        'InvalidInput',
        `${where}: ${String(triggerRule)} is not a trigger rule; those are ${triggerRules.join(', ')}`,
      );
    }
    if (teardownOf !== undefined && (triggerRule !== undefined || setup === true)) {
      throw new SystemError(
        'InvalidInput',
        `${where} is a teardown, which has a trigger rule of its own and cannot be a setup too`,
      );
    }
    return triggerRule ?? (teardownOf === undefined ? 'all_success' : 'all_done');
  }

  private stepIds(references: OneOrMore<StepReference> | undefined, where: string): readonly string[] {
    if (references === undefined) return [];
    // A reference looks like anything when asked, so it is told from a list by its origin.
    const list = originOf(references) === undefined ? (references as readonly StepReference[]) : [references];
    return list.map((reference) => {
      const origin = originOf(reference);
      if (origin === undefined || origin.path[0] !== 'steps') {
        const what = origin === undefined ? 'something that is no reference' : pathText(origin.path);
        throw new SystemError('InvalidInput', `${where} names ${what}: give what step() returned`);
      }
      if (origin.owner !== this.owner) {
        throw new SystemError(
          'InvalidInput',
          `${where} names step ${String(origin.path[1])} of another DAG (${origin.owner.dag})`,
        );
      }
      return String(origin.path[1]);
    });
  }
}
