// `npm run bench -- [--json] [--quick] [NAME…]`: measures Pawl beside its peers on this machine, in one run.

import { parseArgs } from 'node:util';
import { canary } from './benches/canary.js';
import { gateway } from './benches/gateway.js';
import { lifecycle } from './benches/lifecycle.js';
import { objectStore } from './benches/object-store.js';
import { planner } from './benches/planner.js';
import { workerStart } from './benches/worker-start.js';
import { describeMachine, loadOfLastMinute } from './machine.js';
import { renderResult } from './render.js';
import type { Bench, BenchResult } from './report.js';
import { runBench } from './run-bench.js';

const benches: readonly Bench[] = [planner, lifecycle, workerStart, objectStore, gateway, canary];

const names = benches.map(({ name }) => name);
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { json: { type: 'boolean', default: false }, quick: { type: 'boolean', default: false } },
});
const unknown = positionals.filter((name) => !names.includes(name));
if (unknown.length > 0) {
  console.error(`There is no bench ${unknown.join(', ')}; there are ${names.join(', ')}.`);
  process.exit(2);
}

// The AWS SDK would print its calendar for old Node versions, and the workers' log would stand among the lines of `--json`.
process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] = 'true';
process.env['PAWL_TEST_LOG_LEVEL'] ??= 'error';

const { json, quick } = values;
const say = (line: string): void => void process.stderr.write(`${line}\n`);
const machine = describeMachine();
const startedAt = new Date().toISOString();
const loadBefore = loadOfLastMinute();
if (!json) {
  console.log(
    `${machine.cpu}, ${machine.cores} cores, ${machine.memoryGiB} GiB, ${machine.system}, Node ${machine.node}`,
  );
  if (quick) console.log('--quick: a smoke test, whose figures say nothing');
  if (loadBefore > machine.cores)
    console.log(
      `the machine is busy with other work (load ${loadBefore.toFixed(1)}): figures are worse than they could be`,
    );
  console.log('');
}
const results: BenchResult[] = [];
for (const bench of benches) {
  if (positionals.length > 0 && !positionals.includes(bench.name)) continue;
  const result = await runBench(bench, { quick, say: (line) => say(`${bench.name}: ${line}`) });
  results.push(result);
  if (!json) console.log(renderResult(result));
}
if (json) {
  const document = {
    schema: 1,
    startedAt,
    quick,
    machine,
    loadBefore,
    loadAfter: loadOfLastMinute(),
    benches: results,
  };
  console.log(JSON.stringify(document, null, 2));
}
// A figure that misses its aim is a figure; a bench that breaks is a defect.
process.exit(results.some(({ failed }) => failed !== undefined) ? 1 : 0);
