// Writes the run record while the run goes on: at its start, every ten seconds or more while something changes, and at its end.

import { ApplicationFailure, ActivityFailure } from '@temporalio/common';
import { CancellationScope, isCancellation, log, proxyActivities, sleep, workflowInfo } from '@temporalio/workflow';
import type { EngineActivities } from '../../activities/engine/protocol.js';
import type { RunRecordHead, RunRecordState } from '../../activities/engine/run-record-schema.js';
import type { LiveState } from './live-state.js';

/** A record costs a dozen events of the 51,200 that a run may have. In this way ten days of them are 900 records. */
export const recordIntervalMs = (elapsedMs: number): number => Math.max(10_000, elapsedMs / 100);

// A bucket that is away for longer than this costs the record's last lines, never the run.
const [interimDeadlineMs, lastDeadlineMs] = [60_000, 10 * 60_000];

const writer = (deadlineMs: number) =>
  proxyActivities<EngineActivities>({
    startToCloseTimeout: '30 seconds',
    heartbeatTimeout: '10 seconds',
    scheduleToCloseTimeout: deadlineMs,
    retry: { initialInterval: '500 milliseconds', maximumInterval: '30 seconds' },
    summary: 'run record',
  });

export class RecordKeeper {
  private sequence = 0;
  private stored = false;
  private closed = false;
  private readonly timer = new CancellationScope();
  private loop: Promise<void> | undefined;
  private wake: (() => void) | undefined;

  constructor(
    private readonly head: RunRecordHead,
    private readonly live: LiveState,
  ) {}

  /** Starts writing beside the run. */
  open(): void {
    this.loop = this.keepWriting();
  }

  /** To be called after changes of the live state. */
  changed(): void {
    this.wake?.();
  }

  /** Ends the writing with a last record; never throws. */
  async close(state: RunRecordState): Promise<void> {
    this.closed = true;
    this.timer.cancel();
    this.wake?.();
    await this.loop;
    await this.write(state);
  }

  private async keepWriting(): Promise<void> {
    while (!this.closed) {
      await this.write({ status: 'running' });
      if (this.closed) return;
      await this.pause();
      if (!this.closed && !this.live.dirty) await new Promise<void>((resolve) => (this.wake = resolve));
    }
  }

  private async pause(): Promise<void> {
    const elapsedMs = Date.now() - workflowInfo().startTime.getTime();
    try {
      await this.timer.run(() => sleep(recordIntervalMs(elapsedMs), { summary: 'until the next run record' }));
    } catch (error) {
      if (!isCancellation(error)) throw error;
    }
  }

  private async write(state: RunRecordState): Promise<void> {
    try {
      if ((await this.send(state)) === 'missing') {
        this.stored = false;
        await this.send(state);
      }
    } catch (error) {
      const failure = error instanceof ActivityFailure ? error.cause : error;
      this.stored = false;
      log.warn('the run record could not be written', {
        problem: failure instanceof Error ? failure.message : String(failure),
        type: failure instanceof ApplicationFailure ? failure.type : undefined,
      });
    }
  }

  private async send(state: RunRecordState) {
    const { run } = this.head;
    const whole = !this.stored;
    const steps = whole ? this.live.takeAll() : this.live.takeChanged();
    const answer = await writer(state.status === 'running' ? interimDeadlineMs : lastDeadlineMs).writeRunRecord({
      environment: run.environment,
      dag: run.dag,
      runId: run.runId,
      sequence: ++this.sequence,
      ...(whole ? { head: this.head } : {}),
      state,
      steps,
    });
    if (answer === 'written') this.stored = true;
    return answer;
  }
}
