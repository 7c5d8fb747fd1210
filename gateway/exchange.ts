// One user's request on its way to a version and back. Bytes pass as they come, both ways, with backpressure; what the version
// did is counted for it. As long as the user has seen nothing and the body is at hand, a version that breaks down costs no request.

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Readable } from 'node:stream';
import type { Dispatcher } from 'undici';
import { rewriteModel } from '../systems/serving/model-field.js';
import { BodyTooLarge } from './body.js';
import type { EndpointFollower } from './endpoint-follower.js';
import { requestHeaders, responseHeaders } from './headers.js';
import type { ModelRoute } from './model-route.js';
import { drawForKey } from './routing.js';
import type { Target } from './target.js';
import {
  answerError,
  bodyTooLarge,
  brokenOff,
  noLiveVersion,
  notReady,
  tooSlow,
  versionAway,
  type UserError,
} from './user-errors.js';

export interface ExchangeContext {
  readonly follower: EndpointFollower;
  readonly nowMs: () => number;
  /** Answers in [0, 1). */
  readonly random: () => number;
  readonly maxBodyBytes: number;
}

export interface UserRequest {
  readonly route: ModelRoute;
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  /** As the model server knows it, with the query. */
  readonly path: string;
  /** A stream can be sent only once. */
  readonly body: Buffer | Readable | null;
  readonly isJson: boolean;
}

const mostAttempts = 3;
const oneWriteBytes = 16_384;
/** Whoever leaves sooner may have had any reason; whoever waits this long for the first byte wanted the answer. */
const longWaitMs = 1_000;
const timeoutCodes = new Set(['UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_BODY_TIMEOUT']);
// It reached nobody, so the same address will not do better.
const refusedCodes = new Set([
  'ECONNREFUSED',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
  'ETIMEDOUT',
  'UND_ERR_CONNECT_TIMEOUT',
]);

export class Exchange implements Dispatcher.DispatchHandler {
  readonly #context: ExchangeContext;
  readonly #request: UserRequest;
  #target: Target | undefined;
  #controller: Dispatcher.DispatchController | undefined;
  #generationText = '0';
  #sentMs = 0;
  #attempts = 0;
  #status = 0;
  #lengthBytes = -1;
  #isUnderWay = false;
  #isOver = false;
  #hasAnswerBegun = false;
  #userLeft = false;
  #leftMs = Infinity;
  #wasCut = false;

  constructor(context: ExchangeContext, request: UserRequest) {
    this.#context = context;
    this.#request = request;
  }

  start(): void {
    const { route, req, res } = this.#request;
    route.users.begin();
    res.on('close', () => this.#onClosed());
    const key = req.headers['x-pawl-key'];
    const draw = typeof key === 'string' ? drawForKey(route.state?.trial ?? null, key) : this.#context.random();
    const nowMs = this.#context.nowMs();
    const target = route.choose(nowMs, draw);
    if (target === undefined) {
      this.#answer(route.wasRead ? noLiveVersion(route.model) : notReady);
      return;
    }
    this.#send(target, nowMs);
  }

  #send(target: Target, nowMs: number): void {
    const { route, req, path, body, isJson } = this.#request;
    this.#target = target;
    this.#generationText = route.generationText;
    this.#attempts += 1;
    this.#sentMs = nowMs;
    this.#isUnderWay = true;
    target.traffic.inFlight += 1;
    const { upstream } = target;
    if (upstream === undefined) {
      this.#onFailure('ECONNREFUSED');
      return;
    }
    const isBuffered = Buffer.isBuffer(body);
    upstream.pool.dispatch(
      {
        origin: upstream.origin,
        path: upstream.basePath === '' ? path : upstream.basePath + path,
        method: req.method ?? 'GET',
        headers: requestHeaders(req.rawHeaders, !isBuffered && body !== null),
        body: isBuffered && isJson ? rewriteModel(body, target.modelField) : body,
      },
      this,
    );
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#userLeft) controller.abort(new Error('the user left'));
  }

