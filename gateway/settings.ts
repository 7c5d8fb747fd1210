// What a gateway process is told by its environment.

import { z } from 'zod';
import { SystemError } from '../dag/failures.js';
import type { GatewayOptions } from './gateway.js';

const port = z.coerce.number().int().min(0).max(65_535);
const milliseconds = z.coerce.number().int().positive();
const sizeBytes = z.coerce.number().int().positive();

const variables = z.object({
  PAWL_ENVIRONMENT: z.string().min(1).default('dev'),
  PAWL_BUCKET: z.string().min(3).default('pawl'),
  /** Where users ask. 0: any free port. */
  PAWL_GATEWAY_HOST: z.string().default('127.0.0.1'),
  PAWL_GATEWAY_PORT: port.default(8800),
  /** Where the worker asks: loopback, or a network that users do not reach. */
  PAWL_GATEWAY_ADMIN_HOST: z.string().default('127.0.0.1'),
  PAWL_GATEWAY_ADMIN_PORT: port.default(8801),
  PAWL_GATEWAY_TOKEN: z.string().min(1).optional(),
  /** Makes the choices of versions repeatable. */
  PAWL_GATEWAY_SEED: z.coerce.number().int().optional(),
  PAWL_GATEWAY_POLL_MS: milliseconds.default(2_000),
  PAWL_GATEWAY_SHUTDOWN_MS: milliseconds.default(30_000),
  PAWL_GATEWAY_MAX_BODY_BYTES: sizeBytes.default(64 * 1024 ** 2),
  PAWL_GATEWAY_CONNECT_TIMEOUT_MS: milliseconds.default(2_000),
  PAWL_GATEWAY_ANSWER_TIMEOUT_MS: milliseconds.default(300_000),
  PAWL_GATEWAY_SILENCE_TIMEOUT_MS: milliseconds.default(300_000),
  PAWL_LOG_LEVEL: z.enum(['debug', 'info', 'warn', 'error']).default('info'),
});

export interface GatewaySettings extends Required<
  Pick<GatewayOptions, 'environment' | 'data' | 'admin' | 'pollMs' | 'timeouts' | 'limits'>
> {
  readonly bucket: string;
  readonly token: string | undefined;
  readonly seed: number | undefined;
  readonly shutdownMs: number;
  readonly logLevel: string;
}

/** Throws `InvalidInput` with every variable that is wrong. */
export function readGatewaySettings(environment: Readonly<Record<string, string | undefined>>): GatewaySettings {
  const parsed = variables.safeParse(environment);
  if (!parsed.success) {
    const problems = parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`).join('; ');
    throw new SystemError('InvalidInput', `The gateway cannot start with these variables: ${problems}.`);
  }
  const { data } = parsed;
  return {
    environment: data.PAWL_ENVIRONMENT,
    bucket: data.PAWL_BUCKET,
    data: { host: data.PAWL_GATEWAY_HOST, port: data.PAWL_GATEWAY_PORT },
    admin: { host: data.PAWL_GATEWAY_ADMIN_HOST, port: data.PAWL_GATEWAY_ADMIN_PORT },
    token: data.PAWL_GATEWAY_TOKEN,
    seed: data.PAWL_GATEWAY_SEED,
    pollMs: data.PAWL_GATEWAY_POLL_MS,
    shutdownMs: data.PAWL_GATEWAY_SHUTDOWN_MS,
    timeouts: {
      connectTimeoutMs: data.PAWL_GATEWAY_CONNECT_TIMEOUT_MS,
      headersTimeoutMs: data.PAWL_GATEWAY_ANSWER_TIMEOUT_MS,
      bodyTimeoutMs: data.PAWL_GATEWAY_SILENCE_TIMEOUT_MS,
    },
    limits: { maxBodyBytes: data.PAWL_GATEWAY_MAX_BODY_BYTES, maxBufferedBytes: 1024 ** 2 },
    logLevel: data.PAWL_LOG_LEVEL,
  };
}
