// From raw objects to a data set in the object store: read, clean, cut, deduplicate, split, check, upload; the manifest last.

import { createReadStream } from 'node:fs';
import { appendFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { TaskContext } from '../../dag/context.js';
import { digestOf } from '../../dag/digest.js';
import { SystemError } from '../../dag/failures.js';
import { quarantineKey, s3Uri } from '../../systems/object-store/keys.js';
import type { ObjectStore } from '../../systems/object-store/port.js';
import type { DataSettings } from '../schemas/data-settings.js';
import type { DatasetManifest } from '../schemas/dataset-manifest.js';
import { loadTokenizer } from './chunk.js';
import { brokenExpectations } from './expectations.js';
import { listSource, type SourceFile } from './list-source.js';
import { readRecords } from './read-records.js';
import { buildRows } from './rows.js';
import { openScratchFolder } from './scratch-folder.js';
import { writeSplitFiles, type SplitFiles } from './split-files.js';
import { StagingTable } from './staging-table.js';
import { storeDataset } from './store-dataset.js';

/** Moves on when the same input under the same settings would give other rows. */
const stageVersion = '2';
const reportEveryRows = 20_000;

export interface BuildRequest {
  readonly model: string;
  readonly settings: DataSettings;
  /** The last accepted data set. */
  readonly last: DatasetManifest | undefined;
}

interface Intake {
  records: number;
  quarantined: number;
  readonly dropped: Record<string, number>;
  readonly masked: Record<string, number>;
}

export interface SourceListing {
  readonly files: readonly SourceFile[];
  /** SHA-256 over what the files are and what is done with them. */
  readonly fingerprint: string;
}

export async function inspectSource(objects: ObjectStore, settings: DataSettings): Promise<SourceListing> {
  const files = await listSource(objects, settings);
  const inputs = files.map(({ bucket, key, etag, sizeBytes }) => [bucket, key, etag, sizeBytes]);
  return { files, fingerprint: digestOf({ stageVersion, settings, inputs }) };
}

export interface BuiltDataset {
  /** As it stands in the store: that of the first input that gave these rows. */
  readonly manifest: DatasetManifest;
  /** What was met on the way to them this time. */
  readonly report: Pick<DatasetManifest, 'dropped' | 'quarantined' | 'masked'>;
}

/** Throws `DataRejected` where an expectation is broken; nothing is stored then but the quarantined rows. */
export async function buildDataset(
  request: BuildRequest,
  { files, fingerprint }: SourceListing,
  context: TaskContext,
): Promise<BuiltDataset> {
  const folder = await openScratchFolder();
  try {
    const table = await StagingTable.open(folder, request.settings.deduplicate);
    let intake: Intake;
    let split: SplitFiles;
    try {
      intake = await readAll(files, table, { folder, settings: request.settings, context });
      context.progress({ stage: 'deduplicate', rows: table.rowCount });
      const duplicates = await table.findDuplicates();
      for (const [reason, count] of Object.entries(duplicates.counts)) add(intake.dropped, reason, count);
      let written = 0;
      const onRow = () => {
        written += 1;
        if (written % reportEveryRows === 0) context.progress({ stage: 'write', rows: written, of: table.rowCount });
      };
      split = await writeSplitFiles(table.kept(duplicates), folder, {
        settings: request.settings,
        processedAt: context.run.logicalDate,
        onRow,
      });
    } finally {
      table.close();
    }
    return await accept(request, { files, fingerprint, intake, split, folder }, context);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const add = (counts: Record<string, number>, name: string, count = 1): void => {
  counts[name] = (counts[name] ?? 0) + count;
};

async function readAll(
  files: readonly SourceFile[],
  table: StagingTable,
  { folder, settings, context }: { folder: string; settings: DataSettings; context: TaskContext },
): Promise<Intake> {
  const tokenizer = await loadTokenizer(settings.chunk.tokenizer);
  const intake: Intake = { records: 0, quarantined: 0, dropped: {}, masked: {} };
  for (const [index, file] of files.entries()) {
    context.signal.throwIfAborted();
    const { body } = await context.systems.objects.bucket(file.bucket).get(file.key, { signal: context.signal });
    const quarantine: string[] = [];
    for await (const read of readRecords(body, file.format, join(folder, 'spool'))) {
      intake.records += 1;
      if (read.kind === 'malformed') {
        intake.quarantined += 1;
        quarantine.push(
          JSON.stringify({ file: `s3://${file.bucket}/${file.key}`, line: read.line, reason: read.reason }),
        );
      } else {
        const { rows, dropped, masked } = buildRows(read.record, { file, line: read.line }, settings, tokenizer);
        rows.forEach((row) => table.add(row));
        dropped.forEach((reason) => add(intake.dropped, reason));
        for (const [name, count] of Object.entries(masked)) add(intake.masked, name, count);
      }
      if (quarantine.length >= 1_000) await writeQuarantine(folder, quarantine);
      if (intake.records % reportEveryRows === 0) {
        context.progress({ stage: 'read', file: index + 1, of: files.length, records: intake.records });
        // Parsing and hashing are synchronous: without a pause no heartbeat and no cancellation would get through.
        await new Promise(setImmediate);
        context.signal.throwIfAborted();
      }
    }
    await writeQuarantine(folder, quarantine);
    context.progress({ stage: 'read', file: index + 1, of: files.length, records: intake.records });
  }
  return intake;
}

const writeQuarantine = async (folder: string, lines: string[]): Promise<void> => {
  if (lines.length === 0) return;
  await appendFile(join(folder, 'quarantine.jsonl'), `${lines.splice(0).join('\n')}\n`);
};

interface Built {
  readonly files: readonly SourceFile[];
  readonly fingerprint: string;
  readonly intake: Intake;
  readonly split: SplitFiles;
  readonly folder: string;
}

async function accept(request: BuildRequest, built: Built, context: TaskContext): Promise<BuiltDataset> {
  const { intake, split, folder } = built;
  const { objects } = context.systems;

  let quarantineUri: string | null = null;
  if (intake.quarantined > 0) {
    const key = quarantineKey(request.model, built.fingerprint);
    await objects.put(key, createReadStream(join(folder, 'quarantine.jsonl')), {
      contentType: 'application/jsonl',
      signal: context.signal,
    });
    quarantineUri = s3Uri(objects.bucketName, key);
  }
  const candidate = {
    rows: split.rows,
    records: intake.records,
    quarantinedRows: intake.quarantined,
    profile: split.profile,
  };
  const broken = brokenExpectations(candidate, request.settings, request.last);
  if (broken.length > 0) {
    const where = quarantineUri === null ? '' : ` Malformed rows, with file and line: ${quarantineUri}.`;
    throw new SystemError(
      'DataRejected',
      `The data for ${request.model} breaks what is expected of it: ${broken.join('; ')}.${where}`,
      {
        details: { broken, quarantineUri, rows: split.rows },
      },
    );
  }

  const report: BuiltDataset['report'] = {
    dropped: intake.dropped,
    quarantined: {
      rows: intake.quarantined,
      percent: intake.records === 0 ? 0 : (intake.quarantined / intake.records) * 100,
      uri: quarantineUri,
    },
    masked: intake.masked,
  };
  const manifest = await storeDataset(
    objects,
    {
      schema: 1,
      id: digestOf({ stageVersion, settings: request.settings, contents: split.contentDigests }),
      model: request.model,
      settings: request.settings,
      input: {
        fingerprint: built.fingerprint,
        files: built.files.length,
        sizeBytes: built.files.reduce((sum, file) => sum + file.sizeBytes, 0),
        records: intake.records,
      },
      rows: split.rows,
      ...report,
      profile: split.profile,
      processedAt: context.run.logicalDate,
      workflowId: context.run.workflowId,
    },
    {
      folder,
      rows: split.rows,
      signal: context.signal,
      onFile: (file) => context.progress({ stage: 'upload', file }),
    },
  );
  return { manifest, report };
}