  onResponseStart(controller: Dispatcher.DispatchController, status: number): void {
    if (status < 200) return;
    const { res } = this.#request;
    this.#status = status;
    const headers = responseHeaders((controller.rawHeaders ?? []) as (Buffer | string)[]);
    headers.push('x-pawl-version', this.#target?.versionText ?? '', 'x-pawl-generation', this.#generationText);
    res.sendDate = false;
    res.writeHead(status, headers);
    // Where the length is not known it may be long until the first chunk: the user shall know that there is an answer.
    this.#lengthBytes = lengthOf(headers);
    if (this.#lengthBytes === -1) res.flushHeaders();
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    const { res } = this.#request;
    this.#hasAnswerBegun = true;
    if (chunk.length === this.#lengthBytes && chunk.length <= oneWriteBytes) {
      // The whole of it: as a string it leaves with the headers in one write.
      this.#isOver = true;
      this.#count(this.#status >= 500);
      res.end(chunk.toString('latin1'), 'latin1');
      return;
    }
    if (res.write(chunk) || res.destroyed) return;
    controller.pause();
    res.once('drain', () => controller.resume());
  }

  onResponseEnd(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#count(this.#status >= 500);
    this.#request.res.end();
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error & { code?: string }): void {
    if (this.#isOver) return;
    if (this.#hasUserLeft()) this.#abandon();
    else if (error instanceof BodyTooLarge) {
      this.#abandon();
      this.#answer(bodyTooLarge(this.#context.maxBodyBytes));
    } else this.#onFailure(error.code ?? '');
  }

  #onFailure(code: string): void {
    this.#count(true);
    const { res, route } = this.#request;
    const target = this.#target;
    if (res.headersSent || target === undefined) {
      // Cut, so that nobody takes what has arrived for the whole.
      this.#isOver = true;
      this.#wasCut = true;
      res.destroy();
      return;
    }
    if (timeoutCodes.has(code)) this.#answer(tooSlow(route.model, target.version));
    else if (this.#mayTryAgain()) void this.#tryAgain(target, refusedCodes.has(code));
    else
      this.#answer(
        refusedCodes.has(code) ? versionAway(route.model, target.version) : brokenOff(route.model, target.version),
      );
  }

  #mayTryAgain(): boolean {
    const { body } = this.#request;
    return this.#attempts < mostAttempts && (body === null || Buffer.isBuffer(body));
  }

  /**
   * A challenger's user is sent to the champion. For a champion its address is read again, since it may have been launched
   * anew elsewhere; the same address is tried once more only where it had accepted the connection. Asking a model the same
   * thing twice changes nothing, so this holds for every method.
   */
  async #tryAgain(failed: Target, wasRefused: boolean): Promise<void> {
    const { route } = this.#request;
    const before = failed.upstream;
    if (failed === route.champion) await this.#context.follower.reload(route.model, failed);
    if (this.#hasUserLeft()) return;
    const next = route.champion ?? failed;
    const isSame = next === failed && next.upstream === before;
    if (next.upstream !== undefined && !(isSame && wasRefused)) this.#send(next, this.#context.nowMs());
    else this.#answer(versionAway(route.model, failed.version));
  }

  #onClosed(): void {
    const { route, res } = this.#request;
    if (res.writableFinished) route.users.end(res.statusCode >= 500 ? 'failed' : 'answered');
    else route.users.end(this.#wasCut ? 'cut' : 'left');
    if (this.#isOver) return;
    this.#userLeft = true;
    this.#leftMs = this.#context.nowMs();
    this.#controller?.abort(new Error('the user left'));
  }

  #hasUserLeft(): boolean {
    const { req } = this.#request;
    return this.#userLeft || (req.destroyed && !req.complete);
  }

  #abandon(): void {
    this.#isOver = true;
    if (!this.#isUnderWay || this.#target === undefined) return;
    this.#isUnderWay = false;
    this.#target.traffic.inFlight -= 1;
    const nowMs = this.#context.nowMs();
    const waitedMs = Math.min(nowMs, this.#leftMs) - this.#sentMs;
    const isUnanswered = this.#request.req.complete && !this.#hasAnswerBegun && waitedMs >= longWaitMs;
    this.#target.traffic.recordAbandoned(nowMs, isUnanswered);
  }

  #count(isError: boolean): void {
    if (!this.#isUnderWay || this.#target === undefined) return;
    this.#isUnderWay = false;
    const nowMs = this.#context.nowMs();
    this.#target.traffic.inFlight -= 1;
    this.#target.traffic.record(nowMs, nowMs - this.#sentMs, isError);
  }

  #answer(error: UserError): void {
    this.#isOver = true;
    this.#wasCut = this.#request.res.headersSent;
    const headers = this.#target === undefined ? {} : { 'x-pawl-version': this.#target.versionText };
    answerError(this.#request.res, error, { ...headers, 'x-pawl-generation': this.#request.route.generationText });
  }
}

/** -1: the length is not known. */
function lengthOf(headers: readonly string[]): number {
  for (let index = 0; index < headers.length; index += 2) {
    const name = headers[index];
    if (name?.length === 14 && name.toLowerCase() === 'content-length') return Number(headers[index + 1]);
  }
  return -1;
}
