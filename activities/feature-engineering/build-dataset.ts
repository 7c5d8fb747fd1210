// From raw objects to a data set in the object store: read, clean, cut, deduplicate, split, check, upload; the manifest last.

import { createReadStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import type { TaskContext } from '../../dag/context.js';
import { digestOf } from '../../dag/digest.js';
import { SystemError } from '../../dag/failures.js';
import { quarantineKey, s3Uri } from '../../systems/object-store/keys.js';
import type { ObjectStore } from '../../systems/object-store/port.js';
import type { DataSettings } from '../schemas/data-settings.js';
import type { DatasetManifest } from '../schemas/dataset-manifest.js';
import { brokenExpectations, lostFiles } from './expectations.js';
import { nameFullDisk } from './full-disk.js';
import { listSource, type SourceFile } from './list-source.js';
import { addCount, quarantineFile, readSource, type Intake } from './read-source.js';
import { openScratchFolder } from './scratch-folder.js';
import { writeSplitFiles, type SplitFiles } from './split-files.js';
import { StagingTable } from './staging-table.js';
import { storeDataset } from './store-dataset.js';

/** Moves on when the same input under the same settings would give other rows. */
const stageVersion = '4';
const reportEveryMs = 200;

export interface BuildRequest {
  readonly model: string;
  readonly settings: DataSettings;
  /** The last accepted data set. */
  readonly last: DatasetManifest | undefined;
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
  source: SourceListing,
  context: TaskContext,
): Promise<BuiltDataset> {
  const folder = await openScratchFolder();
  try {
    const table = await StagingTable.open(folder, request.settings.deduplicate);
    let intake: Intake;
    let quarantineUri: string | null;
    let split: SplitFiles;
    try {
      intake = await readSource(source.files, table, { folder, settings: request.settings, context });
      quarantineUri = await storeQuarantine(intake, { model: request.model, source, folder }, context);
      reject(request.model, lostFiles(intake.cutOff), quarantineUri);
      split = await writeSplits(table, intake, { folder, settings: request.settings, context });
    } finally {
      table.close();
    }
    return await accept(request, { source, intake, quarantineUri, split, folder }, context);
  } catch (error) {
    throw nameFullDisk(error, folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function storeQuarantine(
  intake: Intake,
  { model, source, folder }: { model: string; source: SourceListing; folder: string },
  { systems: { objects }, signal }: TaskContext,
): Promise<string | null> {
  if (intake.quarantined === 0) return null;
  const key = quarantineKey(model, source.fingerprint);
  await objects.put(key, createReadStream(quarantineFile(folder)), { contentType: 'application/jsonl', signal });
  return s3Uri(objects.bucketName, key);
}

function reject(model: string, broken: readonly string[], quarantineUri: string | null, details: object = {}): void {
  if (broken.length === 0) return;
  const where = quarantineUri === null ? '' : ` Malformed rows, with file and line: ${quarantineUri}.`;
  throw new SystemError(
    'DataRejected',
    `The data for ${model} breaks what is expected of it: ${broken.join('; ')}.${where}`,
    { details: { broken, quarantineUri, ...details } },
  );
}

async function writeSplits(
  table: StagingTable,
  intake: Intake,
  { folder, settings, context }: { folder: string; settings: DataSettings; context: TaskContext },
): Promise<SplitFiles> {
  context.progress({ stage: 'deduplicate', rows: table.rowCount });
  const duplicates = await table.findDuplicates();
  for (const [reason, count] of Object.entries(duplicates.counts)) addCount(intake.dropped, reason, count);
  let written = 0;
  let reportedAtMs = performance.now();
  const onRow = () => {
    written += 1;
    if (performance.now() - reportedAtMs < reportEveryMs) return;
    reportedAtMs = performance.now();
    context.progress({ stage: 'write', rows: written, of: table.rowCount });
  };
  const processedAt = context.run.logicalDate;
  return await writeSplitFiles(table.kept(duplicates), folder, { settings, processedAt, onRow });
}

interface Built {
  readonly source: SourceListing;
  readonly intake: Intake;
  readonly quarantineUri: string | null;
  readonly split: SplitFiles;
  readonly folder: string;
}

async function accept(request: BuildRequest, built: Built, context: TaskContext): Promise<BuiltDataset> {
  const { source, intake, quarantineUri, split, folder } = built;
  const candidate = {
    rows: split.rows,
    records: intake.records,
    quarantinedRows: intake.quarantined,
    profile: split.profile,
  };
  const broken = brokenExpectations(candidate, request.settings, request.last);
  reject(request.model, broken, quarantineUri, { rows: split.rows });

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
    context.systems.objects,
    {
      schema: 1,
      id: digestOf({ stageVersion, settings: request.settings, contents: split.contentDigests }),
      model: request.model,
      settings: request.settings,
      input: {
        fingerprint: source.fingerprint,
        files: source.files.length,
        sizeBytes: source.files.reduce((sum, file) => sum + file.sizeBytes, 0),
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
