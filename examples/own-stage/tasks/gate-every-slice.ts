// A gate of the team's own, in place of Pawl's: every rule has to hold for every slice too, so that a good average hides nobody.
// The same types as Pawl's gate, so it fits wherever that one does.

import { gate, judgeGate, task, verdict, type GateRule } from 'pawl';

export const gateEverySlice = task({
  name: 'gate-every-slice',
  version: '1',
  description: "The model's rules, over all examples and for every slice by itself",
  input: gate.input,
  output: verdict,
  timeout: '1m',
  run: ({ rules, report }) => {
    const forSlices = Object.keys(report.slices)
      .sort()
      .flatMap((slice) =>
        // A rule that names a slice stays as it is; and a slice is smaller than the whole, so it gets by with fewer samples.
        rules.flatMap((rule): GateRule[] => (rule.slice === undefined ? [{ ...rule, slice, minSamples: 1 }] : [])),
      );
    return judgeGate([...rules, ...forSlices], report);
  },
});
