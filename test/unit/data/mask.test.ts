// Masking in ordinary sentences: numbers stand before full stops, dates and words, and all of it is said in linear time.

import { describe, expect, test } from 'vitest';
import { maskPersonalData } from '../../../activities/feature-engineering/mask.js';
import { personalDataClasses } from '../../../activities/schemas/data-settings.js';

const mask = (text: string) => maskPersonalData(text, personalDataClasses).text;

describe('what stands next to a number does not keep it from being masked', () => {
  test.each([
    ['My card is 4111 1111 1111 1111.', 'My card is [CREDIT-CARD].'],
    ['card 4111111111111111 12/27', 'card [CREDIT-CARD] 12/27'],
    ['4111 1111 1111 1111 123', '[CREDIT-CARD] 123'],
    ['3782 822463 10005 1234 is an Amex', '[CREDIT-CARD] 1234 is an Amex'],
    ['for 4111-1111-1111-1111- 12.50 EUR', 'for [CREDIT-CARD]- 12.50 EUR'],
    ['4111 1111 1111 1111 12.50', '[CREDIT-CARD] 12.50'],
    ['pin 1234 4111 1111 1111 1111', 'pin 1234 [CREDIT-CARD]'],
    ['No.4111111111111111, No-4111111111111111', 'No.[CREDIT-CARD], No-[CREDIT-CARD]'],
    ['4111111111111111 5500005555555559', '[CREDIT-CARD] [CREDIT-CARD]'],
    ['from 10.0.0.1.', 'from [IP-ADDRESS].'],
    ['...10.0.0.1...', '...[IP-ADDRESS]...'],
    ['AT61 1904 3002 3457 3201 I will pay', '[IBAN] I will pay'],
    ['BE68 5390 0754 7034 PAID', '[IBAN] PAID'],
    ['BE68 5390 0754 7034.', '[IBAN].'],
    ['FR14 20041 01005 0500013M026 06 OK', '[IBAN] OK'],
    ['CODE AB12 BE68539007547034', 'CODE AB12 [IBAN]'],
    ['ssn -536-90-4399- yes', 'ssn -[US-SSN]- yes'],
    ['Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0aa.c2lnbmF0dXJl.', 'Bearer [SECRET].'],
    [
      '-----BEGIN RSA PRIVATE KEY-----\nDEK-Info: AES-128-CBC\n\nMIIE\n-----END RSA PRIVATE KEY----- kept',
      '[SECRET] kept',
    ],
  ])('%s', (text, masked) => expect(mask(text)).toBe(masked));

  test.each([
    'order 4111111111111112 of 2026',
    '0.4111111111111111 and 4111111111111111.5 are decimal numbers',
    'version 1.2.3.4.5 is out',
    'the years 2019 2020 2021 2022 2023 2024 2025 2026',
    'rows 1024 2048 4096 8192 16384 32768 65536',
    'AT61 1904 3002 3457 3202 fails modulo 97',
    'BE68 5390 0754 7034PAID has no end',
    'XX68 5390 0754 7034 is of no country',
    '536-90-4399-1 is longer than that',
  ])('leaves alone: %s', (text) => expect(mask(text)).toBe(text));

  test('counts each one', () => {
    expect(maskPersonalData('4111111111111111 12/27, 10.0.0.1.', personalDataClasses).counts).toEqual({
      'credit-card': 1,
      'ip-address': 1,
    });
  });
});

test('an IBAN is as long as its country says, with and without spaces', () => {
  // The registry's own examples.
  const examples = [
    'NO9386011117947',
    'MT84MALT011000012345MTLCAST001S',
    'GB29NWBK60161331926819',
    'SE4550000000058398257466',
    'NI45BAPR00000013000003558124',
    'RU0304452522540817810538091310419',
    'FK88SC123456789012',
    'HN88CABF00000000000250005469',
    'BI4210000100010000332045181',
    // Of countries that have not registered theirs.
    'CI93CI0080111301134291200589',
    'MZ97123412341234123412341',
  ];
  for (const example of examples) {
    const grouped = example.replace(/(.{4})(?!$)/g, '$1 ');
    for (const form of [example, grouped]) expect(mask(`A ${form} B2 C`), form).toBe('A [IBAN] B2 C');
  }
});

/** Quadratic, each of these would be 10¹¹ steps and never end. */
const megabyte = 1_000_000;
test.each([
  ['digits', '4'],
  ['lone digits', '4 '],
  ['groups of digits', '4111 '],
  ['dotted numbers', '1.'],
  ['beginnings of keys without an end', '-----BEGIN PRIVATE KEY-----'],
  ['ends of keys that are none', '-----END ', '-----BEGIN PRIVATE KEY-----'],
  ['capitals after the beginning of a key', 'A', '-----BEGIN '],
  ['beginnings of tokens', 'eyJ-'],
  ['beginnings of dotted tokens', '-eyJaaaaaaaaaa.'],
  ['beginnings of other tokens', 'xoxb----------------'],
  ['labels of a domain', 'a.', 'a@'],
  ['domains without an end', 'a@a.'],
  ['at signs', '@'],
  ['beginnings of IBANs', 'BE68 '],
  ['capitals and digits', 'AB12'],
  ['beginnings of phone numbers', '+1 '],
  ['groups of a phone number', '12 ', '+1 '],
  ['parentheses', '(555) '],
  ['spaces', ' '],
])('a megabyte of %s comes to its end', { timeout: 20_000 }, (_, repeated, first = '') => {
  const text = first + repeated.repeat(Math.ceil(megabyte / repeated.length));
  expect(mask(text).length).toBeLessThanOrEqual(text.length);
});
