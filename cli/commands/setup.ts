// `pawl setup`: makes what Pawl needs on a Temporal namespace and an S3 that are not its own. Idempotent.

import type { Command } from 'commander';
import { setTimeout as sleep } from 'node:timers/promises';
import { SystemError } from '../../dag/failures.js';
import { complete } from '../action.js';

/** Temporal's numbers for them (temporal.api.enums.v1.IndexedValueType). */
const indexedValueTypes = { KEYWORD: 2, DATETIME: 6 } as const;

export function setupCommand(program: Command): void {
  const command = program
    .command('setup')
    .summary('prepare Temporal and S3')
    .description(
      'Registers Pawl’s search attributes with Temporal and creates its bucket. What is there stays as it is.',
    );
  complete<object>(
    command,
    [
      ['pawl setup', 'once for each namespace and bucket'],
      ['TEMPORAL_ADDRESS=temporal:7233 pawl setup', 'on a cluster'],
    ],
    async ({ output, session }) => {
      const { missingSearchAttributes } = await import('../../workers/check-search-attributes.js');
      const { searchAttributes } = await import('../../workers/search-attributes.js');
      const systems = await session.systems();
      await output.during(`looking for the bucket ${systems.objects.bucketName}`, () =>
        systems.objects.createBucketIfMissing(),
      );
      const { namespace } = await session.temporal();
      const connection = await session.connection();
      const missing = await missingSearchAttributes(connection, namespace);
      await output.during('registering search attributes', async () => {
        if (missing.length === 0) return;
        const wanted = Object.entries(searchAttributes).filter(([name]) => missing.includes(name));
        await connection.operatorService
          .addSearchAttributes({
            namespace,
            searchAttributes: Object.fromEntries(wanted.map(([name, type]) => [name, indexedValueTypes[type]])),
          })
          .catch((cause: unknown) => {
            const lines = wanted.map(([name, type]) => `${name}=${type.toLowerCase()}`).join(', ');
            throw new SystemError(
              'PermissionDenied',
              `Temporal does not let this client register search attributes (${(cause as { details?: string }).details ?? String(cause)}): register ${lines} with the tools of your cluster.`,
              { cause },
            );
          });
        // A server takes a moment to know them.
        for (let left = 100; left > 0 && (await missingSearchAttributes(connection, namespace)).length > 0; left -= 1)
          await sleep(100);
      });
      output.answer({ namespace, registered: missing, bucket: systems.objects.bucketName }, [
        `The bucket ${systems.objects.bucketName} is there.`,
        missing.length === 0
          ? `The namespace ${namespace} has all search attributes.`
          : `The namespace ${namespace} now has ${missing.join(', ')}.`,
      ]);
    },
  );
}
