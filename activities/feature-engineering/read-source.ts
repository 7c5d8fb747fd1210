// Reads every file of a source into the staging table, and keeps what cannot be read apart.

import { appendFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TaskContext } from '../../dag/context.js';
import type { DataSettings } from '../schemas/data-settings.js';
import { loadTokenizer } from './chunk.js';
import type { Unread } from './expectations.js';
import type { SourceFile } from './list-source.js';
import { readRecords } from './read-records.js';
import { buildRows } from './rows.js';
import type { StagingTable } from './staging-table.js';

const pauseEveryMs = 200;

export interface Intake {
  records: number;
  quarantined: number;
  /** Files whose rest is lost. */
  readonly cutOff: Unread[];
  readonly dropped: Record<string, number>;
  readonly masked: Record<string, number>;
}

export async function readSource(
  files: readonly SourceFile[],
  table: StagingTable,
  { folder, settings, context }: { folder: string; settings: DataSettings; context: TaskContext },
): Promise<Intake> {
  const tokenizer = await loadTokenizer(settings.chunk.tokenizer);
  const intake: Intake = { records: 0, quarantined: 0, cutOff: [], dropped: {}, masked: {} };
  let pausedAtMs = performance.now();
  for (const [index, file] of files.entries()) {
    context.signal.throwIfAborted();
    const report = (): void =>
      context.progress({ stage: 'read', file: index + 1, of: files.length, records: intake.records });
    const { body } = await context.systems.objects.bucket(file.bucket).get(file.key, { signal: context.signal });
    const place = `s3://${file.bucket}/${file.key}`;
    const quarantine: string[] = [];
    let nth = 0;
    try {
      for await (const read of readRecords(body, { format: file.format, place, spoolFile: join(folder, 'spool') })) {
        intake.records += 1;
        nth += 1;
        if (read.kind === 'record') {
          const { rows, dropped, masked } = buildRows(read.record, { file, line: read.line, nth }, settings, tokenizer);
          rows.forEach((row) => table.add(row));
          dropped.forEach((reason) => addCount(intake.dropped, reason));
          for (const [name, count] of Object.entries(masked)) addCount(intake.masked, name, count);
        } else {
          const unread: Unread = { file: place, line: read.line, reason: read.reason };
          intake.quarantined += 1;
          quarantine.push(JSON.stringify(unread));
          if (read.kind === 'cut-off') intake.cutOff.push(unread);
        }
        if (quarantine.length >= 1_000) await writeQuarantine(folder, quarantine);
        if (performance.now() - pausedAtMs >= pauseEveryMs) {
          report();
          // Parsing and hashing are synchronous: without a pause no heartbeat and no cancellation would get through.
          await new Promise(setImmediate);
          context.signal.throwIfAborted();
          pausedAtMs = performance.now();
        }
      }
    } finally {
      // A body that is left half read would keep its connection, of which there are fifty.
      body.destroy();
    }
    await writeQuarantine(folder, quarantine);
    report();
  }
  return intake;
}

export const addCount = (counts: Record<string, number>, name: string, count = 1): void => {
  counts[name] = (counts[name] ?? 0) + count;
};

export const quarantineFile = (folder: string): string => join(folder, 'quarantine.jsonl');

const writeQuarantine = async (folder: string, lines: string[]): Promise<void> => {
  if (lines.length === 0) return;
  await appendFile(quarantineFile(folder), `${lines.splice(0).join('\n')}\n`);
};
