// A server that refuses credentials, over HTTP/2 as gRPC speaks it: both of the SDK's connections say so at once.

import { createServer, type Http2Server } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { connectClient } from '../../client/connect.js';
import { refusedAddress } from '../../client/refused-address.js';
import { systemErrorOf } from '../../client/temporal-error.js';
import { connectWorker } from '../../workers/connect.js';

let server: Http2Server | undefined;
afterEach(() => new Promise((closed) => (server === undefined ? closed(undefined) : server.close(closed))));

/** Answers every call with a status and no body. */
async function refusing(status: number, words: string): Promise<string> {
  const refuses = createServer();
  server = refuses;
  refuses.on('stream', (stream) =>
    stream.respond(
      { ':status': 200, 'content-type': 'application/grpc', 'grpc-status': status, 'grpc-message': words },
      { endStream: true },
    ),
  );
  await new Promise<void>((listening) => refuses.listen(0, '127.0.0.1', listening));
  return `127.0.0.1:${(refuses.address() as AddressInfo).port}`;
}

describe.each([
  ['a key that it does not know', 16, /invalid key.*TEMPORAL_API_KEY/],
  ['a key of another namespace', 7, /invalid key.*TEMPORAL_NAMESPACE/],
])('a server that refuses %s', (_, status, sentence) => {
  const refused = { type: 'PermissionDenied', message: expect.stringMatching(sentence) as string };

  test('a client says so', async () => {
    const address = await refusing(status, 'invalid key');
    await expect(connectClient({ address, namespace: 'default', connection: {} })).rejects.toMatchObject(refused);
  });

  test('a worker says so, and does not try on', async () => {
    const address = await refusing(status, 'invalid key');
    const connecting = connectWorker({ address, namespace: 'default', connection: {} }, 3_600_000);
    await expect(connecting).rejects.toMatchObject(refused);
  });
});

test('what the server does not find in a namespace is no wrong setting', () => {
  const error = Object.assign(new Error('5 NOT_FOUND'), { code: 5, details: 'workflow not found for ID: a' });
  expect(systemErrorOf(error)).toBeUndefined();
});

describe('an address at which nobody is', () => {
  const free = async (): Promise<string> => {
    const address = await refusing(16, '');
    await new Promise((closed) => server?.close(closed));
    server = undefined;
    return address;
  };

  test('is told without waiting for gRPC, which would try again for ten seconds', async () => {
    const address = await free();
    expect(await refusedAddress(address, {})).toBe('ECONNREFUSED');
    await expect(connectClient({ address, namespace: 'default', connection: {} })).rejects.toMatchObject({
      type: 'Unavailable',
      message: `No Temporal server answers at ${address}: start one with "pawl dev", or set TEMPORAL_ADDRESS.`,
      cause: 'ECONNREFUSED',
    });
  });

  test('is no word against one where somebody is, against a proxy, or against what is no host and port', async () => {
    expect(await refusedAddress(await refusing(16, ''), {})).toBeUndefined();
    expect(await refusedAddress('127.0.0.1:1', { HTTPS_PROXY: 'http://proxy:3128' })).toBeUndefined();
    expect(await refusedAddress('dns:///temporal:7233', {})).toBeUndefined();
  });
});
