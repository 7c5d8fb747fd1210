import { expect, test } from 'vitest';
import { requestHeaders, responseHeaders } from '../../gateway/headers.js';

test('what speaks about one connection stays on it', () => {
  const raw = [
    'Host',
    'a',
    'Connection',
    'keep-alive',
    'Transfer-Encoding',
    'chunked',
    'TE',
    'trailers',
    'X-User',
    'u',
  ];
  expect(requestHeaders(raw, true)).toEqual(['X-User', 'u']);
  expect(responseHeaders(raw.map((text) => Buffer.from(text)))).toEqual(['X-User', 'u']);
});

test('headers that Connection names stay with it', () => {
  expect(requestHeaders(['Connection', 'close, X-Hop', 'x-hop', '1', 'X-Kept', '2'], true)).toEqual(['X-Kept', '2']);
});

test('the length of a body that was taken in whole is counted anew', () => {
  const raw = ['Content-Length', '12', 'Content-Type', 'application/json'];
  expect(requestHeaders(raw, false)).toEqual(['Content-Type', 'application/json']);
  expect(requestHeaders(raw, true)).toEqual(raw);
});

test('repeated headers and bytes beyond ASCII pass as they are', () => {
  const raw = ['Set-Cookie', 'a=1', 'Set-Cookie', 'b=2', 'X-Name', 'Zo\xeb'];
  expect(responseHeaders(raw.map((text) => Buffer.from(text, 'latin1')))).toEqual(raw);
});
