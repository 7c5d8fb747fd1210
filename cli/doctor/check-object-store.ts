// S3, as `pawl doctor` sees it: the bucket, the credentials, and whether conditional writes hold, on which everything rests.

import { randomUUID } from 'node:crypto';
import { SystemError } from '../../dag/failures.js';
import { doctorKey } from '../../systems/object-store/keys.js';
import type { ObjectStore } from '../../systems/object-store/port.js';
import { localTime } from '../format.js';
import type { Session } from '../session.js';
import type { Finding } from './finding.js';

const system = 'S3';

/** Throws what keeps it from being used at all. */
export async function checkObjectStore(session: Session): Promise<Finding[]> {
  const { objects } = await session.systems();
  const expireAt = await objects.credentialsExpireAt();
  const broken = await brokenConditions(objects);
  const endpoint = process.env['AWS_ENDPOINT_URL_S3'] ?? process.env['AWS_ENDPOINT_URL'] ?? 'AWS';
  return [
    { system, state: 'good', explanation: `${endpoint} answers, bucket ${objects.bucketName}` },
    broken.length === 0
      ? { system, state: 'good', explanation: 'conditional writes hold' }
      : {
          system,
          state: 'wrong',
          explanation: `it writes although ${broken.join(' and ')} does not hold, so Pawl's promise does not either: use a server with conditional writes`,
        },
    ...(expireAt === undefined
      ? []
      : [
          {
            system,
            state: 'hint' as const,
            explanation: `the credentials end ${localTime(expireAt)}: a run that takes longer needs newer ones`,
          },
        ]),
  ];
}

/** The conditions under which it should have refused to write, and did not. */
async function brokenConditions(objects: ObjectStore): Promise<string[]> {
  const key = doctorKey(randomUUID());
  const isRefused = async (condition: { ifNoneMatch?: '*'; ifMatch?: string }): Promise<boolean> => {
    try {
      await objects.put(key, 'second', condition);
      return false;
    } catch (error) {
      if (error instanceof SystemError && error.type === 'Conflict') return true;
      throw error;
    }
  };
  try {
    await objects.put(key, 'first', { ifNoneMatch: '*' });
    const broken: string[] = [];
    if (!(await isRefused({ ifNoneMatch: '*' }))) broken.push('If-None-Match');
    if (!(await isRefused({ ifMatch: '"0123456789abcdef0123456789abcdef"' }))) broken.push('If-Match');
    return broken;
  } finally {
    await objects.delete(key);
  }
}
