// What an analysis asks about live traffic.

export interface LatencyHistogram {
  /** Upper bounds in milliseconds, rising; the last bucket has none. */
  readonly boundsMs: readonly number[];
  /** One more than there are bounds. */
  readonly counts: readonly number[];
}

export interface Measurement {
  readonly requests: number;
  /** Answers of 500 and above, connections refused or broken off. */
  readonly errors: number;
  /** Requests whose users waited in vain for an answer to begin, and left; not among `requests`. None where left out. */
  readonly unanswered?: number;
  readonly latency: LatencyHistogram;
  /** How much of the window was watched without a gap; less than asked when a router was started anew within it. */
  readonly coveredMs: number;
}

/** Throws `Unavailable`: that is not the same as no data. */
export interface Metrics {
  readonly name: string;
  /** The last `windowMs` of a version's traffic over all routers; `undefined`: nobody has watched it. */
  measure(query: { model: string; version: number; windowMs: number }): Promise<Measurement | undefined>;
}
