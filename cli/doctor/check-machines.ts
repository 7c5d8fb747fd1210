// Hosts for jobs, gateways and Python, as `pawl doctor` sees them.

import { fetch } from 'undici';
import { findPython } from '../../deploy/embedded/find-python.js';
import type { Places } from '../../systems/compute/port.js';
import { summarize } from '../../workers/project-summary.js';
import { size } from '../format.js';
import type { Session } from '../session.js';
import { findingsOf, type Finding } from './finding.js';

/** Every host of every compute system, with its places. */
export async function checkComputes(session: Session): Promise<Finding[]> {
  const { compute } = await session.systems();
  const found = await Promise.all(
    compute.names.map((name) => {
      const system = `compute ${name}`;
      return findingsOf(system, async () =>
        (await compute.get(name).capacity()).map(({ host, declared, free, reachable }): Finding =>
          reachable
            ? { system, state: 'good', explanation: `host ${host} has ${placesOf(free, declared)}` }
            : {
                system,
                state: 'away',
                explanation: `host ${host} does not answer: is it up, and does its host key match?`,
              },
        ),
      );
    }),
  );
  return found.flat();
}

function placesOf(free: Places, declared: Places): string {
  if (declared.gpus === 0) return `${size(free.memoryBytes)} free of ${size(declared.memoryBytes)}, and no GPU`;
  const places = ({ gpus, memoryBytes }: Places): string =>
    `${gpus === 0 ? 'no GPU' : gpus === 1 ? '1 GPU' : `${gpus} GPUs`} and ${size(memoryBytes)}`;
  return `${places(free)} free of ${places(declared)}`;
}

/** Every gateway of PAWL_ROUTERS or the configuration. */
export async function checkRouters(session: Session): Promise<Finding[]> {
  const { routers, environment } = await session.settings();
  if (routers.length === 0)
    return [
      {
        system: 'gateway',
        state: 'hint',
        explanation:
          'none is named, so nothing can be rolled out: set PAWL_ROUTERS to the admin addresses of the gateways',
      },
    ];
  const token = process.env['PAWL_GATEWAY_TOKEN'];
  return Promise.all(
    routers.map(async (url): Promise<Finding> => {
      const system = 'gateway';
      try {
        const response = await fetch(new URL('/health', url), {
          headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
          signal: AbortSignal.timeout(5_000),
        });
        const health = (await response.json()) as { environment?: unknown; ready?: unknown };
        if (response.status === 401)
          return {
            system,
            state: 'wrong',
            explanation: `${url} refuses the token: PAWL_GATEWAY_TOKEN must be the same here and there`,
          };
        if (health.environment !== environment)
          return {
            system,
            state: 'wrong',
            explanation: `${url} serves environment ${String(health.environment)}, and not ${environment}`,
          };
        if (health.ready !== true)
          return {
            system,
            state: 'wrong',
            explanation: `${url} answers, and has not read the endpoints yet: can it reach S3?`,
          };
        return { system, state: 'good', explanation: `${url} answers and follows the endpoints` };
      } catch {
        return {
          system,
          state: 'away',
          explanation: `${url} does not answer: does "pawl gateway" run there, and is this its admin address?`,
        };
      }
    }),
  );
}

/** Python runs the supervisor of this machine's jobs, and Pawl's own trainer where a model uses it. */
export async function checkPython(session: Session): Promise<Finding[]> {
  const [settings, project] = await Promise.all([session.settings(), session.project()]);
  if (!Object.values(settings.compute).some(({ kind }) => kind === 'local')) return [];
  const given = process.env['PAWL_PYTHON'];
  if (given !== undefined) return [{ system: 'Python', state: 'good', explanation: `${given}, as PAWL_PYTHON says` }];
  const python = await findPython();
  const packages = summarize(project).needsJobPython ? '; "pawl dev" installs the packages for training beside it' : '';
  return [{ system: 'Python', state: 'good', explanation: `${python}${packages}` }];
}

export async function checkProject(session: Session): Promise<Finding[]> {
  const { dags, models } = summarize(await session.project());
  const list = (names: readonly string[], kind: string): string =>
    `${names.length} ${kind}${names.length === 1 ? '' : 's'}`;
  const from = (await session.local()) === undefined ? 'pawl dev does not run here' : 'pawl dev runs here';
  const { environment } = await session.settings();
  return [
    {
      system: 'project',
      state: 'good',
      explanation: `${session.root}: ${list(dags, 'pipeline')}, ${list(models, 'model')}, environment ${environment}; ${from}`,
    },
  ];
}
