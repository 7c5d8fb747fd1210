// How long rows are, in tokens: kept as how often each length occurs, which are few however many rows there are.

const deciles = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10];

export class TokenCounts {
  readonly #times = new Map<number, number>();
  #rows = 0;

  add(tokens: number): void {
    this.#times.set(tokens, (this.#times.get(tokens) ?? 0) + 1);
    this.#rows += 1;
  }

  /** Eleven lengths that occur, from the smallest to the largest; none without rows. */
  deciles(): number[] {
    const lengths = [...this.#times].sort(([left], [right]) => left - right);
    const ranks = this.#rows === 0 ? [] : deciles.map((decile) => Math.max(1, Math.ceil((decile * this.#rows) / 10)));
    let place = 0;
    let passed = lengths[0]?.[1] ?? 0;
    return ranks.map((rank) => {
      while (passed < rank) {
        place += 1;
        passed += lengths[place]?.[1] ?? Infinity;
      }
      return lengths[place]?.[0] ?? 0;
    });
  }
}
