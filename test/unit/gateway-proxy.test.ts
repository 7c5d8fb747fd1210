import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { connect } from 'node:net';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { request } from 'undici';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { oneUpstream, recordOf, type OneUpstream } from '../fixtures/one-upstream.js';

let world: OneUpstream;
afterEach(() => world.close());

const open = async (answer: RequestListener, over: Parameters<typeof oneUpstream>[1] = {}): Promise<string> => {
  world = await oneUpstream(answer, over);
  return `${world.gateway.url}/models/bot`;
};

describe('what passes', () => {
  test('method, path, query, headers and body arrive as they were sent', async () => {
    const seen: {
      method?: string | undefined;
      url?: string | undefined;
      headers?: IncomingMessage['headers'];
      body?: string;
    } = {};
    const url = await open((req, res) => {
      void text(req).then((body) => {
        Object.assign(seen, { method: req.method, url: req.url, headers: req.headers, body });
        res.end();
      });
    });
    const headers = { 'x-user': 'someone', accept: 'text/plain', 'content-type': 'text/plain' };
    await request(`${url}/v1/some%20path?a=1&b=%2F`, { method: 'PUT', headers, body: 'as it is' });
    expect(seen).toMatchObject({ method: 'PUT', url: '/v1/some%20path?a=1&b=%2F', body: 'as it is' });
    expect(seen.headers).toMatchObject({ ...headers, 'content-length': '8', host: new URL(world.url).host });
  });

  test('status, headers, repeated ones too, and bytes come back as they were answered', async () => {
    const bytes = Buffer.from(Array.from({ length: 256 }, (_, index) => index));
    const url = await open((_, res) => {
      res.writeHead(418, { 'x-one': '1', 'set-cookie': ['a=1', 'b=2'], 'content-length': bytes.length });
      res.end(bytes);
    });
    const { statusCode, headers, body } = await request(`${url}/`);
    expect(statusCode).toBe(418);
    expect(headers).toMatchObject({
      'x-one': '1',
      'set-cookie': ['a=1', 'b=2'],
      'x-pawl-version': '1',
      'x-pawl-generation': '1',
    });
    expect(Buffer.from(await body.arrayBuffer()).equals(bytes)).toBe(true);
  });

  test.each([0, 1, 16_384, 16_385, 3_000_000])(
    'an answer of %d bytes, with its length and without',
    async (sizeBytes) => {
      const bytes = Buffer.alloc(sizeBytes, 'abc');
      const url = await open((req, res) => {
        if (req.url === '/known') res.setHeader('content-length', sizeBytes);
        const middle = Math.floor(sizeBytes / 2);
        if (middle === 0) res.end(bytes);
        else res.write(bytes.subarray(0, middle), () => res.end(bytes.subarray(middle)));
      });
      for (const path of ['known', 'unknown']) {
        const { body } = await request(`${url}/${path}`);
        expect(Buffer.from(await body.arrayBuffer()).equals(bytes)).toBe(true);
      }
    },
  );

  test('an answer to HEAD, and answers without a body', async () => {
    const url = await open((req, res) => {
      if (req.method === 'HEAD') res.writeHead(200, { 'content-length': 1_000 });
      else res.writeHead(204);
      res.end();
    });
    expect((await request(`${url}/`, { method: 'HEAD' })).headers['content-length']).toBe('1000');
    expect((await request(`${url}/`)).statusCode).toBe(204);
    expect((await request(`${url}/`, { method: 'HEAD' })).statusCode).toBe(200);
  });

  test('the head of a stream reaches the user before its first chunk is made', async () => {
    let first: ServerResponse | undefined;
    const url = await open((_, res) => {
      res.writeHead(200, { 'content-type': 'text/event-stream' });
      res.flushHeaders();
      first = res;
    });
    const { headers, body } = await request(`${url}/`);
    expect(headers['content-type']).toBe('text/event-stream');
    first?.end('data: 1\n\n');
    expect(await body.text()).toBe('data: 1\n\n');
  });

  test('an upload reaches the server before it has ended', async () => {
    const pieces: string[] = [];
    const url = await open((req, res) => {
      req.on('data', (chunk: Buffer) => pieces.push(chunk.toString()));
      req.on('end', () => res.end());
    });
    const upload = new Readable({ read: () => undefined });
    upload.push('first');
    const asked = request(`${url}/`, { method: 'POST', body: upload, headers: { 'content-type': 'audio/wav' } });
    await vi.waitFor(() => expect(pieces).toEqual(['first']));
    upload.push(null);
    expect((await asked).statusCode).toBe(200);
  });

  test('a user who reads slowly slows the server down, and nothing piles up in between', async () => {
    let sentBytes = 0;
    const chunk = Buffer.alloc(65_536);
    const url = await open((_, res) => {
      const send = (): void => {
        while (sentBytes < 200 * 1024 ** 2) {
          sentBytes += chunk.length;
          if (!res.write(chunk)) return void res.once('drain', send);
        }
        res.end();
      };
      send();
    });
    const { body } = await request(`${url}/`, { highWaterMark: 1 });
    let stoodStillAt = -1;
    await vi.waitFor(
      () => {
        const isStill = stoodStillAt === sentBytes;
        stoodStillAt = sentBytes;
        expect(isStill).toBe(true);
      },
      { timeout: 10_000, interval: 300 },
    );
    expect(sentBytes).toBeLessThan(50 * 1024 ** 2);
    let receivedBytes = 0;
    for await (const piece of body) receivedBytes += (piece as Buffer).length;
    expect(receivedBytes).toBe(200 * 1024 ** 2);
  });
});

