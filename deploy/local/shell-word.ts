// A text as one word of a POSIX shell. Pure.

/** As it is where a shell would take it so; else in single quotes. */
export const shellWord = (text: string): string =>
  /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
