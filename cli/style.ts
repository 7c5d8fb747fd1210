// Colours of a terminal, or none. Pure.

const codes = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33, blue: 34, cyan: 36 } as const;
type StyleName = keyof typeof codes;
export type Style = Readonly<Record<StyleName, (text: string) => string>>;

const escape = String.fromCharCode(27);
const sequences = new RegExp(`${escape}\\[\\d*m`, 'g');

export const styleOf = (coloured: boolean): Style =>
  Object.fromEntries(
    Object.entries(codes).map(([name, code]) => [
      name,
      (text: string) => (coloured && text !== '' ? `${escape}[${code}m${text}${escape}[0m` : text),
    ]),
  ) as Style;

/** How many columns a text takes. */
export const widthOf = (text: string): number => [...text.replace(sequences, '')].length;

/** At most so many columns, with `…` where something was cut off. */
export function fit(text: string, columns: number): string {
  if (widthOf(text) <= columns) return text;
  const parts = text.split(new RegExp(`(${escape}\\[\\d*m)`));
  let left = Math.max(0, columns - 1);
  let coloured = false;
  let out = '';
  for (const part of parts) {
    if (part.startsWith(escape)) {
      out += part;
      coloured = true;
      continue;
    }
    const characters = [...part].slice(0, left);
    left -= characters.length;
    out += characters.join('');
    if (left === 0) break;
  }
  return `${out}…${coloured ? `${escape}[0m` : ''}`;
}

/** What terminals would take for commands, taken out of a text that others wrote. */
export const printable = (text: string): string => text.replace(/[\u0000-\u001f\u007f-\u009f]+/g, ' ');
