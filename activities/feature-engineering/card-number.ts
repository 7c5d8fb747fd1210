// Finds payment card numbers (ISO/IEC 7812-1) among the digits of a text, also where an expiry date or a code follows at once.

export interface Span {
  readonly start: number;
  readonly end: number;
}

const shortest = 13;
const longest = 19;
// Where a card number is only a part of a row of numbers, it begins as those of the card networks do: years and counts do not.
const network = /^(?:2[2-7]|[3-6]|9792)/;
const shortestInnerGroup = 4;

/** Annex B. */
const luhn = (digits: string): boolean => {
  let sum = 0;
  for (let index = 0; index < digits.length; index += 1) {
    const digit = Number(digits.at(-1 - index));
    sum += index % 2 === 0 ? digit : digit > 4 ? digit * 2 - 9 : digit * 2;
  }
  return sum % 10 === 0;
};

/** Groups of digits with one space or dash between them; a number with a decimal point is no such group. */
function* rows(text: string): Generator<Span[]> {
  let row: Span[] = [];
  // Of a longer group the beginning alone: it is too long all the same, and megabytes would be too much for an expression.
  for (const { 0: digits, index: start } of text.matchAll(/(?<!\d)\d{1,20}/g)) {
    const end = start + digits.length;
    const last = row.at(-1);
    if (last && (last.end + 1 !== start || !/[ -]/.test(text.charAt(last.end)))) {
      yield row;
      row = [];
    }
    if (/^\.\d/.test(text.slice(end, end + 2)) || /\d\.$/.test(text.slice(Math.max(0, start - 2), start))) continue;
    row.push({ start, end });
  }
  yield row;
}

/** The last group of the longest card number that begins with group `first`; -1 where there is none. */
const lastGroup = (text: string, row: readonly Span[], first: number): number => {
  let digits = '';
  let found = -1;
  let innerGroup = Infinity;
  for (let place = first; place < row.length; place += 1) {
    const { start, end } = row[place]!;
    const mayBeWhole = first === 0 && row.length <= longest;
    if (digits.length + end - start > longest || (innerGroup < shortestInnerGroup && !mayBeWhole)) break;
    digits += text.slice(start, end);
    const isWhole = first === 0 && place === row.length - 1;
    const isPart = innerGroup >= shortestInnerGroup && network.test(digits);
    if (digits.length >= shortest && (isWhole || isPart) && luhn(digits)) found = place;
    innerGroup = Math.min(innerGroup, end - start);
  }
  return found;
};

/** In their order. A card number takes up whole groups; of two that overlap the first counts. */
export function* cardNumbers(text: string): Generator<Span> {
  for (const row of rows(text)) {
    for (let first = 0; first < row.length; first += 1) {
      const last = lastGroup(text, row, first);
      if (last < 0) continue;
      yield { start: row[first]!.start, end: row[last]!.end };
      first = last;
    }
  }
}
