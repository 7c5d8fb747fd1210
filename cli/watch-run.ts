// Follows a run until it ends: a table that is drawn anew on a terminal, a line for every change elsewhere. Woken by Temporal.

import { setTimeout as sleep } from 'node:timers/promises';
import { isGrpcServiceError } from '@temporalio/client';
import type { PawlClient } from '../client/client.js';
import { whenTold } from './format.js';
import type { Output } from './output.js';
import type { RunReader } from './read-run.js';
import { changesBetween, drawRun, progressLines, type RunView } from './run-view.js';

/** A long poll that Temporal answers after 20 s at the latest. */
const longPollMs = 60_000;
/** Retries of a step's attempts, and a rollout, are no events of the run itself. */
const lookAtLeastEveryMs = 3_000;
/** Many events together are one look. */
const settleMs = 150;
const redrawEveryMs = 500;
/** In a log, how far it is is said after so much silence. */
const plainEveryMs = 15_000;

/** Answers how it ended. */
export async function watchRun(reader: RunReader, workflowId: string, output: Output): Promise<RunView> {
  const woken = new Bell();
  const done = new AbortController();
  const listening = listen(reader.client, workflowId, { bell: woken, signal: done.signal });
  const screen = new Screen(output);
  const redraw = setInterval(() => screen.draw(), redrawEveryMs);
  try {
    for (;;) {
      const view = await reader.read(workflowId);
      screen.show(view);
      if (view.outcome !== 'running') return view;
      await woken.wait(lookAtLeastEveryMs);
      await sleep(settleMs);
    }
  } finally {
    clearInterval(redraw);
    done.abort();
    await listening;
  }
}

class Bell {
  #ring: () => void = () => undefined;
  #rung = false;

  ring(): void {
    this.#rung = true;
    this.#ring();
  }

  async wait(atMostMs: number): Promise<void> {
    if (!this.#rung) {
      const timeout = new AbortController();
      await Promise.race([
        new Promise<void>((resolve) => {
          this.#ring = resolve;
        }),
        sleep(atMostMs, undefined, { signal: timeout.signal }).catch(() => undefined),
      ]);
      timeout.abort();
    }
    this.#rung = false;
  }
}

/** Rings whenever the run's history has grown. */
async function listen(
  client: PawlClient,
  workflowId: string,
  { bell, signal }: { bell: Bell; signal: AbortSignal },
): Promise<void> {
  const { connection, workflowService, options } = client.temporal;
  let nextPageToken: Uint8Array | undefined;
  // The SDK leaves a listener on each signal that it is given, so each poll has one of its own.
  let poll = new AbortController();
  signal.addEventListener('abort', () => poll.abort(), { once: true });
  while (!signal.aborted) {
    poll = new AbortController();
    try {
      const answer = await connection.withAbortSignal(poll.signal, () =>
        connection.withDeadline(Date.now() + longPollMs, () =>
          workflowService.getWorkflowExecutionHistory({
            namespace: options.namespace,
            execution: { workflowId },
            waitNewEvent: true,
            skipArchival: true,
            ...(nextPageToken === undefined ? {} : { nextPageToken }),
          }),
        ),
      );
      bell.ring();
      if (answer.nextPageToken == null || answer.nextPageToken.length === 0) return;
      nextPageToken = answer.nextPageToken;
    } catch (error) {
      if (signal.aborted || !isGrpcServiceError(error)) return;
      await sleep(1_000);
    }
  }
}

class Screen {
  #last: RunView | undefined;
  #height = 0;
  #toldMs = 0;

  constructor(readonly output: Output) {}

  show(view: RunView): void {
    if (this.output.live) {
      this.#last = view;
      this.draw();
    } else {
      const now = new Date();
      const changes = changesBetween(this.#last, view, now);
      const isQuiet = changes.length === 0 && performance.now() - this.#toldMs > plainEveryMs;
      const told = isQuiet ? progressLines(view).map((text) => ({ at: now, text })) : changes;
      for (const { at, text } of told) this.output.line(`${whenTold(at, now)}  ${text}`);
      if (isQuiet || changes.length > 0) this.#toldMs = performance.now();
      this.#last = view;
    }
  }

  draw(): void {
    const { output } = this;
    if (!output.live || this.#last === undefined) return;
    // Its own end, and what the shell says next, stay in sight.
    const height = Math.max(4, process.stdout.rows - 2);
    const lines = drawRun(this.#last, { style: output.style, now: new Date(), columns: output.columns - 1, height });
    const up = this.#height === 0 ? '' : `\x1b[${this.#height}A`;
    process.stdout.write(`${up}\x1b[J${lines.map((line) => `${line}\n`).join('')}`);
    this.#height = lines.length;
  }
}
