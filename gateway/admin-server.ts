// The gateway's admin API: what the worker asks of a router. It listens on an address of its own, never on the data port.

import { timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { z } from 'zod';
import { SystemError } from '../dag/failures.js';
import { leaseRequest, modelQuery, syncRequest, versionQuery, windowQuery } from '../systems/serving/admin-api.js';
import type { EndpointFollower } from './endpoint-follower.js';
import type { Measurements } from './measurement.js';

export interface AdminContext {
  readonly id: string;
  readonly environment: string;
  readonly follower: EndpointFollower;
  readonly measurements: Measurements;
  /** Asked of every caller where it is set. */
  readonly token: string | undefined;
}

interface Call {
  readonly query: Readonly<Record<string, string>>;
  readonly body: unknown;
}
type Route = (context: AdminContext, call: Call) => unknown;

const maxBodyBytes = 64 * 1024;
const statusOf: Readonly<Record<string, number>> = {
  InvalidInput: 400,
  NotFound: 404,
  PermissionDenied: 401,
  Internal: 500,
};

const routes: Readonly<Record<string, Route>> = {
  'POST /sync': async ({ follower }, { body }) => ({ generation: await follower.sync(syncRequest.parse(body).model) }),
  'POST /lease': ({ follower }, { body }) => {
    const { model, ...request } = leaseRequest.parse(body);
    return follower.renewLease(model, request);
  },
  'GET /metrics': ({ measurements }, { query }) => {
    const { model, version, windowMs } = windowQuery.parse(query);
    return { measurement: measurements.window(model, version, windowMs) ?? null };
  },
  'GET /in-flight': ({ follower, measurements }, { query }) => {
    const { model, version } = versionQuery.parse(query);
    const routed = follower.route(model)?.routesTo(version, measurements.nowMs()) ?? false;
    return { inFlight: measurements.inFlight(model, version), routed };
  },
  'GET /requests': ({ follower }, { query }) => ({
    requests: follower.route(modelQuery.parse(query).model)?.users.counts ?? null,
  }),
  'GET /health': ({ id, environment, follower }) => ({ id, environment, ready: follower.ready }),
  'GET /state': ({ id, environment, follower, measurements }) => ({
    id,
    environment,
    ready: follower.ready,
    models: follower.routes.map((route) => ({
      model: route.model,
      generation: route.generation,
      state: route.state ?? null,
      lease: route.leaseNow(measurements.nowMs()).phase,
      champion: route.champion?.upstream?.url ?? null,
      challenger: route.challenger?.upstream?.url ?? null,
      problem: route.problem ?? null,
    })),
  }),
};

export function createAdminServer(context: AdminContext): Server {
  return createServer((req, res) => {
    handle(context, req).then(
      (answer) => send(res, 200, answer),
      (error: unknown) => sendError(res, error),
    );
  });
}

async function handle(context: AdminContext, req: IncomingMessage): Promise<unknown> {
  const url = new URL(req.url ?? '/', 'http://gateway');
  if (!isAllowed(context.token, req.headers.authorization))
    throw new SystemError('PermissionDenied', 'The admin API wants the token of PAWL_GATEWAY_TOKEN as a bearer token.');
  const name = `${req.method ?? 'GET'} ${url.pathname}`;
  const route = Object.hasOwn(routes, name) ? routes[name] : undefined;
  if (route === undefined)
    throw new SystemError('NotFound', `The admin API has no ${name}, only ${Object.keys(routes).join(', ')}.`);
  const body = req.method === 'POST' ? await readJson(req) : undefined;
  return route(context, { query: Object.fromEntries(url.searchParams), body });
}

function isAllowed(token: string | undefined, header: string | undefined): boolean {
  if (token === undefined) return true;
  const given = Buffer.from(header ?? '');
  const wanted = Buffer.from(`Bearer ${token}`);
  return given.length === wanted.length && timingSafeEqual(given, wanted);
}

async function readJson(req: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  for await (const chunk of req) {
    sizeBytes += (chunk as Buffer).length;
    if (sizeBytes > maxBodyBytes) throw new SystemError('InvalidInput', `A call takes at most ${maxBodyBytes} bytes.`);
    chunks.push(chunk as Buffer);
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString('utf8'));
  } catch (cause) {
    throw new SystemError('InvalidInput', 'The body is not JSON.', { cause });
  }
}

function send(res: ServerResponse, status: number, body: unknown): void {
  const text = JSON.stringify(body);
  res.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) });
  res.end(text);
}

function sendError(res: ServerResponse, error: unknown): void {
  if (error instanceof z.ZodError) {
    const problems = error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`).join('; ');
    send(res, 400, { error: { type: 'InvalidInput', message: problems } });
  } else if (error instanceof SystemError) {
    send(res, statusOf[error.type] ?? 503, { error: { type: error.type, message: error.message } });
  } else {
    send(res, 500, { error: { type: 'Internal', message: error instanceof Error ? error.message : String(error) } });
  }
}
