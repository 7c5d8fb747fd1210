// Turns a record into rows of the data set: normalised, masked, cut into chunks, formatted as instructions.

import { sha256Hex } from '../../dag/digest.js';
import type { DataSettings } from '../schemas/data-settings.js';
import { chunkText, type Tokenizer } from './chunk.js';
import type { SourceFile } from './list-source.js';
import { maskPersonalData } from './mask.js';
import { normalise, wholeCharacters } from './normalise.js';
import { isDocument } from './read-records.js';

/** A row as it stands in the data set, but for `processed_at`, which is no part of the digest. */
export interface DatasetRow {
  readonly id: string;
  readonly chunk_id: string;
  readonly source_document_id: string;
  readonly text_content: string;
  /** Rows of one source are in one split. */
  readonly source: string;
  readonly slices: Readonly<Record<string, string>>;
  readonly prompt?: string;
  readonly completion?: string;
  readonly messages?: readonly { readonly role: string; readonly content: string }[];
}

export type Drop = 'empty' | 'too_short' | 'missing_field' | 'duplicate' | 'near_duplicate';

export interface BuiltRows {
  readonly rows: readonly { readonly row: DatasetRow; readonly tokens: number }[];
  readonly dropped: readonly Drop[];
  readonly masked: Readonly<Record<string, number>>;
}

interface Place {
  readonly file: SourceFile;
  readonly line: number;
  /** Which of the file's records it is, from 1: two blocks of a text may begin in one line. */
  readonly nth: number;
}

/** The template with its fields put in; undefined where one of them is absent, or where nothing but white space comes of it. */
const fill = (template: string, valueOf: (name: string) => string | undefined): string | undefined => {
  let complete = true;
  const filled = template.replace(/\{([\w.-]+)\}/g, (_, name: string) => {
    const value = valueOf(name);
    complete &&= value !== undefined;
    return value ?? '';
  });
  return complete && (filled.trim() !== '' || template.trim() === '') ? filled : undefined;
};

const asText = (value: unknown): string => {
  if (typeof value === 'string') return wholeCharacters(value);
  return value === undefined || value === null ? '' : (JSON.stringify(value) ?? '');
};

interface Message {
  readonly role: string;
  readonly content: string;
}

const isMessage = (value: unknown): value is Message =>
  typeof value === 'object' &&
  value !== null &&
  'role' in value &&
  'content' in value &&
  typeof value.role === 'string' &&
  typeof value.content === 'string';

/** The rows of one record; pure but for what the tokenizer keeps. */
export function buildRows(
  record: Readonly<Record<string, unknown>>,
  place: Place,
  settings: DataSettings,
  tokenizer: Tokenizer,
): BuiltRows {
  const masked: Record<string, number> = {};
  const clean = (text: string): string => {
    const { text: safe, counts } = maskPersonalData(normalise(text), settings.mask);
    for (const [name, count] of Object.entries(counts)) masked[name] = (masked[name] ?? 0) + count;
    return safe;
  };

  const { file, line } = place;
  const { fields } = settings;
  const folders = file.path.split('/');
  const about = { path: file.path, file: folders.at(-1) ?? '', folder: folders.at(-2) ?? '' };
  const whole = isDocument(file.format);
  const documentId = whole
    ? file.document
    : asText(fields.id === undefined ? undefined : record[fields.id]) || `${file.document}#${line}`;
  const source = fields.source === undefined ? documentId : asText(record[fields.source]) || documentId;
  const scope = { ...record, ...about };
  const slices = Object.fromEntries(settings.slices.map((name) => [name, asText(scope[name as keyof typeof scope])]));
  const base = { source_document_id: documentId, source, slices };
  const drop = (reason: Drop): BuiltRows => ({ rows: [], dropped: [reason], masked });

  const cleaned = new Map<string, string>();
  /** A field of the record, cleaned and masked once, however many rows and templates name it. */
  const fieldOf = (name: string): string => {
    const text = cleaned.get(name) ?? clean(asText(record[name]));
    cleaned.set(name, text);
    return text;
  };
  /** Undefined where the record lacks what the instruction names. */
  const instructed = (content: string): { prompt?: string; completion?: string } | undefined => {
    const own: Record<string, string> = { ...about, text_content: content };
    const valueOf = (name: string): string | undefined => {
      if (Object.hasOwn(own, name)) return own[name];
      return Object.hasOwn(record, name) && record[name] !== null ? fieldOf(name) : undefined;
    };
    const { instruction } = settings;
    if (instruction === undefined) return {};
    const prompt = fill(instruction.prompt, valueOf);
    const completion = fill(instruction.completion, valueOf);
    // A prompt may be empty where its template is: a model may learn to begin. A completion is what is learnt.
    return prompt === undefined || completion === undefined || completion === '' ? undefined : { prompt, completion };
  };

  if (!whole && fields.messages !== undefined) {
    const messages = record[fields.messages];
    if (!Array.isArray(messages) || messages.length === 0 || !messages.every(isMessage)) return drop('missing_field');
    // Nothing could be learnt from it.
    if (!messages.some(({ role }) => role === 'assistant')) return drop('missing_field');
    const turns = messages.map(({ role, content }) => ({ role: asText(role), content: clean(content) }));
    const text = turns.map(({ role, content }) => `${role}: ${content}`).join('\n');
    return {
      rows: [
        {
          row: { ...base, ...identified(place, 0), text_content: text, messages: turns },
          tokens: tokenizer.count(text),
        },
      ],
      dropped: [],
      masked,
    };
  }
  if (!whole && fields.prompt !== undefined && fields.completion !== undefined) {
    const prompt = fieldOf(fields.prompt);
    const completion = fieldOf(fields.completion);
    if (prompt === '' || completion === '') return drop('missing_field');
    const text = `${prompt}\n${completion}`;
    const said = instructed(text);
    if (said === undefined) return drop('missing_field');
    return {
      rows: [
        {
          row: { ...base, ...identified(place, 0), text_content: text, prompt, completion, ...said },
          tokens: tokenizer.count(text),
        },
      ],
      dropped: [],
      masked,
    };
  }

  const given = whole ? record['text_content'] : record[fields.text];
  if (typeof given !== 'string') return drop('missing_field');
  const text = clean(given);
  if (text === '') return drop('empty');
  const chunks =
    settings.kind === 'documents'
      ? chunkText(text, settings.chunk, tokenizer)
      : [{ text, tokens: tokenizer.count(text) }];
  const long = chunks.filter(({ tokens }) => tokens >= settings.chunk.minTokens);
  const rows = long.flatMap(({ text: content, tokens }, index) => {
    const said = instructed(content);
    return said === undefined
      ? []
      : [{ row: { ...base, ...identified(place, index), text_content: content, ...said }, tokens }];
  });
  return {
    rows,
    dropped: [
      ...chunks.slice(long.length).map(() => 'too_short' as const),
      ...long.slice(rows.length).map(() => 'missing_field' as const),
    ],
    masked,
  };
}

const identified = ({ file, nth }: Place, index: number) => {
  const id = sha256Hex(JSON.stringify([file.bucket, file.key, nth, index])).slice(0, 32);
  return { id, chunk_id: id };
};
