import { readFile, readdir } from 'node:fs/promises';
import { historyFromJSON } from '@temporalio/common/lib/proto-utils.js';
import { DeterminismViolationError } from '@temporalio/workflow';
import { Worker, type ReplayWorkerOptions } from '@temporalio/worker';
import { pino } from 'pino';
import { describe, expect, it } from 'vitest';
import { workflowBundlePath } from '../../workers/bundle.js';
import { installRuntime } from '../../workers/runtime.js';
import { scenarios } from './scenarios.js';

installRuntime(pino({ level: 'fatal' }));

const folder = new URL('histories/', import.meta.url);
const names = (await readdir(folder))
  .filter((file) => file.endsWith('.json'))
  .map((file) => file.slice(0, -'.json'.length));
const options: ReplayWorkerOptions = { workflowBundle: { codePath: await workflowBundlePath() } };

const textOf = (name: string) => readFile(new URL(`${name}.json`, folder), 'utf8');
const replay = (name: string, text: string) =>
  Worker.runReplayHistory(options, historyFromJSON(JSON.parse(text)), name);

describe('the workflow code of today', () => {
  it.each(names)('replays the recorded history %s', async (name) => {
    await replay(name, await textOf(name));
  });

  it('has a recorded history of each way in which a run can go', () => {
    expect(names).toEqual(expect.arrayContaining(scenarios.map(({ name }) => name)));
  });

  it('is found out where it does not do what a history says', async () => {
    const text = await textOf('dag-run-succeeded');
    const tampered = text.replaceAll('"name":"train:submit"', '"name":"train:resubmit"');
    expect(tampered).not.toBe(text);
    await expect(replay('dag-run-succeeded', tampered)).rejects.toBeInstanceOf(DeterminismViolationError);
  });
});
