// The gate: rules over an evaluation's metrics, judged one by one and explained as a person would. Pure; imports nothing.

export interface RuleScope {
  /** Fewer samples than this never pass. */
  readonly minSamples?: number | undefined;
  /** `language=de`: the metric of that slice alone. */
  readonly slice?: string | undefined;
  /**
   * The whole confidence interval has to hold, not the value alone: luck no longer passes, and more samples are needed.
   * Give `minSamples` too, since the interval of a few examples that are all alike has no width.
   */
  readonly confident?: boolean | undefined;
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

interface Interval {
  readonly low?: number | undefined;
  readonly high?: number | undefined;
}
interface MetricReading extends Interval {
  readonly value: number | null;
  readonly samples: number;
  /** Why there is no value. */
  readonly why?: string | undefined;
  /** The candidate less the champion, on the examples that both have. */
  readonly difference?: ({ readonly value: number; readonly samples: number } & Interval) | undefined;
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
const lowerIsBetter = /loss|perplexity|bitsPerByte|latency|error/i;

/**
 * The metric is at most `by` worse than the champion's on the same examples; with `confident`, the whole interval of the
 * difference between the two is (a non-inferiority test).
 */
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

const scoped = ({ metric, slice }: GateRule): string => `${metric}${slice === undefined ? '' : ` for ${slice}`}`;

function describeRule(rule: GateRule): string {
  const samples = rule.minSamples === undefined ? '' : ` on ${count(rule.minSamples)} samples or more`;
  const demands = `${samples}${rule.confident === true ? ', with its whole interval' : ''}`;
  switch (rule.kind) {
    case 'atLeast':
      return `${scoped(rule)} ≥ ${plain(rule.bound)}${demands}`;
    case 'atMost':
      return `${scoped(rule)} ≤ ${plain(rule.bound)}${demands}`;
    case 'notWorseThan':
      return `${scoped(rule)} no more than ${plain(rule.by)} worse than the champion${demands}`;
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

/** The reading's value, or in one sentence why there is none to judge by. */
function readValue(whose: string, reading: MetricReading | undefined, rule: GateRule): number | string {
  const what = `${whose} ${scoped(rule)}`;
  if (reading === undefined) return `${what} was not measured.`;
  if (!isNumber(reading.value))
    return reading.why === undefined ? `${what} could not be computed.` : `${what} has no value: ${reading.why}.`;
  const wanted = Math.max(rule.minSamples ?? 1, 1);
  return reading.samples >= wanted
    ? reading.value
    : `${what} rests on ${count(reading.samples)} samples, and ${count(wanted)} are wanted.`;
}

interface Span {
  readonly low: number;
  readonly high: number;
}
const spanOf = (interval: Interval | undefined): Span | undefined =>
  isNumber(interval?.low) && isNumber(interval.high) ? { low: interval.low, high: interval.high } : undefined;
const shown = (span: Span | undefined): string =>
  span === undefined ? '' : ` (interval ${plain(span.low)} to ${plain(span.high)})`;
/** How a whole interval stands to a bound, in words before the relation. */
const reach = (passed: boolean): string => (passed ? 'all of it ' : 'reaching ');

type Judged = Pick<GateRuleOutcome, 'result' | 'explanation'> & { readonly baseline?: number; readonly bound?: number };
const missing = (explanation: string): Judged => ({ result: 'missing', explanation });
const judged = (passed: boolean, explanation: string): Judged => ({ result: passed ? 'pass' : 'fail', explanation });

function judgeBound(rule: BoundRule, reading: MetricReading | undefined): Judged {
  const value = readValue("The candidate's", reading, rule);
  if (typeof value === 'string') return missing(value);
  const span = spanOf(reading);
  const is = `${scoped(rule)} is ${plain(value)}${shown(span)}`;
  const higher = rule.kind === 'atLeast';
  const edge = rule.confident !== true ? value : higher ? span?.low : span?.high;
  if (edge === undefined) return missing(`${is}, and the interval that the rule wants was not measured.`);
  const passed = higher ? reaches(edge, rule.bound) : reaches(rule.bound, edge);
  const relation = higher ? (passed ? 'at least' : 'below') : passed ? 'at most' : 'above';
  return judged(passed, `${is}, ${rule.confident === true ? reach(passed) : ''}${relation} ${plain(rule.bound)}.`);
}

function judgeBesideChampion(
  rule: ChampionRule,
  reading: MetricReading | undefined,
  champion: MetricReading | undefined,
): Judged {
  const value = readValue("The candidate's", reading, rule);
  if (typeof value === 'string') return missing(value);
  const baseline = readValue("The champion's", champion, rule);
  if (typeof baseline === 'string') return missing(baseline);
  const bound = rule.higherIsBetter ? baseline - rule.by : baseline + rule.by;
  const is = `${scoped(rule)} is ${plain(value)} against the champion's ${plain(baseline)}`;
  const difference = readValue('The difference in', reading?.difference, rule);
  const span = spanOf(reading?.difference);
  const apart = typeof difference === 'string' ? '' : `, a difference of ${plain(difference)}${shown(span)}`;
  if (rule.confident !== true) {
    const passed = rule.higherIsBetter ? reaches(value, bound) : reaches(bound, value);
    const how = passed ? 'within' : 'beyond';
    return { ...judged(passed, `${is}${apart}, ${how} the bound of ${plain(bound)}.`), baseline, bound };
  }
  if (typeof difference === 'string' || span === undefined)
    return missing(typeof difference === 'string' ? difference : `The difference in ${scoped(rule)} has no interval.`);
  const passed = reaches(rule.by, rule.higherIsBetter ? -span.low : span.high);
  const how = `${reach(passed)}${passed ? 'within' : 'beyond'} the ${plain(rule.by)} that it may be worse`;
  return { ...judged(passed, `${is}${apart}, ${how}.`), baseline, bound };
}

function judgeRule(rule: GateRule, evidence: GateEvidence): GateRuleOutcome {
  const reading = readMetric(evidence, rule);
  const { result, explanation, baseline, bound } = ((): Judged => {
    if (rule.kind !== 'notWorseThan') return { ...judgeBound(rule, reading), bound: rule.bound };
    if (evidence.champion === null)
      return { result: 'not-applicable', explanation: 'Does not apply: the endpoint has no champion yet.' };
    return judgeBesideChampion(rule, reading, readMetric(evidence.champion, rule));
  })();
  return {
    rule: describeRule(rule),
    result,
    value: isNumber(reading?.value) ? reading.value : null,
    baseline: baseline ?? null,
    bound: bound ?? null,
    samples: reading?.samples ?? null,
    explanation,
  };
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
