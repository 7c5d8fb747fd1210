// What `pawl plan` says of what is served.

import { expect, test } from 'vitest';
import { describeProduction } from '../../../cli/production.js';
import { endpointOf } from '../../fixtures/endpoint-states.js';

const revocation = { version: 2, by: 'ada', reason: 'answers in French', at: '2026-11-21T09:00:00Z' };

test('a plan says that there is nothing to train where the champion has the same settings', () => {
  const told = describeProduction('bot', { state: endpointOf(), sameSettings: true, revoked: [] });
  expect(told.at(-1)).toMatch(/^The settings are those of version 1: .* nothing to train/);
});

test('a plan names the version that came of these settings and was taken back, with who did it and why', () => {
  const state = endpointOf({ revoked: [revocation] });
  const told = describeProduction('bot', { state, sameSettings: false, revoked: [revocation] });
  expect(told).toContainEqual(
    'Version 2 came of these settings and was taken back by ada on 2026-11-21: answers in French. With the same data there is nothing to train ("force": true rolls it out again).',
  );
});

test('a plan goes on where what is served cannot be read', () => {
  expect(describeProduction('bot', new Error('S3 is away.'))).toEqual(['What is served cannot be read: S3 is away.']);
});
