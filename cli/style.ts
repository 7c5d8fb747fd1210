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

/** In lines of at most so many columns, broken between words where that goes; a colour goes on in the next line. */
export function wrap(text: string, atMost: number): string[] {
  const columns = Math.max(1, atMost);
  const lines: string[] = [];
  let line = '';
  let colour = '';
  const end = (): void => {
    lines.push(line.trimEnd() + (colour === '' ? '' : `${escape}[0m`));
    line = colour;
  };
  for (const part of text.split(new RegExp(`(${escape}\\[\\d*m|\\s+)`))) {
    if (part.startsWith(escape)) {
      colour = part === `${escape}[0m` ? '' : part;
      line += part;
    } else if (/^\s/.test(part)) {
      if (widthOf(line) > 0 && widthOf(line) + widthOf(part) < columns) line += part;
      else if (widthOf(line) > 0) end();
    } else {
      if (widthOf(line) > 0 && widthOf(line) + widthOf(part) > columns) end();
      let rest = [...part];
      for (; rest.length > columns; rest = rest.slice(columns)) {
        line += rest.slice(0, columns).join('');
        end();
      }
      line += rest.join('');
    }
  }
  if (widthOf(line) > 0 || lines.length === 0) lines.push(line.trimEnd());
  return lines;
}

/** What terminals would take for commands, taken out of a text that others wrote. */
export const printable = (text: string): string => text.replace(/[\u0000-\u001f\u007f-\u009f]+/g, ' ');
