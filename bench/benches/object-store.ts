// Large objects on their way to S3 and back: Pawl's store beside the AWS SDK's own upload and download.

import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { Readable } from 'node:stream';
import { promisify } from 'node:util';
import { z } from 'zod';
import { compiled } from '../compiled.js';
import { atLeast, atMost, figure, Skipped, type Bench } from '../report.js';
import { awsVariables, openBucket, openS3 } from '../servers.js';
import { ratioOf, spreadOf } from '../statistics.js';
import { takeTurns } from '../take-turns.js';

const mebibyte = 1024 ** 2;
const toGet = 'to-get';
const told = z.object({ tookMs: z.number(), cpuMs: z.number(), peakBytes: z.number() });

export const objectStore: Bench = {
  name: 'object-store',
  title: 'put and get of one large object, beside @aws-sdk/lib-storage and a plain get of the SDK',
  async run(context) {
    if (!existsSync('/proc/self/status')) throw new Skipped('peaks of memory are read from /proc, which is not here');
    const sizeBytes = context.quick ? 64 * mebibyte : 1024 * mebibyte;
    const [{ command }, s3] = await Promise.all([compiled(), openS3(context)]);
    const objects = await openBucket(context, s3);
    const peaks = new Map<string, number[]>();
    const cpu = new Map<string, number[]>();
    const note = (kept: Map<string, number[]>, name: string, value: number): void =>
      void kept.set(name, [...(kept.get(name) ?? []), value]);

    /** MiB a second. */
    const transfer = (verb: 'put' | 'get', side: 'pawl' | 'sdk') => async (): Promise<number> => {
      const key = verb === 'get' ? toGet : `put-by-${side}`;
      const program = command('bench/programs/s3-transfer', [verb, side, objects.bucketName, key, String(sizeBytes)]);
      const { stdout } = await promisify(execFile)(program.command, program.args, {
        env: { ...process.env, ...awsVariables(s3) },
      });
      const { tookMs, cpuMs, peakBytes } = told.parse(JSON.parse(stdout));
      note(peaks, `${verb} ${side}`, peakBytes / mebibyte);
      note(cpu, `${verb} ${side}`, cpuMs);
      if (verb === 'put') await objects.delete(key);
      return sizeBytes / mebibyte / (tookMs / 1000);
    };

    const turns = context.quick ? { rounds: 2 } : { rounds: 7, warmUps: 1 };
    const puts = await takeTurns({ pawl: transfer('put', 'pawl'), sdk: transfer('put', 'sdk') }, turns);
    context.say('puts are done');
    await putForReaders(objects, sizeBytes);
    // A get takes a fifth of a put's time, and varies more.
    const gets = await takeTurns(
      { pawl: transfer('get', 'pawl'), sdk: transfer('get', 'sdk') },
      { ...turns, rounds: 3 * turns.rounds },
    );
    const kept = (of: Map<string, number[]>, name: string) => spreadOf(of.get(name) ?? []);
    const size = `${sizeBytes / mebibyte} MiB`;
    return {
      aimed: [
        atLeast(1, figure(`put of ${size}, Pawl to lib-storage`, '×', ratioOf(puts.pawl, puts.sdk))),
        atLeast(1, figure(`get of ${size}, Pawl to the SDK`, '×', ratioOf(gets.pawl, gets.sdk))),
        atMost(200, figure('put, Pawl’s peak memory', 'MiB', kept(peaks, 'put pawl'))),
        atMost(200, figure('get, Pawl’s peak memory', 'MiB', kept(peaks, 'get pawl'))),
      ],
      figures: [
        figure('put, Pawl', 'MiB/s', spreadOf(puts.pawl)),
        figure('put, lib-storage', 'MiB/s', spreadOf(puts.sdk)),
        figure('get, Pawl', 'MiB/s', spreadOf(gets.pawl)),
        figure('get, SDK', 'MiB/s', spreadOf(gets.sdk)),
        figure('put, lib-storage’s peak memory', 'MiB', kept(peaks, 'put sdk')),
        figure('get, SDK’s peak memory', 'MiB', kept(peaks, 'get sdk')),
        figure('put, Pawl’s CPU', 'ms', kept(cpu, 'put pawl')),
        figure('put, lib-storage’s CPU', 'ms', kept(cpu, 'put sdk')),
        figure('get, Pawl’s CPU', 'ms', kept(cpu, 'get pawl')),
        figure('get, SDK’s CPU', 'ms', kept(cpu, 'get sdk')),
      ],
      notes: [
        'a process for each transfer, in turns; peaks are VmHWM of the whole process; parts of 8 MiB, 4 at once, on both sides',
        'checks of a put: Pawl sends a CRC-32 for each part and for the whole object, which the server keeps, and answers the SHA-256 of the whole; the SDK, by its defaults, sends a CRC-32 and a SHA-256 for each part, and none for the whole',
        'checks of a get: both hold what arrives to the CRC-32 of the whole object',
      ],
    };
  },
};

type Store = Awaited<ReturnType<typeof openBucket>>;

/** The object that both sides get, put by Pawl, so that it carries a checksum of its whole. */
async function putForReaders(objects: Store, sizeBytes: number): Promise<void> {
  const chunk = Buffer.alloc(mebibyte, 'pawl');
  const body = Readable.from(
    (function* () {
      for (let left = sizeBytes; left > 0; left -= chunk.length) yield chunk;
    })(),
    { objectMode: false },
  );
  await objects.put(toGet, body);
}
