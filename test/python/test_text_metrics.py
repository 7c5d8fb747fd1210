"""The metrics against values worked out by hand, and the intervals against what is known of them."""

import sys
import unittest
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "jobs"))

from text_metrics import (  # noqa: E402
    bits_per_byte_of,
    bootstrap,
    exact_match,
    f1,
    mean_of,
    percentile_of,
    perplexity_of,
    rouge_l,
)


class Scores(unittest.TestCase):
    def test_exact_match_forgives_white_space_and_composition_alone(self):
        self.assertEqual(exact_match(" zod\n", "zod"), 1)
        self.assertEqual(exact_match("cafe\u0301", "caf\u00e9"), 1)
        self.assertEqual(exact_match("Zod", "zod"), 0)
        self.assertEqual(exact_match("zod 4", "zod"), 0)

    def test_f1_counts_shared_words_as_squad_does(self):
        # given: cat sat on mat (4), wanted: cat sat (2), shared 2: P = 2/4, R = 2/2.
        self.assertAlmostEqual(f1("The cat sat on the mat.", "a cat sat"), 2 * 0.5 * 1 / 1.5)
        # A word counts as often as both have it: shared 1 of 2 and 1.
        self.assertAlmostEqual(f1("dog dog", "dog"), 2 / 3)
        self.assertEqual(f1("bird", "fish"), 0)
        self.assertEqual(f1("", "fish"), 0)
        self.assertEqual(f1("the", "a"), 1)

    def test_rouge_l_is_the_f_measure_of_the_longest_common_subsequence(self):
        # Lin 2004, section 3.1: S1 "police killed the gunman", S2 "police kill the gunman", S3 "the gunman kill police".
        reference = "police killed the gunman"
        self.assertAlmostEqual(rouge_l("police kill the gunman", reference), 3 / 4)
        self.assertAlmostEqual(rouge_l("the gunman kill police", reference), 2 / 4)
        # 5 words and 4, of which a b d stand in the same order.
        self.assertAlmostEqual(rouge_l("a x b y d", "a b c d"), 2 * 3 / 9)
        self.assertEqual(rouge_l("", "a"), 0)
        self.assertEqual(rouge_l("Größe", "größe"), 1)

    def test_rouge_l_agrees_with_the_textbook_table_on_random_texts(self):
        generator = np.random.default_rng(5)
        for _ in range(200):
            left, right = (list(map(str, generator.integers(0, 4, size=generator.integers(1, 90)))) for _ in range(2))
            table = np.zeros((len(left) + 1, len(right) + 1), dtype=int)
            for i, one in enumerate(left):
                for j, other in enumerate(right):
                    table[i + 1, j + 1] = table[i, j] + 1 if one == other else max(table[i, j + 1], table[i + 1, j])
            expected = 2 * table[-1, -1] / (len(left) + len(right))
            self.assertAlmostEqual(rouge_l(" ".join(left), " ".join(right)), expected)


class Bootstrap(unittest.TestCase):
    options = {"samples": 1000, "confidence": 0.95, "seed": 7}

    def test_the_same_seed_gives_the_same_interval_and_another_one_does_not(self):
        values = np.random.default_rng(1).random(300)
        first = bootstrap(mean_of(values), 300, **self.options)
        self.assertEqual(first, bootstrap(mean_of(values), 300, **self.options))
        self.assertNotEqual(first, bootstrap(mean_of(values), 300, **{**self.options, "seed": 8}))

    def test_an_interval_is_about_as_wide_as_theory_has_it(self):
        values = np.random.default_rng(2).random(2000) < 0.8
        value, low, high = bootstrap(mean_of(values.astype(float)), 2000, **self.options)
        half = 1.96 * np.sqrt(value * (1 - value) / 2000)
        self.assertAlmostEqual(high - value, half, delta=half / 5)
        self.assertAlmostEqual(value - low, half, delta=half / 5)

    def test_intervals_hold_the_truth_about_as_often_as_they_say(self):
        generator = np.random.default_rng(3)
        options = {"samples": 300, "confidence": 0.95, "seed": 0}
        held = 0
        for _ in range(200):
            _, low, high = bootstrap(mean_of(generator.normal(10, 3, 100)), 100, **options)
            held += low <= 10 <= high
        self.assertGreater(held / 200, 0.88)
        self.assertLess(held / 200, 0.99)

    def test_perplexity_weighs_every_token_the_same(self):
        losses, tokens = np.array([4.0, 1.0]), np.array([1.0, 4.0])
        value, low, high = bootstrap(perplexity_of(losses, tokens), 2, **self.options)
        self.assertAlmostEqual(value, np.e)
        self.assertAlmostEqual(low, np.exp(0.25))
        self.assertAlmostEqual(high, np.exp(4))

    def test_bits_per_byte_weigh_every_byte_the_same(self):
        losses, sizes = np.log(2) * np.array([8.0, 2.0]), np.array([1.0, 4.0])
        value, low, high = bootstrap(bits_per_byte_of(losses, sizes), 2, **self.options)
        self.assertAlmostEqual(value, 2)
        self.assertAlmostEqual(low, 0.5)
        self.assertAlmostEqual(high, 8)

    def test_memory_stays_bounded_for_many_examples(self):
        # 1000 resamplings of 50,000 at once would be 400 MB of indices alone; blocks give the same numbers as one piece.
        values = np.arange(50_000.0)
        value, low, high = bootstrap(percentile_of(values, 50), 50_000, samples=200, confidence=0.9, seed=1)
        self.assertAlmostEqual(value, 24_999.5)
        self.assertTrue(low < value < high)


if __name__ == "__main__":
    unittest.main()
