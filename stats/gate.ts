// The gate: rules over an evaluation's metrics, judged one by one and explained as a person would. Pure; imports nothing.

export interface RuleScope {
  /** Fewer samples than this never pass. */
  readonly minSamples?: number | undefined;
  /** `language=de`: the metric of that slice alone. */
  readonly slice?: string | undefined;
}

export interface BoundRule extends RuleScope {
  readonly kind: 'atLeast' | 'atMost';
  readonly metric: string;
  readonly bound: number;
}

export interface ChampionRule extends RuleScope {
  readonly kind: 'notWorseThan';
  readonly baseline: 'champion';
  readonly metric: string;
  /** How much worse it may be, in the metric's own unit. */
  readonly by: number;
  readonly higherIsBetter: boolean;
}

export type GateRule = BoundRule | ChampionRule;

interface MetricReading {
  readonly value: number | null;
  readonly samples: number;
}
type MetricReadings = Readonly<Record<string, MetricReading>>;
interface ReadingSet {
  readonly metrics: MetricReadings;
  readonly slices: Readonly<Record<string, MetricReadings>>;
}
export interface GateEvidence extends ReadingSet {
  readonly champion: ReadingSet | null;
}

export interface GateRuleOutcome {
  rule: string;
  result: 'pass' | 'fail' | 'missing' | 'not-applicable';
  value: number | null;
  baseline: number | null;
  bound: number | null;
  samples: number | null;
  explanation: string;
}
export interface GateVerdict {
  passed: boolean;
  outcome: 'accepted' | 'rejected';
  rules: GateRuleOutcome[];
  summary: string;
}

/** The metric is `bound` or more. */
export const atLeast = (metric: string, bound: number, scope: RuleScope = {}): BoundRule => ({
  kind: 'atLeast',
  metric,
  bound,
  ...scope,
});

/** The metric is `bound` or less. */
export const atMost = (metric: string, bound: number, scope: RuleScope = {}): BoundRule => ({
  kind: 'atMost',
  metric,
  bound,
  ...scope,
});

/** Metrics that are better when they are lower, by name; others say so with `higherIsBetter: false`. */
const lowerIsBetter = /loss|perplexity|latency|error/i;

/** The metric is at most `by` worse than the champion's on the same examples. */
export const notWorseThan = (
  baseline: 'champion',
  metric: string,
  options: RuleScope & { readonly by: number; readonly higherIsBetter?: boolean },
): ChampionRule => ({
  kind: 'notWorseThan',
  baseline,
  metric,
  ...options,
  higherIsBetter: options.higherIsBetter ?? !lowerIsBetter.test(metric),
});

const plain = (value: number): string => String(Number(value.toPrecision(6)));
const count = (value: number): string => value.toLocaleString('en-US');

function describeRule(rule: GateRule): string {
  const scope = rule.slice === undefined ? '' : ` for ${rule.slice}`;
  const samples = rule.minSamples === undefined ? '' : ` on ${count(rule.minSamples)} samples or more`;
  switch (rule.kind) {
    case 'atLeast':
      return `${rule.metric}${scope} ≥ ${plain(rule.bound)}${samples}`;
    case 'atMost':
      return `${rule.metric}${scope} ≤ ${plain(rule.bound)}${samples}`;
    case 'notWorseThan':
      return `${rule.metric}${scope} no more than ${plain(rule.by)} worse than the champion${samples}`;
  }
}

function readMetric(set: ReadingSet, rule: GateRule): MetricReading | undefined {
  const table = rule.slice === undefined ? set.metrics : own(set.slices, rule.slice);
  return table === undefined ? undefined : own(table, rule.metric);
}

// A metric called `constructor` must not find what every object inherits.
const own = <T>(table: Readonly<Record<string, T>>, name: string): T | undefined =>
  Object.hasOwn(table, name) ? table[name] : undefined;

const isNumber = (value: number | null | undefined): value is number =>
  typeof value === 'number' && Number.isFinite(value);

/** Floating-point noise (0.8 − 0.79 > 0.01) decides nothing. */
const reaches = (value: number, bound: number): boolean =>
  value >= bound - 1e-9 * Math.max(1, Math.abs(value), Math.abs(bound));

