// Records the histories that the replay test runs again: `npx tsx test/replay/record.ts [name…]`, with the code as it is now.
// Record anew only where a change of the workflows is meant, and no run of the old code can be open any more.

import { pino } from 'pino';
import { startTemporalServer } from '../../deploy/embedded/temporal-server.js';
import { installRuntime } from '../../workers/runtime.js';
import { saveHistory } from './save-history.js';
import { scenarios } from './scenarios.js';

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !scenarios.some(({ names }) => names.includes(name)));
if (unknown.length > 0) throw new Error(`No scenario records ${unknown.join(', ')}: see test/replay/scenarios/.`);

installRuntime(pino({ level: 'fatal' }));
const server = await startTemporalServer();
try {
  for (const scenario of scenarios)
    if (wanted.length === 0 || scenario.names.some((name) => wanted.includes(name)))
      await scenario.record(server.address, saveHistory);
} finally {
  await server.stop();
}
