"""What comes of a model's answers: metrics with their intervals, over all examples and for slices, and how far two models are
apart on the very same examples. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from evaluation_settings import Settings, Suite
from language_model import Row
from pawl_job import finite
from text_metrics import (
    Statistic,
    bits_per_byte_of,
    bootstrap,
    exact_match,
    f1,
    mean_of,
    percentile_of,
    perplexity_of,
    rouge_l,
)

ANSWER_METRICS = {"exactMatch": exact_match, "f1": f1, "rougeL": rouge_l}


@dataclass
class Answers:
    """What a model made of the examples of a suite; one entry an example, None where it was not asked for."""

    losses: list[float | None] = field(default_factory=list)
    tokens: list[int | None] = field(default_factory=list)
    #: The UTF-8 bytes of what the losses are over, without the tokens that stand for no text.
    bytes: list[int | None] = field(default_factory=list)
    answers: list[str | None] = field(default_factory=list)
    latencies: list[float | None] = field(default_factory=list)
    #: Whether the model saw less than the whole example, which is longer than its context.
    shortened: list[bool] = field(default_factory=list)


@dataclass(frozen=True)
class Measure:
    """A metric of a model, for any choice of a suite's examples."""

    #: Which examples have a say in it.
    present: np.ndarray
    #: The metric, for rows of indices of examples.
    of: Statistic
    #: Why no example has one, where that is not plain.
    why: str | None = None


def measures(rows: list[Row], answers: Answers, suite: Suite) -> dict[str, Measure]:
    """The suite's metrics by their names."""
    found: dict[str, Measure] = {}
    if "perplexity" in suite.metrics:
        losses, scored = _column(answers.losses)
        tokens, sizes = _column(answers.tokens)[0], _column(answers.bytes)[0]
        found["perplexity"] = Measure(scored, perplexity_of(losses, tokens))
        found["bitsPerByte"] = Measure(scored & (sizes > 0), bits_per_byte_of(losses, sizes))
    for name, score in ANSWER_METRICS.items():
        if name in suite.metrics:
            said = zip(answers.answers, rows, strict=True)
            values, answered = _column([None if answer is None else score(answer, row.expected) for answer, row in said])
            found[name] = Measure(answered, mean_of(values))
    if "latency" in suite.metrics:
        values, timed = _column(answers.latencies)
        found["latencyP50Ms"] = Measure(timed, percentile_of(values, 50))
        found["latencyP95Ms"] = Measure(timed, percentile_of(values, 95))
    return found


def not_comparable(measure: Measure, why: str) -> Measure:
    """The same metric with no value at all: one that means nothing beside the other model's must not be judged by."""
    return Measure(np.zeros_like(measure.present), measure.of, why)


def _column(values: Sequence[float | None]) -> tuple[np.ndarray, np.ndarray]:
    """The numbers, and which of them are there. One that is there and no number (NaN) stays so, and spoils its metric."""
    numbers = np.array([0 if value is None else value for value in values], dtype=np.float64)
    return numbers, np.array([value is not None for value in values], dtype=bool)


def table_of(
    mine: dict[str, Measure], chosen: np.ndarray, suite: Suite, settings: Settings, other: dict[str, Measure] | None = None
) -> dict[str, Any]:
    """The metrics over the chosen examples. One that no example has a say in is null, with 0 samples.

    With another model's measures, each also has its `difference` (this model's less the other's), over the examples that both
    have: its interval is of the same draws for both, so what is hard for both counts for neither.
    """
    table: dict[str, Any] = {}
    for name, measure in mine.items():
        there = chosen[measure.present[chosen]]
        metric = _interval(measure.of, there, settings)
        if measure.why is not None:
            metric["why"] = measure.why
        if other is not None:
            rival = other[name]
            shared = there[rival.present[there]]
            difference = _interval(_less(measure.of, rival.of), shared, settings)
            if difference.keys() >= {"low", "high"}:
                metric["difference"] = difference
        table[suite.prefix() + name] = metric
    return table


def _less(left: Statistic, right: Statistic) -> Statistic:
    return lambda indices: left(indices) - right(indices)


def _interval(of: Statistic, examples: np.ndarray, settings: Settings) -> dict[str, Any]:
    if len(examples) == 0:
        return {"value": None, "samples": 0}
    how = {"samples": settings.bootstrap_samples, "confidence": settings.confidence, "seed": settings.seed}
    numbers = bootstrap(lambda draws: of(examples[draws]), len(examples), **how)
    rounded = {name: float(f"{number:.6g}") for name, number in zip(("value", "low", "high"), numbers, strict=True)}
    metric = finite({**rounded, "samples": len(examples)})
    return {key: item for key, item in metric.items() if item is not None or key == "value"}


def slice_members(rows: list[Row], fields: list[str] | None, most: int) -> tuple[dict[str, np.ndarray], int]:
    """`language=de` → the examples in it, the fullest `most` values of a field; and how many values were left out.

    Without fields: of every one that the rows carry.
    """
    carried = [row.fields.get("slices") for row in rows]
    tables = [slices if isinstance(slices, dict) else {} for slices in carried]
    members: dict[str, np.ndarray] = {}
    left_out = 0
    for name in sorted({name for table in tables for name in table}) if fields is None else fields:
        values = [None if table.get(name) is None else str(table[name]) for table in tables]
        counted = Counter(value for value in values if value is not None)
        kept = [value for value, _ in sorted(counted.items(), key=lambda item: (-item[1], item[0]))[:most]]
        left_out += len(counted) - len(kept)
        for value in kept:
            members[f"{name}={value}"] = np.array([index for index, one in enumerate(values) if one == value])
    return members, left_out