function judgeRule(rule: GateRule, evidence: GateEvidence): GateRuleOutcome {
  const named = describeRule(rule);
  const reading = readMetric(evidence, rule);
  const of = `${rule.metric}${rule.slice === undefined ? '' : ` for ${rule.slice}`}`;
  const outcome = (
    result: GateRuleOutcome['result'],
    explanation: string,
    numbers: { baseline?: number; bound?: number } = {},
  ): GateRuleOutcome => ({
    rule: named,
    result,
    value: isNumber(reading?.value) ? reading.value : null,
    baseline: numbers.baseline ?? null,
    bound: numbers.bound ?? (rule.kind === 'notWorseThan' ? null : rule.bound),
    samples: reading?.samples ?? null,
    explanation,
  });
  const lacking = (whose: string, found: MetricReading | undefined): string | undefined => {
    if (found === undefined) return `${whose} ${of} was not measured.`;
    if (!isNumber(found.value)) return `${whose} ${of} could not be computed.`;
    const wanted = Math.max(rule.minSamples ?? 1, 1);
    if (!(found.samples >= wanted))
      return `${whose} ${of} rests on ${count(found.samples)} samples, and ${count(wanted)} are wanted.`;
    return undefined;
  };

  if (rule.kind === 'notWorseThan' && evidence.champion === null)
    return outcome('not-applicable', 'Does not apply: the endpoint has no champion yet.');
  const missing = lacking("The candidate's", reading);
  if (missing !== undefined || !isNumber(reading?.value)) return outcome('missing', missing ?? 'Not a number.');
  const value = reading.value;

  if (rule.kind !== 'notWorseThan') {
    const passed = rule.kind === 'atLeast' ? reaches(value, rule.bound) : reaches(rule.bound, value);
    const relation = rule.kind === 'atLeast' ? (passed ? 'at least' : 'below') : passed ? 'at most' : 'above';
    return outcome(passed ? 'pass' : 'fail', `${of} is ${plain(value)}, ${relation} ${plain(rule.bound)}.`);
  }
  const champion = evidence.champion === null ? undefined : readMetric(evidence.champion, rule);
  const championLacks = lacking("The champion's", champion);
  if (championLacks !== undefined || !isNumber(champion?.value))
    return outcome('missing', championLacks ?? 'Not a number.');
  const baseline = champion.value;
  const bound = rule.higherIsBetter ? baseline - rule.by : baseline + rule.by;
  const passed = rule.higherIsBetter ? reaches(value, bound) : reaches(bound, value);
  return outcome(
    passed ? 'pass' : 'fail',
    `${of} is ${plain(value)} against the champion's ${plain(baseline)}, ` +
      `${passed ? 'within' : 'beyond'} the bound of ${plain(bound)}.`,
    { baseline, bound },
  );
}

/**
 * Judges an evaluation by every rule. What is missing, not a number or rests on too few samples never passes, and neither
 * does an evaluation that no rule without a champion applies to.
 */
export function judgeGate(rules: readonly GateRule[], evidence: GateEvidence): GateVerdict {
  const outcomes = rules.map((rule) => judgeRule(rule, evidence));
  const against = outcomes.filter(({ result }) => result === 'fail' || result === 'missing');
  const applying = outcomes.filter(({ result }) => result !== 'not-applicable');
  if (applying.length === 0)
    return {
      passed: false,
      outcome: 'rejected',
      rules: outcomes,
      summary:
        rules.length === 0
          ? 'Rejected: the gate has no rules; give it at least one, such as atLeast(metric, bound).'
          : 'Rejected: without a champion only absolute rules apply, and there is none; add atLeast or atMost.',
    };
  const passed = against.length === 0;
  return {
    passed,
    outcome: passed ? 'accepted' : 'rejected',
    rules: outcomes,
    summary: passed
      ? `Accepted: ${applying.length === 1 ? 'the one rule that applies holds' : `all ${applying.length} rules that apply hold`}.`
      : `Rejected: ${against.map(({ explanation }) => explanation).join(' ')}`,
  };
}
