// What a bench answers: figures, aims and what a reader has to know of them. The whole of it is the document of `--json`.

import type { Spread } from './statistics.js';

/** A measured quantity. */
export interface Figure extends Spread {
  readonly name: string;
  readonly unit: string;
}

/** A figure that the project has set itself an aim for. */
export interface Aimed extends Figure {
  readonly aim: { readonly at: 'most' | 'least'; readonly value: number };
  readonly reached: boolean;
}

export interface Report {
  readonly aimed: readonly Aimed[];
  readonly figures: readonly Figure[];
  /** How the sides were kept equal, and what was left out. */
  readonly notes: readonly string[];
}

export interface BenchContext {
  /** A smoke test: fewer rounds, smaller bodies. Its figures say nothing. */
  readonly quick: boolean;
  /** Of the bench's own, removed after it. */
  readonly folder: string;
  /** Tells a person how far it is. */
  say(line: string): void;
  /** To be undone when the bench ends, however it ends; the last one first. */
  onEnd(undo: () => unknown): void;
}

export interface Bench {
  readonly name: string;
  /** What is compared, in a line. */
  readonly title: string;
  run(context: BenchContext): Promise<Report>;
}

export interface BenchResult extends Report {
  readonly name: string;
  readonly title: string;
  readonly durationMs: number;
  /** Why there is nothing: a program that is not installed, or what went wrong. */
  readonly skipped?: string;
  readonly failed?: string;
}

/** Thrown where a program that a bench needs is missing on this machine. */
export class Skipped extends Error {
  override readonly name = 'Skipped';
}

export const figure = (name: string, unit: string, spread: Spread): Figure => ({ name, unit, ...spread });

export const atMost = (value: number, of: Figure): Aimed => ({
  ...of,
  aim: { at: 'most', value },
  reached: of.median <= value,
});

export const atLeast = (value: number, of: Figure): Aimed => ({
  ...of,
  aim: { at: 'least', value },
  reached: of.median >= value,
});
