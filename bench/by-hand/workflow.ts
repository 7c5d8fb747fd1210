// The same seven stages as a Temporal workflow written by hand: validation where it costs least, the same record at start and end.

import { proxyActivities, workflowInfo } from '@temporalio/workflow';
import type { RunRecordState, StepRecord } from '../../activities/engine/run-record-schema.js';
import type { Graph } from '../../dag/graph.js';
import type { ByHandActivities } from './activities.js';
import { params } from './tasks.js';

const tasks = proxyActivities<ByHandActivities>({ startToCloseTimeout: '1 minute', retry: { maximumAttempts: 3 } });

/** There is no graph to keep, so its place in the record is as good as empty. */
const graph: Graph = { schema: 1, name: 'by-hand', digest: '', steps: [], output: { kind: 'literal', value: null } };

export async function sevenStepsByHand(input: unknown): Promise<{ outcome: string }> {
  const { model, source, epochs } = params.parse(input);
  const { workflowId, runId, workflowType } = workflowInfo();
  const startedAt = new Date().toISOString();
  const steps: Record<string, StepRecord> = {};
  const run = {
    dag: workflowType,
    environment: 'bench',
    workflowId,
    runId,
    logicalDate: startedAt,
    trigger: 'manual' as const,
  };
  const head = { run, graph, model, params: { model, source, epochs }, dryRun: false, startedAt };
  const record = (sequence: number, state: RunRecordState) =>
    tasks.writeRunRecord({
      environment: run.environment,
      dag: run.dag,
      runId,
      sequence,
      ...(sequence === 1 ? { head } : {}),
      state,
      steps,
    });
  const noted = async <T>(name: string, doing: Promise<T>): Promise<T> => {
    const begunAt = new Date().toISOString();
    const output = await doing;
    steps[name] = {
      status: 'success',
      startedAt: begunAt,
      endedAt: new Date().toISOString(),
      attempts: 1,
      output: { value: output as never },
    };
    return output;
  };

  const opened = record(1, { status: 'running' });
  const dataset = await noted('prepare', tasks.prepare({ source }));
  const artifact = await noted('train', tasks.train({ dataset, epochs }));
  const metrics = await noted('evaluate', tasks.evaluate({ artifact, dataset }));
  const verdict = await noted('judge', tasks.judge({ metrics }));
  const version = await noted('enrol', tasks.enrol({ model, artifact, verdict }));
  const rollout = await noted('deploy', tasks.deploy({ version }));
  const { outcome } = await noted('announce', tasks.announce({ rollout }));
  await opened;
  await record(2, { status: 'completed', outcome, endedAt: new Date().toISOString() });
  return { outcome };
}
