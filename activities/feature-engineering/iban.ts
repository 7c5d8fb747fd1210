// Finds international bank account numbers (ISO 13616) in a text, also where words in capitals follow at once.

import type { Span } from './card-number.js';

// The registry's countries, and those that use IBANs without having registered them, with the length of theirs.
const countries =
  'AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 DK18 DO28 EE20 EG29 ES24 ' +
  'FI18 FK18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HN28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 LB28 LC32 ' +
  'LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 MK19 MN20 MR27 MT31 MU30 NI28 NL18 NO15 OM23 PK24 PL28 PS29 PT25 QA29 RO24 ' +
  'RS22 RU33 SA24 SC31 SD18 SE24 SI19 SK24 SM27 SO23 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20 YE30 ' +
  'AO25 BF28 BJ28 CF27 CG27 CI28 CM27 CV25 DZ26 GA27 GQ27 GW25 IR26 KM27 MA28 MG27 ML28 MZ25 NE28 SN28 TD27 TG28';
const lengthOf = new Map(countries.split(' ').map((entry) => [entry.slice(0, 2), Number(entry.slice(2))]));

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
    const length = lengthOf.get(head.slice(0, 2));
    if (length === undefined || start < passed) continue;
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
