// Every scenario whose histories are recorded.

import type { Scenario } from './scenario.js';
import { dagRuns } from './scenarios/dag-runs.js';
import { deploys } from './scenarios/deploys.js';
import { operators } from './scenarios/operators.js';
import { recoveries } from './scenarios/recoveries.js';
import { requests } from './scenarios/requests.js';
import { rollbacks } from './scenarios/rollbacks.js';
import { successors } from './scenarios/successors.js';

export const scenarios: readonly Scenario[] = [
  ...dagRuns,
  ...requests,
  ...deploys,
  ...operators,
  ...rollbacks,
  ...successors,
  ...recoveries,
];
