import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { chooseRole, drawForKey, seededRandom } from '../../gateway/routing.js';
import { endpointOf, trialOf } from '../fixtures/endpoint-states.js';

const draw = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

describe('the choice of a version', () => {
  test('without a held lease every request goes to the champion', () => {
    fc.assert(
      fc.property(draw, fc.nat(100), (value, weight) => {
        expect(chooseRole(trialOf(2, weight), false, value)).toBe('champion');
      }),
    );
  });

  test('without a challenger every request goes to the champion, whatever the lease says', () => {
    fc.assert(
      fc.property(draw, (value) => {
        expect(chooseRole(endpointOf(), true, value)).toBe('champion');
      }),
    );
  });

  test('a weight of 0 gives the challenger nothing, one of 100 everything', () => {
    fc.assert(
      fc.property(draw, (value) => {
        expect(chooseRole(trialOf(2, 0), true, value)).toBe('champion');
        expect(chooseRole(trialOf(2, 100), true, value)).toBe('challenger');
      }),
    );
  });

  test('shares follow the weights', () => {
    for (const weight of [1, 10, 25, 50, 99]) {
      const random = seededRandom(weight);
      const requests = 20_000;
      let challenger = 0;
      for (let index = 0; index < requests; index += 1)
        if (chooseRole(trialOf(2, weight), true, random()) === 'challenger') challenger += 1;
      // Five standard deviations of the binomial.
      const spread = 5 * Math.sqrt(requests * (weight / 100) * (1 - weight / 100));
      expect(Math.abs(challenger - (requests * weight) / 100)).toBeLessThan(spread);
    }
  });

  test('the same seed chooses the same', () => {
    const sequence = (seed: number): number[] => Array.from({ length: 5 }, seededRandom(seed));
    expect(sequence(7)).toEqual(sequence(7));
    expect(sequence(7)).not.toEqual(sequence(8));
  });
});

describe('a key', () => {
  test('draws the same number each time, from 0 to below 1', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (trial, key) => {
        const value = drawForKey(trial, key);
        expect(value).toBe(drawForKey(trial, key));
        expect(value).toBeGreaterThanOrEqual(0);
        expect(value).toBeLessThan(1);
      }),
    );
  });

  test('that got the challenger keeps it when the weight rises', () => {
    for (let index = 0; index < 1_000; index += 1) {
      const value = drawForKey('trial-1', `user-${index}`);
      if (chooseRole(trialOf(2, 10), true, value) === 'challenger')
        expect(chooseRole(trialOf(3, 25), true, value)).toBe('challenger');
    }
  });

  test('of many like each other spreads evenly, and otherwise in another trial', () => {
    const keys = Array.from({ length: 10_000 }, (_, index) => `user-${index}`);
    const first = keys.map((key) => drawForKey('trial-1', key) < 0.1);
    const second = keys.map((key) => drawForKey('trial-2', key) < 0.1);
    const both = first.filter((isChosen, index) => isChosen && second[index]).length;
    for (const chosen of [first, second]) expect(Math.abs(chosen.filter(Boolean).length - 1_000)).toBeLessThan(150);
    // Independent draws meet in a hundredth of the keys.
    expect(Math.abs(both - 100)).toBeLessThan(50);
  });
});
