// Users who go away without a word, or who do nothing: they hold nothing for long. A model may take its time all the same.

import type { RequestListener } from 'node:http';
import { connect, type Socket } from 'node:net';
import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { request } from 'undici';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { HttpRouter } from '../../systems/serving/http-router.js';
import { oneUpstream, type OneUpstream } from '../fixtures/one-upstream.js';

const userSilenceMs = 400;

let world: OneUpstream;
let sockets: Socket[] = [];
afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  sockets = [];
  await world.close();
});

const open = async (answer: RequestListener): Promise<void> => {
  world = await oneUpstream(answer, { userSilenceMs });
};

/** A user who sends this and nothing more, and reads nothing. */
const userOf = (text: string): Socket => {
  const { hostname, port } = new URL(world.gateway.url);
  const socket = connect(Number(port), hostname);
  sockets.push(socket);
  socket.on('error', () => undefined);
  socket.write(text);
  return socket;
};
const inFlight = async (): Promise<number> =>
  (await new HttpRouter({ url: world.gateway.adminUrl }).traffic('bot', 1)).inFlight;
const isOpen = (socket: Socket): boolean => !socket.closed;

const chunks = (count: number, pauseMs: number): Readable =>
  Readable.from(
    (async function* () {
      for (let sent = 0; sent < count; sent += 1) {
        yield 'some';
        await sleep(pauseMs);
      }
    })(),
  );

describe('a user who falls silent', () => {
  test.each([
    ['before the request', ''],
    ['within the headers', 'POST /models/bot/ HTTP/1.1\r\nhost: a\r\n'],
    [
      'within a JSON body',
      'POST /models/bot/ HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{"a',
    ],
  ])('%s is cut off', async (_, text) => {
    await open((_req, res) => res.end());
    const user = userOf(text);
    user.resume();
    await vi.waitFor(() => expect(isOpen(user)).toBe(false), { timeout: 10_000 });
  });

  test('within a body that passes as it comes lets go of the version, too', async () => {
    let hasBegun = false;
    let hasEnded = false;
    await open((req) => {
      hasBegun = true;
      req.on('error', () => undefined).on('close', () => (hasEnded = true));
      req.resume();
    });
    const user = userOf('POST /models/bot/ HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n');
    user.resume();
    await vi.waitFor(() => expect(hasBegun).toBe(true), { timeout: 10_000 });
    await vi.waitFor(() => expect(isOpen(user)).toBe(false), { timeout: 10_000 });
    await vi.waitFor(async () => expect([hasEnded, await inFlight()]).toEqual([true, 0]), { timeout: 10_000 });
  });

  test('while an answer waits to be read lets go of the version, too', async () => {
    let hasEnded = false;
    await open((_, res) => {
      const chunk = Buffer.alloc(1_000_000);
      const writeOn = (): void => {
        while (!res.destroyed && res.write(chunk));
      };
      res.on('drain', writeOn).on('close', () => (hasEnded = true));
      writeOn();
    });
    userOf('GET /models/bot/ HTTP/1.1\r\nhost: a\r\n\r\n').pause();
    await vi.waitFor(async () => expect(await inFlight()).toBe(1), { timeout: 10_000 });
    await vi.waitFor(async () => expect([hasEnded, await inFlight()]).toEqual([true, 0]), { timeout: 10_000 });
  });
});

describe('nobody is cut off', () => {
  test('while a model takes long over its answer, or falls silent within it', async () => {
    await open((_, res) => {
      void (async () => {
        await sleep(3 * userSilenceMs);
        res.write('a');
        await sleep(3 * userSilenceMs);
        res.end('b');
      })();
    });
    const whole = request(`${world.gateway.url}/models/bot/`, { method: 'POST', body: 'some' });
    const stream = request(`${world.gateway.url}/models/bot/`, { method: 'POST', body: chunks(1, 0) });
    for (const { body } of await Promise.all([whole, stream])) expect(await body.text()).toBe('ab');
  });

  test('while a model does not read on', async () => {
    let sizeBytes = 0;
    await open((req, res) => {
      setTimeout(() => {
        req.on('data', (chunk: Buffer) => (sizeBytes += chunk.length)).on('end', () => res.end('done'));
      }, 3 * userSilenceMs);
    });
    const headers = { 'content-type': 'application/octet-stream' };
    const body = Buffer.alloc(20_000_000);
    const answer = await request(`${world.gateway.url}/models/bot/`, { method: 'POST', headers, body });
    expect(await answer.body.text()).toBe('done');
    expect(sizeBytes).toBe(body.length);
  });

  test('who sends and reads little by little', async () => {
    await open((req, res) => void req.pipe(res));
    const { body } = await request(`${world.gateway.url}/models/bot/`, {
      method: 'POST',
      body: chunks(8, 100),
    });
    expect(await body.text()).toBe('some'.repeat(8));
  });

  test('between two requests on one connection', async () => {
    await open((_, res) => res.end('answer'));
    const user = userOf('');
    const ask = 'GET /models/bot/ HTTP/1.1\r\nhost: a\r\n\r\n';
    let answers = '';
    user.on('data', (chunk: Buffer) => (answers += chunk.toString()));
    user.write(ask);
    await vi.waitFor(() => expect(answers.match(/answer/g)).toHaveLength(1));
    await sleep(2 * userSilenceMs);
    user.write(ask);
    await vi.waitFor(() => expect(answers.match(/answer/g)).toHaveLength(2));
  });
});
