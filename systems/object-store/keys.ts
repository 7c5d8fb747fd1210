// Every key of Pawl's bucket, one function each, so that no key is put together anywhere else. Nothing here does I/O.

import { SystemError } from '../../dag/failures.js';

const maxKeyBytes = 1024;
// `%2e`, `%2f`, `%5c`, `%00`, and the same encoded once more: some proxies decode before they route.
const encodedForm = /%(?:25)*(?:2e|2f|5c|00)/i;
// C0, DEL and C1 controls, and halves of surrogate pairs, which UTF-8 cannot carry.
const unwritable = /[\p{Cc}\p{Cs}]/u;

/** Why a key or prefix must not be used, as the end of a sentence; `undefined` where it may. */
function faultOfSegment(segment: string): string | undefined {
  if (segment === '') return 'has an empty segment';
  if (segment === '.' || segment === '..') return `has the segment '${segment}'`;
  return faultOfText(segment);
}

function faultOfText(text: string): string | undefined {
  if (unwritable.test(text)) return 'holds a control character or half a surrogate pair';
  if (text.includes('\\')) return 'holds a backslash';
  if (encodedForm.test(text)) return 'holds a percent-encoded dot, slash, backslash or NUL';
  return undefined;
}

const refuse = (what: string, key: string, fault: string): never => {
  throw new SystemError(
    'InvalidInput',
    `The ${what} ${JSON.stringify(key.slice(0, 200))} ${fault}: choose another name.`,
  );
};

const tooLong = `is longer than ${maxKeyBytes} bytes`;

/** Joins segments into a key; throws `InvalidInput` for what could leave its folder or would not survive the way. */
export function objectKey(...segments: readonly string[]): string {
  for (const segment of segments) {
    if (segment.includes('/')) refuse('key segment', segment, 'holds a slash');
  }
  return checkKey(segments.join('/'));
}

/** Answers the key itself; throws `InvalidInput` where `objectKey` could not have built it. */
export function checkKey(key: string): string {
  if (key.startsWith('/')) refuse('object key', key, 'starts with a slash');
  for (const segment of key.split('/')) {
    const fault = faultOfSegment(segment);
    if (fault !== undefined) refuse('object key', key, fault);
  }
  if (Buffer.byteLength(key) > maxKeyBytes) refuse('object key', key, tooLong);
  return key;
}

/** Like `checkKey`, for a prefix: it may be empty, and may end with a slash or within a segment. */
export function checkPrefix(prefix: string): string {
  if (prefix.startsWith('/')) refuse('key prefix', prefix, 'starts with a slash');
  const segments = prefix.split('/');
  for (const segment of segments.slice(0, -1)) {
    const fault = faultOfSegment(segment);
    if (fault !== undefined) refuse('key prefix', prefix, fault);
  }
  const fault = faultOfText(segments.at(-1) ?? '');
  if (fault !== undefined) refuse('key prefix', prefix, fault);
  if (Buffer.byteLength(prefix) > maxKeyBytes) refuse('key prefix', prefix, tooLong);
  return prefix;
}

/** A file below a folder; `path` is relative, its parts divided by slashes. */
export const fileKey = (folderPrefix: string, path: string): string =>
  checkKey(`${folderPrefix.endsWith('/') ? folderPrefix : `${folderPrefix}/`}${path}`);

// Stores that keep objects as files cannot hold `a.json` beside `a.json/…`, so no name may end like an object of its neighbour.
function name(text: string): string {
  if (text.endsWith('.json')) refuse('name', text, "ends with '.json'");
  // By itself, before anything is added to it: `.json` would hide that it is empty or a dot.
  return objectKey(text);
}

function counter(value: number, digits: number): string {
  if (!Number.isSafeInteger(value) || value < 0 || String(value).length > digits)
    throw new SystemError(
      'InvalidInput',
      `The number ${value} cannot stand in a key: it must be whole, from 0, of at most ${digits} digits.`,
    );
  return String(value).padStart(digits, '0');
}

const folder = (...segments: readonly string[]): string => `${objectKey(...segments)}/`;

export const endpointKey = (environment: string, model: string): string =>
  objectKey('endpoints', name(environment), `${name(model)}.json`);
export const endpointsPrefix = (environment: string): string => folder('endpoints', name(environment));
export const endpointHistoryPrefix = (environment: string, model: string): string =>
  folder('endpoints', name(environment), name(model), 'history');
