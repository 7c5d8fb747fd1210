// The data plane's door: finds out which model a request means, and hands it over. `/models/<model>/<path>` names it in the
// path; under `/v1/` it is the header `x-pawl-model`, or the JSON field `model` as in OpenAI's API.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { findModel } from '../systems/serving/model-field.js';
import { isJson, limitedStream, planBody, takeWhole, type BodyLimits } from './body.js';
import { Exchange, type ExchangeContext } from './exchange.js';
import { answerError, bodyTooLarge, noModelNamed, notReady, unknownModel, unknownPath } from './user-errors.js';

const modelsPrefix = '/models/';
/** Set by itself: without a limit for whole requests, Node has none for their headers either. */
const headersTimeout = 60_000;
/** From then on the system asks a user who says nothing whether he is still there. */
const keepAliveInitialDelay = 60_000;

export interface DataServerContext extends ExchangeContext, BodyLimits {
  /** Longest silence of a user whose request is arriving, or who has an answer to read. */
  readonly userSilenceMs: number;
}

export class DataServer {
  readonly #context: DataServerContext;
  readonly server: Server;
  #isClosing = false;

  constructor(context: DataServerContext) {
    this.#context = context;
    this.server = createServer(
      { keepAliveTimeout: 65_000, requestTimeout: 0, headersTimeout, keepAlive: true, keepAliveInitialDelay },
      (req, res) => this.#handle(req, res),
    );
    // Node ends a connection that is silent for so long, unless it has a request that listens for it.
    this.server.timeout = context.userSilenceMs;
  }

  /** Takes no more connections, waits for what is under way for at most `graceMs`, and cuts the rest. */
  async close(graceMs: number): Promise<void> {
    this.#isClosing = true;
    const closed = new Promise<void>((resolve) => this.server.close(() => resolve()));
    // Connections kept alive for another request have none under way once they are idle.
    const sweep = setInterval(() => this.server.closeIdleConnections(), 50);
    const cut = setTimeout(() => this.server.closeAllConnections(), graceMs);
    await closed;
    clearInterval(sweep);
    clearTimeout(cut);
  }

  #handle(req: IncomingMessage, res: ServerResponse): void {
    const url = req.url ?? '/';
    if (this.#isClosing) res.shouldKeepAlive = false;
    res.on('timeout', (socket: Socket) => {
      if (isUsersTurn(req, res)) socket.destroy();
      else socket.setTimeout(this.#context.userSilenceMs);
    });
    if (url.startsWith(modelsPrefix)) this.#handleModelPath(req, res, url);
    else if (url.startsWith('/v1/')) this.#handleOpenAi(req, res, url);
    else if (url === '/health') this.#answerHealth(res);
    else answerError(res, unknownPath(pathOf(url)));
  }

  #handleModelPath(req: IncomingMessage, res: ServerResponse, url: string): void {
    let end = modelsPrefix.length;
    while (end < url.length && url[end] !== '/' && url[end] !== '?') end += 1;
    const model = decoded(url.slice(modelsPrefix.length, end));
    const rest = url.slice(end);
    this.#forward(req, res, { model, path: rest.startsWith('/') ? rest : `/${rest}` });
  }

  #handleOpenAi(req: IncomingMessage, res: ServerResponse, url: string): void {
    const named = req.headers['x-pawl-model'];
    if (typeof named === 'string') this.#forward(req, res, { model: named, path: url });
    else if (req.method === 'GET' && pathOf(url) === '/v1/models') this.#answerModels(res);
    else this.#forward(req, res, { model: undefined, path: url });
  }

  #forward(req: IncomingMessage, res: ServerResponse, to: { model: string | undefined; path: string }): void {
    const { maxBodyBytes } = this.#context;
    const plan = planBody(req, to.model === undefined, this.#context);
    const json = isJson(req);
    const send = (model: string, body: ConstructorParameters<typeof Exchange>[1]['body']): void => {
      const route = this.#context.follower.route(model);
      if (route === undefined) {
        this.#refuse(req, res, model);
        return;
      }
      new Exchange(this.#context, { route, req, res, path: to.path, body, isJson: json }).start();
    };
    const tooLarge = (): void => {
      res.shouldKeepAlive = false;
      answerError(res, bodyTooLarge(maxBodyBytes));
    };
    if (plan === 'too-large') tooLarge();
    else if (plan === 'whole')
      takeWhole(req, maxBodyBytes, (body) => {
        if (body === undefined) {
          tooLarge();
          return;
        }
        const model = to.model ?? findModel(body)?.name;
        if (model === undefined) answerError(res, noModelNamed);
        else send(model, body);
      });
    else if (to.model === undefined) answerError(res, noModelNamed);
    else send(to.model, plan === 'none' ? null : limitedStream(req, maxBodyBytes));
  }

  #refuse(req: IncomingMessage, res: ServerResponse, model: string): void {
    const { follower } = this.#context;
    if (!req.complete) res.shouldKeepAlive = false;
    if (!follower.ready) {
      answerError(res, notReady);
      return;
    }
    follower.lookForNewModels();
    answerError(res, unknownModel(model, this.#models()));
  }

  #models(): readonly string[] {
    return this.#context.follower.routes.filter(({ state }) => state !== undefined).map(({ model }) => model);
  }

  #answerModels(res: ServerResponse): void {
    const data = this.#models().map((id) => ({ id, object: 'model', owned_by: 'pawl' }));
    answerJson(res, { object: 'list', data });
  }

  #answerHealth(res: ServerResponse): void {
    const { ready } = this.#context.follower;
    if (ready && !this.#isClosing) answerJson(res, { status: 'ok' });
    else answerError(res, notReady);
  }
}

/** Whether silence is the user's: a model may take long over its answer, and over reading a request. */
const isUsersTurn = (req: IncomingMessage, res: ServerResponse): boolean =>
  (!req.complete && !req.isPaused()) || res.writableLength > 0;

function answerJson(res: ServerResponse, body: object): void {
  const text = JSON.stringify(body);
  res.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) });
  res.end(text);
}

function pathOf(url: string): string {
  const query = url.indexOf('?');
  return query === -1 ? url : url.slice(0, query);
}

function decoded(segment: string): string {
  if (!segment.includes('%')) return segment;
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}
