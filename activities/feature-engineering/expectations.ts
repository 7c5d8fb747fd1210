// Is the data fit to train on? Checked before any GPU is spent. Pure.

import type { DataSettings } from '../schemas/data-settings.js';
import type { DatasetManifest, DatasetProfile } from '../schemas/dataset-manifest.js';

export interface Candidate {
  readonly rows: DatasetManifest['rows'];
  readonly records: number;
  readonly quarantinedRows: number;
  readonly profile: DatasetProfile;
}

/** A row that could not be read, or the place from which on a file could not be. */
export interface Unread {
  readonly file: string;
  readonly line: number;
  readonly reason: string;
}

const mostNamed = 10;

/** One sentence for each file whose rest is lost: how many rows that are nobody knows, so no share of them is few enough. */
export function lostFiles(cutOff: readonly Unread[]): readonly string[] {
  const named = cutOff
    .slice(0, mostNamed)
    .map(({ file, line, reason }) => `${file} cannot be read from line ${line} on (${reason})`);
  const more = cutOff.length - named.length;
  return more === 0 ? named : [...named, `nor can ${more} more files be read to their ends`];
}

const total = (rows: DatasetManifest['rows']): number => rows.train + rows.validation + rows.test;

const changePercent = (from: number, to: number): number =>
  from === 0 ? (to === 0 ? 0 : Infinity) : (Math.abs(to - from) / from) * 100;

const shown = (percent: number): string => `${percent.toFixed(1)} %`;

/** A field that the settings no longer make has not gone, but been given up. */
function isAskedFor(field: string, { fields, instruction }: DataSettings): boolean {
  if (field === 'messages') return fields.messages !== undefined;
  if (field === 'prompt' || field === 'completion') return fields.prompt !== undefined || instruction !== undefined;
  return true;
}

/** One sentence for each expectation that is broken; none where all hold. `last`: the last accepted data set. */
export function brokenExpectations(
  candidate: Candidate,
  settings: DataSettings,
  last: DatasetManifest | undefined,
): readonly string[] {
  const { expect, split } = settings;
  const rows = total(candidate.rows);
  const broken: string[] = [];

  const quarantinedPercent = candidate.records === 0 ? 0 : (candidate.quarantinedRows / candidate.records) * 100;
  if (quarantinedPercent > expect.maxQuarantinedPercent)
    broken.push(
      `${shown(quarantinedPercent)} of the records are malformed, and at most ${shown(expect.maxQuarantinedPercent)} may be`,
    );
  if (expect.minRows !== undefined && rows < expect.minRows)
    broken.push(`there are ${rows} rows, and at least ${expect.minRows} are expected`);
  if (candidate.rows.train === 0) broken.push('there is no row to train on');
  if (split.validationPercent > 0 && candidate.rows.validation === 0)
    broken.push('no source fell into the validation split: give more sources, or another split');
  if (split.testPercent > 0 && candidate.rows.test === 0)
    broken.push('no source fell into the test split: give more sources, or another split');
  for (const field of expect.fields) {
    if ((candidate.profile.fields[field] ?? 0) < 0.01)
      broken.push(`fewer than one row in a hundred has the field '${field}'`);
  }
  if (last === undefined) return broken;

  const change = changePercent(total(last.rows), rows);
  if (expect.maxRowChangePercent !== undefined && change > expect.maxRowChangePercent)
    broken.push(
      `the rows changed from ${total(last.rows)} to ${rows} (${shown(change)}), and at most ${shown(expect.maxRowChangePercent)} is expected`,
    );
  const gone = Object.keys(last.profile.fields).filter(
    (field) => isAskedFor(field, settings) && !(field in candidate.profile.fields),
  );
  if (gone.length > 0) broken.push(`the fields ${gone.join(', ')} of the last data set are gone`);
  const median = candidate.profile.tokenDeciles[5] ?? 0;
  const lastMedian = last.profile.tokenDeciles[5] ?? 0;
  const lengthChange = changePercent(lastMedian, median);
  if (expect.maxLengthChangePercent !== undefined && lengthChange > expect.maxLengthChangePercent)
    broken.push(
      `the median length changed from ${lastMedian} to ${median} tokens (${shown(lengthChange)}), and at most ${shown(expect.maxLengthChangePercent)} is expected`,
    );
  return broken;
}
