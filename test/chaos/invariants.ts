// What must hold once a run has ended and nothing is left to do, whatever died in between. Each check answers what is wrong, one
// sentence each, and has been seen to find the broken builds named at it: broken-builds.ts makes them again.

import { readFile } from 'node:fs/promises';
import { jobClaim } from '../../activities/remote-job/claim.js';
import { findDisagreements } from '../../systems/endpoint/mirror-aliases.js';
import { readJson } from '../../systems/object-store/json-object.js';
import { jobsPrefix } from '../../systems/object-store/keys.js';
import type { JobListing } from '../../systems/compute/port.js';
import type { LifecycleWorld } from '../fixtures/lifecycle-world.js';
import { modelServers } from './model-servers.js';

/**
 * One claimed job for a step, let go of in the end; and, unless it may be begun anew, one epoch and one start of its program.
 * Seen to find: a submission that begins anew what it should join, a job that is never released.
 */
export async function jobsAreStartedOnce(
  world: LifecycleWorld,
  startsFile: string,
  mayResume = false,
): Promise<string[]> {
  const { objects } = world.systems;
  const wrong: string[] = [];
  const claims = new Set<string>();
  for await (const { key } of objects.list(jobsPrefix(world.environment))) {
    if (!key.endsWith('/claim.json')) continue;
    const claim = (await readJson(objects, key, jobClaim))?.value;
    if (claim === undefined) continue;
    claims.add(claim.key);
    if (claim.current === null) continue;
    if (claim.current.epoch !== 1 && !mayResume) wrong.push(`${claim.key} came to epoch ${claim.current.epoch}`);
    if (!claim.released) wrong.push(`${claim.key} was never released`);
    if (!claim.current.submitted) wrong.push(`${claim.key} ended without a submission`);
  }
  const starts = (await readFile(startsFile, 'utf8').catch(() => '')).split('\n').filter(Boolean);
  for (const start of new Set(starts)) {
    const times = starts.filter((other) => other === start).length;
    if (times > 1) wrong.push(`${start} was started ${times} times`);
  }
  if (new Set(starts).size > claims.size && !mayResume)
    wrong.push(`${starts.length} programs were started under ${claims.size} claims`);
  return wrong;
}

/** One version for an artifact, numbered without gaps. Seen to find: a registration that does not look the digest up. */
export async function versionsAreOneEach(world: LifecycleWorld): Promise<string[]> {
  const byDigest = new Map<string, number[]>();
  const numbers: number[] = [];
  for await (const { version, artifact } of world.systems.registry.versions(world.model)) {
    byDigest.set(artifact.digest, [...(byDigest.get(artifact.digest) ?? []), version]);
    numbers.push(version);
  }
  const wrong = [...byDigest].flatMap(([digest, versions]) =>
    versions.length > 1 ? [`artifact ${digest.slice(0, 12)} is versions ${versions.join(', ')}`] : [],
  );
  if (Math.max(0, ...numbers) !== numbers.length) wrong.push(`versions ${numbers.join(', ')} have gaps`);
  return wrong;
}

/**
 * Every state that an endpoint ever had: weights of 100 together, no generation missing, no trial decided twice.
 * Seen to find: states that are not recorded, a champion that keeps its weight beside the challenger's.
 */
export async function historyIsSound(world: LifecycleWorld): Promise<string[]> {
  const wrong: string[] = [];
  const decided = new Map<string, number>();
  let before = 0;
  let trial: string | null = null;
  for await (const state of world.systems.endpoints.history(world.model)) {
    const { generation, weights, change } = state;
    if (weights.champion + weights.challenger !== 100)
      wrong.push(`generation ${generation} has the weights ${weights.champion} and ${weights.challenger}`);
    if (generation !== before + 1) wrong.push(`generation ${generation} follows ${before}`);
    if (change.kind === 'promote' && trial !== null) decided.set(trial, (decided.get(trial) ?? 0) + 1);
    before = generation;
    trial = state.trial;
  }
  for (const [name, times] of decided) if (times > 1) wrong.push(`the trial ${name} was promoted ${times} times`);
  return wrong;
}

