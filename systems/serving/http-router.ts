// A gateway as the worker sees it: a Router over its admin API.

import type { z } from 'zod';
import { isFailureType, SystemError } from '../../dag/failures.js';
import { adminError, inFlightAnswer, leaseAnswer, requestsAnswer, syncAnswer, windowAnswer } from './admin-api.js';
import type { UserRequestCounts } from './admin-api.js';
import { request } from './http-request.js';
import type { LeaseAnswer, Router } from './port.js';

export interface HttpRouterOptions {
  /** Of the admin API: `http://127.0.0.1:8801`. */
  readonly url: string;
  readonly token?: string | undefined;
  /** How long one call may take; 10 s unless set. */
  readonly timeoutMs?: number;
}

/** One router's view of a version's traffic; `undefined` where it does not know the model. */
export type RouterMeasurement = NonNullable<z.infer<typeof windowAnswer>['measurement']> | undefined;

/** Every method throws `Unavailable` where the gateway does not answer, `PermissionDenied` for a wrong token. */
export class HttpRouter implements Router {
  readonly id: string;
  readonly #url: string;
  readonly #token: string | undefined;
  readonly #timeoutMs: number;

  constructor(options: HttpRouterOptions) {
    this.#url = options.url.replace(/\/+$/, '');
    this.id = this.#url;
    this.#token = options.token;
    this.#timeoutMs = options.timeoutMs ?? 10_000;
  }

  async sync(model: string): Promise<{ generation: number }> {
    return this.#call('POST', '/sync', { body: { model }, answer: syncAnswer });
  }

  async renewLease(model: string, lease: { generation: number; trial: string; leaseMs: number }): Promise<LeaseAnswer> {
    return this.#call('POST', '/lease', { body: { model, ...lease }, answer: leaseAnswer });
  }

  async inFlight(model: string, version: number): Promise<number> {
    return (await this.traffic(model, version)).inFlight;
  }

  /** Requests under way to a version, and whether a new one could still go there. */
  async traffic(model: string, version: number): Promise<{ inFlight: number; routed: boolean }> {
    const query = new URLSearchParams({ model, version: String(version) });
    return this.#call('GET', `/in-flight?${query.toString()}`, { answer: inFlightAnswer });
  }

  async measure(query: { model: string; version: number; windowMs: number }): Promise<RouterMeasurement> {
    const { model, version, windowMs } = query;
    const search = new URLSearchParams({ model, version: String(version), windowMs: String(windowMs) });
    const answer = await this.#call('GET', `/metrics?${search.toString()}`, { answer: windowAnswer });
    return answer.measurement ?? undefined;
  }

  /** What became of users' requests to a model since the router started; `undefined` where it does not know the model. */
  async requests(model: string): Promise<UserRequestCounts | undefined> {
    const search = new URLSearchParams({ model });
    return (
      (await this.#call('GET', `/requests?${search.toString()}`, { answer: requestsAnswer })).requests ?? undefined
    );
  }

  async #call<T>(
    method: 'GET' | 'POST',
    path: string,
    { body, answer }: { body?: object; answer: z.ZodType<T> },
  ): Promise<T> {
    let status: number;
    let json: unknown;
    try {
      const response = await request(this.#url + path, {
        method,
        headers: {
          ...(this.#token === undefined ? {} : { authorization: `Bearer ${this.#token}` }),
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        signal: AbortSignal.timeout(this.#timeoutMs),
      });
      status = response.statusCode;
      json = await response.body.json();
    } catch (cause) {
      throw new SystemError(
        'Unavailable',
        `The gateway at ${this.#url} did not answer ${method} ${path} (${reasonOf(cause)}): see that it runs and that its admin address is in PAWL_ROUTERS.`,
        { cause },
      );
    }
    if (status === 200) {
      const parsed = answer.safeParse(json);
      if (parsed.success) return parsed.data;
    }
    const error = adminError.safeParse(json);
    const told = error.success ? error.data.error : { type: 'Unavailable', message: `it answered ${status}` };
    throw new SystemError(
      isFailureType(told.type) ? told.type : 'Unavailable',
      `The gateway at ${this.#url} refused ${method} ${path}: ${told.message}`,
    );
  }
}

const reasonOf = (error: unknown): string => {
  const { code, message } = error as { code?: unknown; message?: unknown };
  return typeof code === 'string' ? code : String(message);
};