export const endpointHistoryKey = (environment: string, model: string, generation: number): string =>
  objectKey('endpoints', name(environment), name(model), 'history', `${counter(generation, 10)}.json`);

export const servingKey = (environment: string, model: string, version: number): string =>
  objectKey('serving', name(environment), name(model), `${counter(version, 6)}.json`);
export const servingPrefix = (environment: string, model: string): string =>
  folder('serving', name(environment), name(model));
export const servingsPrefix = (environment: string): string => folder('serving', name(environment));

export const modelsPrefix = (): string => folder('models');
export const versionKey = (model: string, version: number): string =>
  objectKey('models', name(model), 'versions', `${counter(version, 6)}.json`);
export const versionsPrefix = (model: string): string => folder('models', name(model), 'versions');
/** Which version number an artifact has, or has been promised. */
export const versionByDigestKey = (model: string, digest: string): string =>
  objectKey('models', name(model), 'digests', `${name(digest)}.json`);
export const versionTagsKey = (model: string, version: number): string =>
  objectKey('models', name(model), 'tags', `${counter(version, 6)}.json`);
export const artifactPrefix = (model: string, digest: string): string =>
  folder('models', name(model), 'artifacts', digest);
export const aliasesKey = (model: string, environment: string): string =>
  objectKey('models', name(model), 'aliases', `${name(environment)}.json`);
/** Older moves of the aliases, in immutable objects. */
export const aliasSegmentKey = (model: string, environment: string, segment: number): string =>
  objectKey('models', name(model), 'aliases', name(environment), `${counter(segment, 6)}.json`);

export const datasetPrefix = (model: string, datasetId: string): string => folder('datasets', name(model), datasetId);
export const datasetManifestKey = (model: string, datasetId: string): string =>
  objectKey('datasets', name(model), datasetId, 'manifest.json');
/** What could not be read of an input; `fingerprint` names the input and what is done with it. */
export const quarantineKey = (model: string, fingerprint: string): string =>
  objectKey('datasets', name(model), 'inputs', fingerprint, 'quarantine.jsonl');
export const latestDatasetKey = (model: string, environment: string): string =>
  objectKey('datasets', name(model), 'latest', `${name(environment)}.json`);

export const jobClaimKey = (environment: string, key: string): string =>
  objectKey('jobs', name(environment), key, 'claim.json');
/** Without the zeros that sort: an epoch's folder is never listed in order. */
const epochFolder = (epoch: number): string => counter(epoch, 10).replace(/^0+(?=\d)/, '');
export const jobResultKey = (environment: string, key: string, epoch: number): string =>
  objectKey('jobs', name(environment), key, epochFolder(epoch), 'result.json');
/** What its program wrote, as it was when the job was let go of. */
export const jobLogKey = (environment: string, key: string, epoch: number): string =>
  objectKey('jobs', name(environment), key, epochFolder(epoch), 'log.txt');
export const jobCheckpointsPrefix = (environment: string, key: string): string =>
  folder('jobs', name(environment), key, 'checkpoints');
export const jobsPrefix = (environment: string): string => folder('jobs', name(environment));

export const evaluationPrefix = (environment: string, key: string): string =>
  folder('evaluations', name(environment), key);

export const runKey = (environment: string, dag: string, runId: string): string =>
  objectKey('runs', name(environment), name(dag), `${name(runId)}.json`);
export const runsPrefix = (environment: string, dag?: string): string =>
  dag === undefined ? folder('runs', name(environment)) : folder('runs', name(environment), name(dag));

const bucketName = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/;

/** `s3://bucket/some/prefix/` → its bucket and key (empty for the whole bucket); throws `InvalidInput`. */
export function parseS3Uri(uri: string): { bucket: string; key: string } {
  const match = /^s3:\/\/([^/]*)(?:\/(.*))?$/s.exec(uri);
  const bucket = match?.[1] ?? '';
  if (match === null || !bucketName.test(bucket) || bucket.includes('..'))
    throw new SystemError(
      'InvalidInput',
      `${JSON.stringify(uri.slice(0, 200))} is no S3 address: write s3://bucket/key.`,
    );
  return { bucket, key: checkPrefix(match[2] ?? '') };
}

export const s3Uri = (bucket: string, key: string): string => `s3://${bucket}/${checkPrefix(key)}`;

/** What `pawl doctor` writes to see whether conditional writes hold, and takes away again. */
export const doctorKey = (id: string): string => objectKey('doctor', name(id));
