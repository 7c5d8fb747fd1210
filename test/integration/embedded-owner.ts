// A process that owns both embedded servers, for a test to kill: prints their process ids as one JSON line.

import { join } from 'node:path';
import { startS3Server } from '../../deploy/embedded/s3-server.js';
import { startTemporalServer } from '../../deploy/embedded/temporal-server.js';

const [folder = ''] = process.argv.slice(2);
const s3 = await startS3Server({ folder: join(folder, 's3'), logFile: join(folder, 's3.log') });
const temporal = await startTemporalServer({
  dataFile: join(folder, 'temporal.sqlite'),
  logFile: join(folder, 'temporal.log'),
});
process.stdout.write(`${JSON.stringify([s3.pid, temporal.pid])}\n`);
