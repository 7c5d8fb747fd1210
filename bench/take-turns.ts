// Lets the sides of a comparison take turns, A B A B, so that neither has the quieter half of the machine's time.

export type Measure = () => Promise<number>;

export interface Turns {
  readonly rounds: number;
  /** Rounds before those, which count for nothing. */
  readonly warmUps?: number;
  readonly onRound?: (round: number) => void;
}

/**
 * One sample of each side in every round, by side. Which side begins moves on from round to round: with two, A B, B A, A B, …,
 * so that coming second is nobody's privilege. Rejects with what a side rejects with.
 */
export async function takeTurns<Side extends string>(
  sides: Readonly<Record<Side, Measure>>,
  { rounds, warmUps = 0, onRound }: Turns,
): Promise<Record<Side, number[]>> {
  const names = Object.keys(sides) as Side[];
  const samples = Object.fromEntries(names.map((name) => [name, [] as number[]])) as Record<Side, number[]>;
  for (let round = -warmUps; round < rounds; round++) {
    if (round >= 0) onRound?.(round);
    const first = (round + warmUps) % names.length;
    for (const name of [...names.slice(first), ...names.slice(0, first)]) {
      const sample = await sides[name]();
      if (round >= 0) samples[name].push(sample);
    }
  }
  return samples;
}
