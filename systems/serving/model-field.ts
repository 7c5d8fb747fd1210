// Finds, removes or replaces the top-level `model` field of a JSON body without parsing the whole of it: prompts can be
// large, and what a user wrote reaches the model server byte for byte.

import type { ModelField } from './record.js';

const quote = 0x22;
const backslash = 0x5c;
const comma = 0x2c;
const colon = 0x3a;
const openBrace = 0x7b;
const closeBrace = 0x7d;
const openBracket = 0x5b;
const closeBracket = 0x5d;
const key = Buffer.from('"model"');

export interface FoundModel {
  readonly name: string;
  /** Offsets of the key's first byte, and of the value with its quotes. */
  readonly keyStart: number;
  readonly valueStart: number;
  readonly valueEnd: number;
}

const isSpace = (byte: number | undefined): boolean => byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;

function skipSpace(body: Buffer, from: number): number {
  let at = from;
  while (isSpace(body[at])) at += 1;
  return at;
}

/** The offset behind a string that starts at `from`; -1 where it does not end. */
function stringEnd(body: Buffer, from: number): number {
  let at = from + 1;
  for (;;) {
    const end = body.indexOf(quote, at);
    if (end === -1) return -1;
    let slashes = 0;
    while (body[end - 1 - slashes] === backslash) slashes += 1;
    if (slashes % 2 === 0) return end + 1;
    at = end + 1;
  }
}

/** The first field `model` of the outermost object, if its value is a string. A body that is no JSON object has none. */
export function findModel(body: Buffer): FoundModel | undefined {
  // Most bodies without the word have no such field; this search runs at the speed of memory.
  const last = body.lastIndexOf(key);
  if (last === -1) return undefined;
  let depth = 0;
  let mayBeKey = false;
  for (let at = 0; at <= last; at += 1) {
    const byte = body[at];
    if (byte === quote) {
      const end = stringEnd(body, at);
      if (end === -1) return undefined;
      if (depth === 1 && mayBeKey && end - at === key.length && body.compare(key, 0, key.length, at, end) === 0) {
        const afterKey = skipSpace(body, end);
        if (body[afterKey] !== colon) return undefined;
        return stringValue(body, at, skipSpace(body, afterKey + 1));
      }
      mayBeKey = false;
      at = end - 1;
    } else if (byte === openBrace || byte === openBracket) {
      depth += 1;
      if (depth === 1 && byte === openBracket) return undefined;
      mayBeKey = byte === openBrace;
    } else if (byte === closeBrace || byte === closeBracket) {
      depth -= 1;
    } else if (byte === comma) {
      mayBeKey = true;
    }
  }
  return undefined;
}

function stringValue(body: Buffer, keyStart: number, valueStart: number): FoundModel | undefined {
  if (body[valueStart] !== quote) return undefined;
  const valueEnd = stringEnd(body, valueStart);
  if (valueEnd === -1) return undefined;
  try {
    const name: unknown = JSON.parse(body.toString('utf8', valueStart, valueEnd));
    return typeof name === 'string' ? { name, keyStart, valueStart, valueEnd } : undefined;
  } catch {
    return undefined;
  }
}

/** The body as the model server is to see it. */
export function rewriteModel(body: Buffer, rule: ModelField): Buffer {
  if (rule.kind === 'keep') return body;
  const found = findModel(body);
  if (found === undefined) return body;
  if (rule.kind === 'replace')
    return Buffer.concat([
      body.subarray(0, found.valueStart),
      Buffer.from(JSON.stringify(rule.name)),
      body.subarray(found.valueEnd),
    ]);
  // One comma goes with the field: the one behind it, or the one before it where it is the last.
  const next = skipSpace(body, found.valueEnd);
  if (body[next] === comma) return Buffer.concat([body.subarray(0, found.keyStart), body.subarray(next + 1)]);
  let before = found.keyStart - 1;
  while (before >= 0 && isSpace(body[before])) before -= 1;
  return Buffer.concat([
    body.subarray(0, body[before] === comma ? before : found.keyStart),
    body.subarray(found.valueEnd),
  ]);
}
