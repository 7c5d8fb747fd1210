// Whether nobody is at an address: gRPC tries a refused one again and again, for ten seconds, before it says so.

import { connect } from 'node:net';

const defaultPort = 7233;
const patienceMs = 2_000;
/** Through a proxy the address itself may well be out of reach. */
const proxies = ['grpc_proxy', 'https_proxy', 'http_proxy'];
const certain: readonly string[] = ['ECONNREFUSED', 'ENOTFOUND'];

/** The reason in the system's words; `undefined` where somebody may be there, if only slowly. `address`: `host:port`. */
export async function refusedAddress(
  address: string,
  environment: NodeJS.ProcessEnv = process.env,
): Promise<string | undefined> {
  if (proxies.some((name) => (environment[name] ?? environment[name.toUpperCase()] ?? '') !== '')) return undefined;
  const [, bracketed, plain, port] = /^(?:\[([^\]]+)\]|([^:/]+))(?::(\d+))?$/.exec(address) ?? [];
  const host = bracketed ?? plain;
  if (host === undefined) return undefined;
  return new Promise((resolve) => {
    const socket = connect({ host, port: port === undefined ? defaultPort : Number(port) });
    const end = (reason: string | undefined): void => {
      socket.destroy();
      resolve(reason);
    };
    socket.setTimeout(patienceMs, () => end(undefined));
    socket.once('connect', () => end(undefined));
    socket.once('error', ({ code = '' }: NodeJS.ErrnoException) => end(certain.includes(code) ? code : undefined));
  });
}
