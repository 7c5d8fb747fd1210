// What users of the gateway read when it cannot serve them: JSON in the form of OpenAI's errors, one clear sentence.

import type { ServerResponse } from 'node:http';

export interface UserError {
  readonly status: number;
  /** For programs. */
  readonly code: string;
  readonly message: string;
  readonly retryAfterSeconds?: number;
}

const listed = 20;

export const unknownModel = (model: string, known: readonly string[]): UserError => ({
  status: 404,
  code: 'model_not_found',
  message:
    known.length === 0
      ? `There is no model '${model}': this gateway serves none yet.`
      : `There is no model '${model}': this gateway serves ${known.slice(0, listed).join(', ')}${known.length > listed ? ', …' : ''}.`,
});

export const unknownPath = (path: string): UserError => ({
  status: 404,
  code: 'path_not_found',
  message: `Nothing is served at ${path}: ask /models/<model>/v1/…, or /v1/… with the model named in the JSON body or in the header x-pawl-model.`,
});

export const noModelNamed: UserError = {
  status: 400,
  code: 'model_missing',
  message: 'The request names no model: set "model" in the JSON body, or the header x-pawl-model.',
};

export const notReady: UserError = {
  status: 503,
  code: 'gateway_starting',
  message: 'The gateway has not read its endpoints yet: try again in a moment.',
  retryAfterSeconds: 1,
};

export const noLiveVersion = (model: string): UserError => ({
  status: 503,
  code: 'no_live_version',
  message: `No version of '${model}' is live: it has not been promoted yet.`,
  retryAfterSeconds: 10,
});

export const versionAway = (model: string, version: number): UserError => ({
  status: 503,
  code: 'version_unavailable',
  message: `Version ${version} of '${model}' does not answer at the moment: try again shortly.`,
  retryAfterSeconds: 2,
});

export const brokenOff = (model: string, version: number): UserError => ({
  status: 502,
  code: 'upstream_broken_off',
  message: `Version ${version} of '${model}' broke the connection off before it answered.`,
});

export const tooSlow = (model: string, version: number): UserError => ({
  status: 504,
  code: 'upstream_timeout',
  message: `Version ${version} of '${model}' did not answer in time.`,
});

export const bodyTooLarge = (limitBytes: number): UserError => ({
  status: 413,
  code: 'body_too_large',
  message: `The request body is larger than ${limitBytes} bytes, the most this gateway takes.`,
});

/** Answers with the error, unless an answer has begun: then the connection is cut, so that nobody takes it for whole. */
export function answerError(
  res: ServerResponse,
  error: UserError,
  headers: Readonly<Record<string, string>> = {},
): void {
  if (res.headersSent) {
    res.destroy();
    return;
  }
  const { status, code, message, retryAfterSeconds } = error;
  const type = status >= 500 ? 'server_error' : 'invalid_request_error';
  const body = JSON.stringify({ error: { message, type, code, param: null } });
  res.writeHead(status, {
    ...headers,
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
    ...(retryAfterSeconds === undefined ? {} : { 'retry-after': String(retryAfterSeconds) }),
  });
  res.end(body);
}
