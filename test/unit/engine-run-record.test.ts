import { describe, expect, it, vi } from 'vitest';
import { readRunRecord, writeRunRecord, type RunRecordWrite } from '../../activities/engine/run-record.js';
import type { RunRecordHead } from '../../activities/engine/run-record-schema.js';
import { SystemError } from '../../dag/failures.js';
import { runKey } from '../../systems/object-store/keys.js';
import { MemoryObjectStore } from '../../systems/object-store/memory.js';

const head: RunRecordHead = {
  run: {
    dag: 'nightly',
    environment: 'dev',
    workflowId: 'nightly/dev/1',
    runId: 'r1',
    logicalDate: '2026-03-01T02:00:00.000Z',
    trigger: 'schedule',
  },
  graph: { schema: 1, name: 'nightly', digest: 'd', steps: [], output: { kind: 'literal', value: null } },
  params: {},
  dryRun: false,
  startedAt: '2026-03-01T02:00:01.000Z',
};

const write = (sequence: number, more: Partial<RunRecordWrite> = {}): RunRecordWrite => ({
  environment: 'dev',
  dag: 'nightly',
  runId: 'r1',
  sequence,
  state: { status: 'running' },
  steps: {},
  ...more,
});

const stored = async (objects: MemoryObjectStore) =>
  (await readRunRecord(objects, runKey('dev', 'nightly', 'r1')))?.value;

describe('the run record', () => {
  it('takes up what has changed since the last write', async () => {
    const objects = new MemoryObjectStore();
    await writeRunRecord(objects, write(1, { head, steps: { a: { status: 'running' }, b: { status: 'waiting' } } }));
    await writeRunRecord(objects, write(2, { steps: { a: { status: 'success', attempts: 2 } } }));
    expect(await stored(objects)).toMatchObject({
      sequence: 2,
      steps: { a: { status: 'success', attempts: 2 }, b: { status: 'waiting' } },
    });
  });

  it('is not changed by a write that comes late or twice', async () => {
    const objects = new MemoryObjectStore();
    await writeRunRecord(objects, write(1, { head, steps: { a: { status: 'running' } } }));
    await writeRunRecord(objects, write(2, { steps: { a: { status: 'success' } } }));
    const before = await stored(objects);
    expect(await writeRunRecord(objects, write(1, { head, steps: { a: { status: 'waiting' } } }))).toBe('written');
    expect(await writeRunRecord(objects, write(2, { steps: { a: { status: 'failed' } } }))).toBe('written');
    expect(await stored(objects)).toEqual(before);
  });

  it('asks for the whole where it is gone', async () => {
    const objects = new MemoryObjectStore();
    expect(await writeRunRecord(objects, write(3, { steps: { a: { status: 'success' } } }))).toBe('missing');
    expect(await writeRunRecord(objects, write(4, { head, steps: { a: { status: 'success' } } }))).toBe('written');
  });

  it('ends with the newest of writes that race', async () => {
    const objects = new MemoryObjectStore();
    const sequences = [5, 2, 4, 1, 3];
    await Promise.all(
      sequences.map((sequence) =>
        writeRunRecord(objects, write(sequence, { head, steps: { a: { status: 'running', attempts: sequence } } })),
      ),
    );
    expect(await stored(objects)).toMatchObject({ sequence: 5, steps: { a: { attempts: 5 } } });
  });

  it('says so where what lies there cannot be read', async () => {
    const objects = new MemoryObjectStore();
    await objects.put(runKey('dev', 'nightly', 'r1'), '{"schema":');
    await expect(writeRunRecord(objects, write(1, { head }))).rejects.toMatchObject({ type: 'Corrupt' });
  });

  it('is read again where its bytes were damaged on their way', async () => {
    const objects = new MemoryObjectStore();
    await writeRunRecord(objects, write(1, { head, steps: { a: { status: 'running' } } }));
    const get = vi.spyOn(objects, 'get').mockRejectedValueOnce(new SystemError('IntegrityFailed', 'cut off'));
    expect(await stored(objects)).toMatchObject({ sequence: 1 });
    expect(get).toHaveBeenCalledTimes(2);
  });

  it('is not taken for lost where the bucket itself is', async () => {
    const nowhere = new MemoryObjectStore().bucket('nowhere');
    await expect(writeRunRecord(nowhere, write(2))).rejects.toMatchObject({ type: 'NotFound' });
  });
});
