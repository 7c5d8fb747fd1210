// Masks personal data: patterns that are checked where a check exists (Luhn, mod 97), so that ordinary numbers stay.

import type { PersonalDataClass } from '../schemas/data-settings.js';

/** ISO/IEC 7812-1, annex B. */
const luhn = (candidate: string): boolean => {
  const digits = [...candidate.replace(/\D/g, '')].reverse().map(Number);
  const sum = digits.reduce((total, digit, index) => {
    if (index % 2 === 0) return total + digit;
    return total + (digit > 4 ? digit * 2 - 9 : digit * 2);
  }, 0);
  return digits.length >= 13 && digits.length <= 19 && sum % 10 === 0;
};

/** ISO 13616: the rearranged number is 1 modulo 97. */
const ibanHolds = (candidate: string): boolean => {
  const iban = candidate.replace(/ /g, '');
  const digits = (iban.slice(4) + iban.slice(0, 4)).replace(/[A-Z]/g, (letter) => String(letter.charCodeAt(0) - 55));
  let remainder = 0;
  for (const digit of digits) remainder = (remainder * 10 + Number(digit)) % 97;
  return remainder === 1;
};

const octets = (candidate: string): boolean => candidate.split('.').every((part) => Number(part) <= 255);

interface Pattern {
  readonly expression: RegExp;
  readonly holds?: (candidate: string) => boolean;
}

const patterns: Record<PersonalDataClass, Pattern> = {
  secret: {
    expression:
      /-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?-----END [A-Z ]*PRIVATE KEY-----|\b(?:AKIA|ASIA)[0-9A-Z]{16}\b|\bgh[pousr]_[A-Za-z0-9]{36,}\b|\bxox[abprs]-[A-Za-z0-9-]{10,}\b|\beyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]{10,}/g,
  },
  email: { expression: /(?<![\w.+-])[\w.+-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9-]{0,62}\.)+[A-Za-z]{2,24}\b/g },
  iban: { expression: /\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b/g, holds: ibanHolds },
  'credit-card': { expression: /(?<![\d.-])\d(?:[ -]?\d){12,18}(?![\d.-])/g, holds: luhn },
  'us-ssn': { expression: /(?<![\d-])(?!000|666|9\d\d)\d{3}-(?!00)\d{2}-(?!0000)\d{4}(?![\d-])/g },
  'ip-address': { expression: /(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?![\d.])/g, holds: octets },
  phone: {
    expression:
      /(?<![\w+])(?:\+\d{1,3}[ .-]?(?:\(\d{1,4}\)[ .-]?)?\d{1,4}(?:[ .-]?\d{2,4}){2,4}|\(\d{3}\) ?\d{3}-\d{4})(?!\w)/g,
  },
};

export interface Masked {
  readonly text: string;
  readonly counts: Partial<Record<PersonalDataClass, number>>;
}

/** Replaces what it finds by the class's name in brackets: `[EMAIL]`. */
export const maskPersonalData = (text: string, classes: readonly PersonalDataClass[]): Masked => {
  const counts: Partial<Record<PersonalDataClass, number>> = {};
  let masked = text;
  // In the table's order: a card number must not be taken for a phone number first.
  for (const name of Object.keys(patterns) as PersonalDataClass[]) {
    if (!classes.includes(name)) continue;
    const { expression, holds } = patterns[name];
    masked = masked.replace(expression, (candidate) => {
      if (holds && !holds(candidate)) return candidate;
      counts[name] = (counts[name] ?? 0) + 1;
      return `[${name.toUpperCase()}]`;
    });
  }
  return { text: masked, counts };
};
