"""How close an answer is to the one expected, and how sure a mean over examples is. Pure; NumPy only."""

from __future__ import annotations

import re
import string
import unicodedata
from collections import Counter
from collections.abc import Callable

import numpy as np

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_WORD = re.compile(r"\w+")
# Resampled in blocks of this many values, so that memory stays bounded however many examples there are.
_BLOCK = 4_000_000


def exact_match(answer: str, expected: str) -> float:
    """1 where the texts are the same but for white space and Unicode composition, otherwise 0."""
    return float(_composed(answer) == _composed(expected))


def _composed(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).split())


def f1(answer: str, expected: str) -> float:
    """Token F1 as SQuAD has it (Rajpurkar et al. 2016): lower case, without punctuation and articles, words counted as a bag."""
    given, wanted = _squad_words(answer), _squad_words(expected)
    if not given or not wanted:
        return float(given == wanted)
    shared = sum((Counter(given) & Counter(wanted)).values())
    return 0.0 if shared == 0 else 2 * shared / (len(given) + len(wanted))


def _squad_words(text: str) -> list[str]:
    kept = "".join(character for character in text.lower() if character not in string.punctuation)
    return _ARTICLES.sub(" ", kept).split()


def rouge_l(answer: str, expected: str) -> float:
    """ROUGE-L (Lin 2004) for a whole text as one sentence: the F-measure, with recall and precision weighing the same."""
    given, wanted = _WORD.findall(answer.lower()), _WORD.findall(expected.lower())
    if not given or not wanted:
        return float(given == wanted)
    return 2 * _longest_common_subsequence(given, wanted) / (len(given) + len(wanted))


def _longest_common_subsequence(left: list[str], right: list[str]) -> int:
    """Its length, all columns of a row at once in the bits of one integer (Hyyrö 2004)."""
    positions: dict[str, int] = {}
    for index, word in enumerate(left):
        positions[word] = positions.get(word, 0) | 1 << index
    full = (1 << len(left)) - 1
    row = full
    for word in right:
        matches = row & positions.get(word, 0)
        row = (row + matches | row - matches) & full
    return len(left) - row.bit_count()


Statistic = Callable[[np.ndarray], np.ndarray]


def mean_of(values: np.ndarray) -> Statistic:
    """The mean, for rows of indices."""
    return lambda indices: values[indices].mean(axis=-1)


def perplexity_of(losses: np.ndarray, tokens: np.ndarray) -> Statistic:
    """exp of the summed loss by the summed tokens: every token counts the same, so long examples count for more."""
    return lambda indices: np.exp(losses[indices].sum(axis=-1) / tokens[indices].sum(axis=-1))


def bits_per_byte_of(losses: np.ndarray, sizes: np.ndarray) -> Statistic:
    """The summed loss in bits by the summed bytes of the text: unlike a perplexity, the same unit for every tokenizer."""
    return lambda indices: losses[indices].sum(axis=-1) / (np.log(2) * sizes[indices].sum(axis=-1))


def percentile_of(values: np.ndarray, percent: float) -> Statistic:
    return lambda indices: np.percentile(values[indices], percent, axis=-1)


def bootstrap(statistic: Statistic, count: int, *, samples: int, confidence: float, seed: int) -> tuple[float, float, float]:
    """The statistic over all `count` examples, and its percentile bootstrap interval (Efron 1979).

    The same seed and count draw the same examples, so the intervals of two models on the same examples are paired.
    """
    value = float(statistic(np.arange(count)))
    generator = np.random.default_rng(seed)
    drawn = []
    rows = max(1, _BLOCK // count)
    for start in range(0, samples, rows):
        drawn.append(statistic(generator.integers(0, count, size=(min(rows, samples - start), count))))
    tail = (1 - confidence) / 2 * 100
    low, high = np.percentile(np.concatenate(drawn), [tail, 100 - tail])
    return value, float(low), float(high)
