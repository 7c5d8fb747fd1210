// Masks personal data: patterns that are checked where a check exists (Luhn, mod 97), so that ordinary numbers stay.
// Each takes time linear in the text, and has bounds where an expression would run out of stack: a record can be megabytes.

import type { PersonalDataClass } from '../schemas/data-settings.js';
import { cardNumbers, type Span } from './card-number.js';
import { ibans } from './iban.js';

type Find = (text: string) => Iterable<Span>;

function* matches(expression: RegExp, text: string): Generator<Span & { readonly found: string }> {
  for (const { 0: found, index } of text.matchAll(expression)) yield { start: index, end: index + found.length, found };
}

const matching =
  (expression: RegExp): Find =>
  (text) =>
    matches(expression, text);

function* ipAddresses(text: string): Generator<Span> {
  for (const span of matches(/(?<!\d|\d\.)\d{1,3}(?:\.\d{1,3}){3}(?!\.?\d)/g, text)) {
    if (span.found.split('.').every((part) => Number(part) <= 255)) yield span;
  }
}

// In their order: a card number must not be taken for a phone number first.
const finders: Record<PersonalDataClass, Find> = {
  // What a dotted token is within (`x-eyJ…`) goes with it: looking for its beginning alone would be quadratic.
  secret: matching(
    /-----BEGIN [A-Z ]{0,64}PRIVATE KEY-----(?:(?!-----BEGIN )[\s\S])*?-----END [A-Z ]{0,64}PRIVATE KEY-----|\b(?:AKIA|ASIA)[0-9A-Z]{16}\b|\bgh[pousr]_[A-Za-z0-9]{36,255}\b|\bxox[abprs]-[A-Za-z0-9-]{10,1000}\b|(?<![\w-])(?=[\w-]{13,99999}\.[\w-]{10,99999}\.[\w-]{10})[\w-]*?\beyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]{10,99999}/g,
  ),
  // A domain has at most 253 characters, so no more than 126 dots.
  email: matching(/(?<![\w.+-])[\w.+-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9-]{0,62}\.){1,126}[A-Za-z]{2,24}\b/g),
  iban: ibans,
  'credit-card': cardNumbers,
  'us-ssn': matching(/(?<!\d|\d-)(?!000|666|9\d\d)\d{3}-(?!00)\d{2}-(?!0000)\d{4}(?!-?\d)/g),
  'ip-address': ipAddresses,
  phone: matching(
    /(?<![\w+])(?:\+\d{1,3}[ .-]?(?:\(\d{1,4}\)[ .-]?)?\d{1,4}(?:[ .-]?\d{2,4}){2,4}|\(\d{3}\) ?\d{3}-\d{4})(?!\w)/g,
  ),
};

export interface Masked {
  readonly text: string;
  readonly counts: Partial<Record<PersonalDataClass, number>>;
}

/** Replaces what it finds by the class's name in brackets: `[EMAIL]`. */
export const maskPersonalData = (text: string, classes: readonly PersonalDataClass[]): Masked => {
  const counts: Partial<Record<PersonalDataClass, number>> = {};
  let masked = text;
  for (const name of Object.keys(finders) as PersonalDataClass[]) {
    if (!classes.includes(name)) continue;
    const parts: string[] = [];
    let from = 0;
    for (const { start, end } of finders[name](masked)) {
      parts.push(masked.slice(from, start), `[${name.toUpperCase()}]`);
      counts[name] = (counts[name] ?? 0) + 1;
      from = end;
    }
    masked = parts.join('') + masked.slice(from);
  }
  return { text: masked, counts };
};
