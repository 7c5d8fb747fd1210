// Gate: the evaluation against the rules. A rejection is a result, not an error: the run ends `rejected`, production untouched.

import { z } from 'zod';
import { task } from '../dag/task.js';
import { judgeGate } from '../stats/gate.js';
import { evaluationReport } from './schemas/evaluation.js';
import { gateSettings } from './schemas/gate-settings.js';
import { verdict } from './schemas/verdict.js';

export const gate = task({
  name: 'gate',
  version: '1',
  description:
    'The evaluation against the rules; what is missing, not a number or rests on too few samples never passes',
  input: z.object({ rules: gateSettings, report: evaluationReport }),
  output: verdict,
  // Passing trouble is tried again until the deadline; what trying cannot mend fails at once.
  retry: { attempts: 1_000 },
  timeout: '1m',
  run: ({ rules, report }, { log }) => {
    const judged = judgeGate(rules, report);
    log.info({ passed: judged.passed }, judged.summary);
    return judged;
  },
});
