// An HTTP proxy in front of an S3 server that does harm on purpose: it stands where a real network and a real S3 fail.
//
// Bytes and headers pass as they are, the Host header included, so signatures still verify: clients sign for the proxy's own
// address, and an S3 server checks the signature against the Host header that it was sent.

import {
  Agent,
  createServer,
  request as forward,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import { once } from 'node:events';
import type { AddressInfo, Socket } from 'node:net';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { seededRandom } from './seeded-random.js';

/** What happens to a request that a fault picks. */
export type Harm =
  /** Answered with an S3 error (503 SlowDown by default) and never forwarded. */
  | { readonly kind: 'error'; readonly status?: number; readonly code?: string }
  /** Forwarded and carried out, then answered with an S3 error: the lost answer. */
  | { readonly kind: 'error-after'; readonly status?: number; readonly code?: string }
  /** Forwarded and carried out, then the connection ends without an answer. */
  | { readonly kind: 'drop-after' }
  /** The connection ends at once, without an answer. */
  | { readonly kind: 'drop' }
  /** Forwarded after a delay. */
  | { readonly kind: 'slow'; readonly delayMs: number }
  /** The answer's body stops after this share of its bytes (half by default), and the connection ends. */
  | { readonly kind: 'cut-answer'; readonly share?: number }
  /** The server receives this share of the request's body (half by default), then both connections end. */
  | { readonly kind: 'cut-request'; readonly share?: number }
  /** One byte of the answer's body is another. */
  | { readonly kind: 'corrupt-answer' }
  /** As S3 answers when temporary credentials have run out. */
  | { readonly kind: 'expired-token' };

export type Fault = Harm & {
  /** Which requests it picks; the path is decoded and has no query. Every one by default. */
  readonly match?: (method: string, path: string, query: URLSearchParams) => boolean;
  /** How many requests it harms; 1 by default, `Infinity` for all. */
  readonly times?: number;
  /** How many matching requests it lets pass first; 0 by default. */
  readonly skip?: number;
  /** The chance, by the proxy's seed, that a matching request is harmed; 1 by default. */
  readonly rate?: number;
};

export interface PlacedFault {
  /** How many requests it has harmed: a test asserts that its fault landed. */
  readonly hits: number;
  remove(): void;
}

export interface S3Proxy {
  readonly endpoint: string;
  /** What the rates are drawn from; print it, so that a failure can be repeated. */
  readonly seed: number;
  readonly faults: { add(fault: Fault): PlacedFault; clear(): void };
  /** Refuses connections, and ends those that are open, until `up`. */
  down(): Promise<void>;
  up(): Promise<void>;
  stop(): Promise<void>;
}

interface Entry {
  readonly fault: Fault;
  seen: number;
  hits: number;
}

/** Starts the proxy on a free loopback port. The first fault that matches a request, in the order of their adding, harms it. */
export const startS3Proxy = async (
  target: { readonly endpoint: string },
  seed = Date.now() % 1e9,
): Promise<S3Proxy> => {
  const upstream = new URL(target.endpoint);
  // A connection for each request: one kept alive could be closed by the server just then, a fault that nobody asked for.
  const agent = new Agent({ keepAlive: false });
  const random = seededRandom(seed);
  const sockets = new Set<Socket>();
  let entries: Entry[] = [];

  const pick = (incoming: IncomingMessage): Fault | undefined => {
    const url = new URL(incoming.url ?? '/', upstream);
    // Each fault draws for itself: what one lets pass may meet the next.
    for (const entry of entries) {
      const { match, times = 1, skip = 0, rate = 1 } = entry.fault;
      const isMeant = match?.(incoming.method ?? 'GET', decodeURIComponent(url.pathname), url.searchParams) ?? true;
      if (!isMeant || entry.hits >= times) continue;
      entry.seen += 1;
      if (entry.seen <= skip || random() >= rate) continue;
      entry.hits += 1;
      return entry.fault;
    }
    return undefined;
  };

  const server = createServer((incoming, outgoing) => {
    carry({ upstream, agent, incoming, outgoing, fault: pick(incoming) }).catch(() => {
      incoming.destroy();
      outgoing.destroy();
    });
  });
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  const port = await listen(server, 0);

  const down = async (): Promise<void> => {
    if (!server.listening) return;
    const closed = once(server, 'close');
    server.close();
    for (const socket of sockets) socket.destroy();
    await closed;
  };
  return {
    endpoint: `http://127.0.0.1:${port}`,
    seed,
    faults: {
      add(fault) {
        const entry: Entry = { fault, seen: 0, hits: 0 };
        entries.push(entry);
        return {
          get hits() {
            return entry.hits;
          },
          remove() {
            entries = entries.filter((other) => other !== entry);
          },
        };
      },
      clear() {
        entries = [];
      },
    },
    down,
    async up() {
      if (!server.listening) await listen(server, port);
    },
    async stop() {
      await down();
      agent.destroy();
    },
  };
};

const listen = async (server: Server, port: number): Promise<number> => {
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
};

interface Exchange {
  readonly upstream: URL;
  readonly agent: Agent;
  readonly incoming: IncomingMessage;
  readonly outgoing: ServerResponse;
  readonly fault: Fault | undefined;
}

const carry = async (exchange: Exchange): Promise<void> => {
  const { incoming, outgoing, fault } = exchange;
  switch (fault?.kind) {
    case 'drop':
      incoming.socket.destroy();
      return;
    case 'error':
      await discard(incoming);
      answerError(outgoing, fault.status, fault.code);
      return;
    case 'expired-token':
      await discard(incoming);
      answerError(outgoing, 400, 'ExpiredToken', 'The provided token has expired.');
      return;
    case 'cut-request':
      await cutRequest(exchange, fault.share ?? 0.5);
      return;
    case 'error-after':
      await discard(await send(exchange));
      answerError(outgoing, fault.status, fault.code);
      return;
    case 'drop-after':
      await discard(await send(exchange));
      incoming.socket.destroy();
      return;
    case 'cut-answer': {
      const answer = await send(exchange);
      copyHead(answer, outgoing);
      await cutAnswer(answer, outgoing, fault.share ?? 0.5);
      return;
    }
    case 'corrupt-answer': {
      const answer = await send(exchange);
      copyHead(answer, outgoing);
      await pipeline(answer, corrupt, outgoing);
      return;
    }
    case 'slow':
      await sleep(fault.delayMs);
      break;
    case undefined:
      break;
  }
  const answer = await send(exchange);
  copyHead(answer, outgoing);
  await pipeline(answer, outgoing);
};

const discard = async (stream: IncomingMessage): Promise<void> => {
  if (stream.readableEnded) return;
  stream.resume();
  await once(stream, 'end');
};

const open = ({ upstream, agent, incoming }: Exchange) => {
  // The proxy has told the client to continue by itself, and nobody waits for the server to say so again.
  const headers = incoming.rawHeaders.flatMap((name, index, all) =>
    index % 2 === 0 && name.toLowerCase() !== 'expect' ? [[name, all[index + 1] ?? ''] as const] : [],
  );
  const outbound = forward({
    host: upstream.hostname,
    port: upstream.port,
    method: incoming.method,
    path: incoming.url,
    agent,
    setHost: false,
  });
  for (const [name, value] of headers) outbound.appendHeader(name, value);
  return outbound;
};

const send = async (exchange: Exchange): Promise<IncomingMessage> => {
  const outbound = open(exchange);
  const answered = once(outbound, 'response') as Promise<[IncomingMessage]>;
  // A server may answer, and close, before it has read the whole body.
  const sent = pipeline(exchange.incoming, outbound).catch(() => undefined);
  const [answer] = await answered;
  if (exchange.incoming.complete) await sent;
  return answer;
};

const cutRequest = async (exchange: Exchange, share: number): Promise<void> => {
  const { incoming } = exchange;
  const outbound = open(exchange);
  outbound.on('error', () => undefined);
  let left = Math.floor(Number(incoming.headers['content-length'] ?? 0) * share);
  if (left === 0) outbound.flushHeaders();
  for await (const chunk of incoming as AsyncIterable<Buffer>) {
    if (left <= 0) break;
    outbound.write(chunk.subarray(0, left));
    left -= chunk.length;
  }
  // Time for the bytes to arrive, so that the server really has half an object in its hands.
  await sleep(50);
  outbound.destroy();
  incoming.socket.destroy();
};

const cutAnswer = async (answer: IncomingMessage, outgoing: ServerResponse, share: number): Promise<void> => {
  let left = Math.floor(Number(answer.headers['content-length'] ?? 0) * share);
  outgoing.flushHeaders();
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    if (left <= 0) break;
    await new Promise<void>((resolve) => outgoing.write(chunk.subarray(0, left), () => resolve()));
    left -= chunk.length;
  }
  outgoing.socket?.destroy();
};

async function* corrupt(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let done = false;
  for await (const chunk of chunks) {
    const bytes = Buffer.from(chunk);
    if (!done && bytes.length > 0) {
      bytes[0] = (bytes[0] ?? 0) ^ 1;
      done = true;
    }
    yield bytes;
  }
}

const copyHead = (answer: IncomingMessage, outgoing: ServerResponse): void => {
  outgoing.writeHead(answer.statusCode ?? 502, answer.rawHeaders);
};

const answerError = (
  outgoing: ServerResponse,
  status = 503,
  code = 'SlowDown',
  message = 'Please reduce your request rate.',
): void => {
  const body = `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${code}</Code><Message>${message}</Message></Error>`;
  outgoing.writeHead(status, { 'content-type': 'application/xml', 'content-length': Buffer.byteLength(body) });
  outgoing.end(body);
};
