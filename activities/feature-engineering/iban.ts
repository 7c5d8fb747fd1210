// Finds international bank account numbers (ISO 13616) in a text, also where words in capitals follow at once.

import { countrySpecs } from 'ibantools';
import type { Span } from './card-number.js';

// Of what the library knows, the lengths alone: a number whose bank code has a form that it does not know yet is personal data too.
const lengthOf = (country: string): number | null => countrySpecs[country]?.chars ?? null;

/** The rearranged number is 1 modulo 97. */
const holds = (iban: string): boolean => {
  let remainder = 0;
  for (const character of iban.slice(4) + iban.slice(0, 4)) {
    const value = parseInt(character, 36);
    remainder = (remainder * (value > 9 ? 100 : 10) + value) % 97;
  }
  return remainder === 1;
};

/** In their order. A number may have single spaces anywhere, and ends where a word ends. */
export function* ibans(text: string): Generator<Span> {
  let passed = 0;
  for (const { 0: head, index: start } of text.matchAll(/(?<![A-Za-z0-9])[A-Z]{2}\d{2}/g)) {
    const length = lengthOf(head.slice(0, 2));
    if (length === null || start < passed) continue;
    let iban = '';
    let end = start;
    while (iban.length < length) {
      if (text[end] === ' ' && text[end - 1] !== ' ') end += 1;
      if (!/[A-Z0-9]/.test(text.charAt(end))) break;
      iban += text.charAt(end);
      end += 1;
    }
    if (iban.length < length || /[A-Za-z0-9]/.test(text.charAt(end)) || !holds(iban)) continue;
    passed = end;
    yield { start, end };
  }
}
