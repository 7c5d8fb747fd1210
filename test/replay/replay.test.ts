import { readFile, readdir } from 'node:fs/promises';
import type { Client } from '@temporalio/client';
import { historyFromJSON } from '@temporalio/common/lib/proto-utils.js';
import { DeterminismViolationError } from '@temporalio/workflow';
import { Worker, type ReplayWorkerOptions } from '@temporalio/worker';
import { pino } from 'pino';
import { describe, expect, it } from 'vitest';
import { createRolloutActivities } from '../../activities/rollout/rollout-activities.js';
import type { Systems } from '../../systems/systems.js';
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
const texts = await Promise.all(names.map(textOf));
const replay = (name: string, text: string) =>
  Worker.runReplayHistory(options, historyFromJSON(JSON.parse(text)), name);

describe('the workflow code of today', () => {
  it.each(names)('replays the recorded history %s', async (name) => {
    await replay(name, await textOf(name));
  });

  it.each([
    ['dag-run-succeeded', 'train:submit', 'train:resubmit'],
    ['rollout-promoted', 'mirrorAliases', 'clearAliases'],
    ['request-rollout-promoted', 'beginRollout', 'endRollout'],
  ])('is found out where it does not do what the history %s says', async (name, activity, other) => {
    const text = await textOf(name);
    const tampered = text.replaceAll(`"name":"${activity}"`, `"name":"${other}"`);
    expect(tampered).not.toBe(text);
    await expect(replay(name, tampered)).rejects.toBeInstanceOf(DeterminismViolationError);
  });
});

describe('the recorded histories', () => {
  it('are there for each way in which a run, a rollout and a request for one can go', () => {
    const wanted = scenarios.flatMap((scenario) => scenario.names);
    expect(wanted.filter((name) => !names.includes(name))).toEqual([]);
  });

  const activities = createRolloutActivities({ systems: {} as Systems, client: {} as Client });
  const messages = ['begin', 'promote', 'pause', 'resume', 'abort', 'withdraw', 'rolloutFinished'];
  it.each([...Object.keys(activities), ...messages])('have %s of a rollout among them', (name) => {
    const named = [`"name":"${name}"`, `"signalName":"${name}"`];
    expect(texts.some((text) => named.some((part) => text.includes(part)))).toBe(true);
  });

  it('hold nothing of the machine that they were recorded on', () => {
    const telling = /"(?:identity|stackTrace)":"[^"]|[/\\](?:home|root|tmp|Users|var)[/\\]/;
    const isTelling = (text: string) =>
      telling.test(text.replaceAll(/(?<="data":")[^"]*/g, (data) => Buffer.from(data, 'base64').toString()));
    expect(names.filter((_, index) => isTelling(texts[index] ?? ''))).toEqual([]);
  });
});