describe('what goes wrong', () => {
  const measured = async () => {
    const { body } = await request(`${world.gateway.adminUrl}/metrics?model=bot&version=1&windowMs=60000`);
    return ((await body.json()) as { measurement: { requests: number; errors: number } }).measurement;
  };
  /** A user who asks for this path and is gone after a while. */
  const leaveAfter = async (url: string, waitMs: number) => {
    const signal = AbortSignal.timeout(waitMs);
    const asked = request(url, { signal }).then(({ body }) => body.text());
    await expect(asked).rejects.toThrow();
  };

  test('a connection that breaks before the answer is tried once more, and each try counts', async () => {
    let requests = 0;
    const url = await open((req, res) => {
      requests += 1;
      if (requests === 1) req.socket.destroy();
      else res.end('fine');
    });
    expect(await (await request(`${url}/`, { method: 'POST', body: '{}' })).body.text()).toBe('fine');
    expect(await measured()).toMatchObject({ requests: 2, errors: 1 });
  });

  test('a body that was passed on as it came cannot be sent again', async () => {
    const url = await open((req) => req.socket.destroy());
    const { statusCode, body } = await request(`${url}/`, { method: 'POST', body: Readable.from(['a', 'b']) });
    expect(statusCode).toBe(502);
    expect(await body.json()).toMatchObject({ error: { code: 'upstream_broken_off' } });
  });

  test('a champion that was launched anew elsewhere is found at its new address', async () => {
    const url = await open((_, res) => void res.end('fine'), {
      records: { read: async () => ({ record: recordOf(1, addresses.shift() ?? world.url), etag: '' }) },
    });
    const { statusCode, body } = await request(`${url}/`);
    expect({ statusCode, text: await body.text() }).toEqual({ statusCode: 200, text: 'fine' });
    expect(await measured()).toMatchObject({ requests: 2, errors: 1 });
  });
  // Nothing listens there.
  const addresses = ['http://127.0.0.1:1'];

  test('answers of 500 and above are errors, others are not', async () => {
    const url = await open((req, res) => {
      res.writeHead(Number(req.url?.slice(1)));
      res.end();
    });
    for (const status of [200, 404, 429, 500, 503]) {
      const answer = await request(`${url}/${status}`);
      expect(answer.statusCode).toBe(status);
      await answer.body.dump();
    }
    expect(await measured()).toMatchObject({ requests: 5, errors: 2 });
  });

  test('a user who leaves in the middle of an upload is no error of the version', async () => {
    let isThere = false;
    const url = await open((req) => {
      isThere = true;
      req.on('error', () => undefined);
    });
    const { hostname, port, pathname } = new URL(url);
    const socket = connect(Number(port), hostname);
    socket.write(`POST ${pathname}/ HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n`);
    await vi.waitFor(() => expect(isThere).toBe(true));
    socket.destroy();
    await vi.waitFor(async () => expect(await measured()).toMatchObject({ requests: 0, errors: 0, abandoned: 1 }));
  });

  test('users who wait in vain and leave are told apart from those who hardly waited, or had the first of it', async () => {
    const url = await open((req, res) => {
      if (req.url === '/head') res.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders();
      if (req.url === '/begun') res.write('data: 1\n\n');
    });
    await Promise.all([leaveAfter(`${url}/silent`, 50), leaveAfter(`${url}/begun`, 1_200)]);
    await vi.waitFor(async () => expect(await measured()).toMatchObject({ requests: 0, abandoned: 2, unanswered: 0 }));
    await Promise.all([leaveAfter(`${url}/silent`, 1_200), leaveAfter(`${url}/head`, 1_200)]);
    await vi.waitFor(async () => expect(await measured()).toMatchObject({ requests: 0, abandoned: 4, unanswered: 2 }));
  });

  test('a wrong token is refused at the admin API, which the data port does not have', async () => {
    await open((_, res) => void res.end(), { token: 'secret' });
    const { adminUrl, url } = world.gateway;
    const statusOf = async (address: string, authorization?: string): Promise<number> => {
      const answer = await request(address, { headers: authorization === undefined ? {} : { authorization } });
      await answer.body.dump();
      return answer.statusCode;
    };
    expect(await statusOf(`${adminUrl}/state`)).toBe(401);
    expect(await statusOf(`${adminUrl}/state`, 'Bearer other')).toBe(401);
    expect(await statusOf(`${adminUrl}/state`, 'Bearer secret')).toBe(200);
    expect(await statusOf(`${url}/state`, 'Bearer secret')).toBe(404);
  });
});
