// Which rows are duplicates of an earlier one: a bit for each row, so that a hundred million of them take 13 MB.

export type DuplicateReason = 'duplicate' | 'near_duplicate';

export class Duplicates {
  readonly #bits: Uint8Array;
  readonly counts: Partial<Record<DuplicateReason, number>> = {};

  constructor(rows: number) {
    this.#bits = new Uint8Array(Math.ceil(rows / 8));
  }

  has(row: number): boolean {
    return ((this.#bits[row >>> 3] ?? 0) & (1 << (row & 7))) !== 0;
  }

  /** Counts a row once, under the first reason that is given. */
  add(row: number, reason: DuplicateReason): void {
    if (this.has(row)) return;
    this.#bits[row >>> 3]! |= 1 << (row & 7);
    this.counts[reason] = (this.counts[reason] ?? 0) + 1;
  }
}
