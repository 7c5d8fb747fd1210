// Which headers go on to the other side. Works on the flat lists of names and values that Node and undici read them into.

/** Those that speak about one connection only (RFC 9110, 7.6.1), and those that the other side's library writes itself. */
const notForwarded = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'proxy-authenticate',
  'proxy-authorization',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'host',
  'expect',
]);
const lengths = new Set([...notForwarded].map((name) => name.length));

const isConnections = (name: string): boolean => lengths.has(name.length) && notForwarded.has(name.toLowerCase());
const isNamed = (name: string, wanted: string): boolean =>
  name.length === wanted.length && name.toLowerCase() === wanted;

/** `keepLength`: the body goes on as it comes; otherwise its length is counted anew. */
export function requestHeaders(raw: readonly string[], keepLength: boolean): string[] {
  const headers: string[] = [];
  let named: readonly string[] | undefined;
  for (let index = 0; index < raw.length; index += 2) {
    const name = raw[index] ?? '';
    const value = raw[index + 1] ?? '';
    if (isConnections(name)) {
      if (name.length === 10 && value.length > 0) named = connectionOptions(value);
      continue;
    }
    if (!keepLength && isNamed(name, 'content-length')) continue;
    headers.push(name, value);
  }
  return named === undefined || named.length === 0 ? headers : withoutNamed(headers, named);
}

export function responseHeaders(raw: readonly (Buffer | string)[]): string[] {
  const headers: string[] = [];
  for (let index = 0; index < raw.length; index += 2) {
    const name = text(raw[index]);
    if (!isConnections(name)) headers.push(name, text(raw[index + 1]));
  }
  return headers;
}

const text = (value: Buffer | string | undefined): string =>
  typeof value === 'string' ? value : (value?.toString('latin1') ?? '');

/** Headers that the sender's `Connection` header names belong to that connection, too. */
function connectionOptions(value: string): readonly string[] | undefined {
  const lower = value.toLowerCase();
  if (lower === 'keep-alive' || lower === 'close') return undefined;
  return lower.split(',').flatMap((option) => {
    const name = option.trim();
    return name === '' || name === 'keep-alive' || name === 'close' ? [] : [name];
  });
}

function withoutNamed(headers: readonly string[], named: readonly string[]): string[] {
  const kept: string[] = [];
  for (let index = 0; index < headers.length; index += 2) {
    const name = headers[index] ?? '';
    if (!named.includes(name.toLowerCase())) kept.push(name, headers[index + 1] ?? '');
  }
  return kept;
}
