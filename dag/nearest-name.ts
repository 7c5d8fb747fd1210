// What was meant by a name that nobody knows: the known one that is a slip of the finger away. Pure.

/** `undefined` where none is near: one letter of three may be wrong, and case and punctuation do not count. */
export function nearestName(name: string, known: Iterable<string>): string | undefined {
  const plain = plainOf(name);
  const near = [...known]
    .map((other) => ({ other, slips: slipsBetween(plain, plainOf(other)) }))
    .filter(({ other, slips }) => slips <= Math.min(plain.length, plainOf(other).length) / 3)
    .sort((left, right) => left.slips - right.slips);
  return near[0]?.other;
}

const plainOf = (name: string): string => name.toLowerCase().replaceAll(/[^\p{L}\p{N}]/gu, '');

/** Letters to put in, to leave out or to change (Levenshtein's distance), where two that changed places are one slip. */
function slipsBetween(left: string, right: string): number {
  let before: number[] = [];
  let last = Array.from({ length: right.length + 1 }, (_, place) => place);
  for (let row = 1; row <= left.length; row += 1) {
    const next = [row];
    for (let place = 1; place <= right.length; place += 1) {
      const same = left[row - 1] === right[place - 1];
      const swapped = left[row - 1] === right[place - 2] && left[row - 2] === right[place - 1];
      next[place] = Math.min(
        (last[place] ?? 0) + 1,
        (next[place - 1] ?? 0) + 1,
        (last[place - 1] ?? 0) + (same ? 0 : 1),
        swapped ? (before[place - 2] ?? 0) + 1 : Infinity,
      );
    }
    [before, last] = [last, next];
  }
  return last[right.length] ?? 0;
}
