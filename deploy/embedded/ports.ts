// Ports on the loopback interface: whether one is free, and a free one to take.

import { createServer } from 'node:net';
import { SystemError } from '../../dag/failures.js';

const listenOnce = (port: number): Promise<number> =>
  new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen({ port, host: '127.0.0.1', exclusive: true }, () => {
      const address = probe.address();
      probe.close(() => resolve(typeof address === 'object' && address !== null ? address.port : port));
    });
  });

/** A port of 127.0.0.1 that nobody listens on right now; another process may take it before you do. */
export const freePort = (): Promise<number> => listenOnce(0);

/** Whether a server could listen on this port of 127.0.0.1 right now. */
export const isPortFree = async (port: number): Promise<boolean> => {
  try {
    await listenOnce(port);
    return true;
  } catch {
    return false;
  }
};

/** The wanted port if it is free, a free one for undefined and 0; throws Unavailable when the wanted one is taken. */
export const choosePort = async (wanted: number | undefined, forWhat: string): Promise<number> => {
  if (wanted === undefined || wanted === 0) return freePort();
  if (await isPortFree(wanted)) return wanted;
  throw new SystemError(
    'Unavailable',
    `port ${wanted} of 127.0.0.1, wanted for ${forWhat}, is taken: end the process that listens there or choose another port`,
  );
};
