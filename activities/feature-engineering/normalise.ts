// Text as it should have been written: whole characters in one form of Unicode, one kind of line end, nothing invisible.

// Control characters except tab and newline; zero-width and bidirectional marks; the byte-order mark.
const invisible = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff]/g;

// Putting marks into their order takes quadratic time, so 30 at most may stand together (UAX #15, stream-safe text format).
const tooManyMarks = /\p{M}{30}(?=\p{M})/gu;

// A half of a UTF-16 pair without the other one, which JSON can name and no file can hold.
const halfCharacter = /\p{Surrogate}/gu;

export const wholeCharacters = (text: string): string => text.replace(halfCharacter, '\ufffd');

export const normalise = (text: string): string =>
  wholeCharacters(text)
    .replace(/\r\n?/g, '\n')
    .replace(tooManyMarks, '$&\u034f')
    .normalize('NFC')
    .replace(invisible, '')
    .replace(/[ \t\u00a0]+/g, ' ')
    .replace(/ *\n */g, '\n')
    .replace(/\n{3,}/g, '\n\n')
    .trim();