/**
 * At rest: nobody on trial, aliases as the endpoint, the gateways as the endpoint without being told once more.
 * Seen to find: the alias `previous` not mirrored, gateways that nobody tells of a commit.
 */
export async function endpointIsAtRest(world: LifecycleWorld): Promise<string[]> {
  const { endpoints, registry, serving } = world.systems;
  const state = (await endpoints.read(world.model))?.state;
  if (state === undefined) return [];
  const wrong = (await findDisagreements(registry, world.model, state)).map(
    ({ alias, inEndpoint, inRegistry }) =>
      `the alias ${alias} is ${inRegistry ?? 'nothing'}, and the endpoint's is ${inEndpoint ?? 'nothing'}`,
  );
  if (state.challenger !== null || state.trial !== null) wrong.push(`version ${state.challenger} is still on trial`);
  for (const router of await serving.routers()) {
    const generation = await generationAt(router.id, world.model);
    if (generation !== state.generation)
      wrong.push(`router ${router.id} follows generation ${generation}, and the endpoint is at ${state.generation}`);
  }
  return wrong;
}

/** What a gateway routes by; asking makes it read nothing. */
async function generationAt(adminUrl: string, model: string): Promise<number> {
  const { models } = (await (await fetch(`${adminUrl}/state`)).json()) as {
    models: readonly { model: string; generation: number }[];
  };
  return models.find((route) => route.model === model)?.generation ?? 0;
}

/**
 * No model server but the champion's, and no batch job: neither on the hosts' lists nor among this machine's processes.
 * Seen to find: a version that is retired on paper only.
 */
export async function nothingIsLeftBehind(world: LifecycleWorld): Promise<string[]> {
  const champion = (await world.endpoint())?.champion ?? null;
  const launched = await world.systems.serving.launched(world.model);
  const wrong = launched
    .filter((version) => version !== champion)
    .map((version) => `version ${version} is still launched beside champion ${champion}`);
  if (champion !== null && !launched.includes(champion)) wrong.push(`champion ${champion} is not launched`);
  const jobs: JobListing[] = [];
  for (const name of world.systems.compute.names)
    for await (const job of world.systems.compute.get(name).list()) jobs.push(job);
  const services = jobs.filter(({ kind, state }) => kind === 'service' && state.phase === 'running');
  if (services.length !== (champion === null ? 0 : 1))
    wrong.push(
      `${services.length} model servers run for champion ${champion}: ${services.map(({ key }) => key).join(', ')}`,
    );
  for (const { key, kind, state } of jobs)
    if (kind === 'batch') wrong.push(`the job ${key} is still on its host, ${state.phase}`);
  const processes = await modelServers(world.folder);
  if (processes.length !== services.length)
    wrong.push(`${processes.length} processes serve models, and the hosts know of ${services.length}`);
  return wrong;
}

/**
 * No request lost by Pawl: users were answered, and by versions alone. `counts` by `v<version> <status>`.
 * Seen to find: a gateway that cuts what is under way when a version retires, a version that is ended before its answers are.
 */
export function requestsAreAnswered(counts: ReadonlyMap<string, number>, mayFail: readonly number[] = []): string[] {
  return [...counts].flatMap(([answer, times]) => {
    const [version, status] = answer.split(' ');
    const isFine = status === '200' || mayFail.some((failing) => version === `v${failing}`);
    return isFine ? [] : [`${times} requests ended as ${answer}`];
  });
}

/**
 * Production moved forward by the run's version, or is where it was.
 * Seen to find: an abort that makes the challenger the champion.
 */
export async function productionMovedOneNotch(
  world: LifecycleWorld,
  run: { readonly outcome: string; readonly version: number | null; readonly championBefore: number | null },
): Promise<string[]> {
  const state = await world.endpoint();
  const champion = state?.champion ?? null;
  const wanted = run.outcome === 'promoted' ? run.version : run.championBefore;
  const known = ['promoted', 'rolled-back', 'rejected', 'unchanged'];
  return [
    ...(known.includes(run.outcome) ? [] : [`the run ended ${run.outcome}`]),
    ...(champion === wanted
      ? []
      : [`the run ended ${run.outcome}, and production serves ${champion} where ${wanted} was due`]),
  ];
}
