"""The settings of an evaluation: checked, with defaults. Standard library only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pawl_job import Reader, refuse

PROMPT_FORMATS = ("auto", "plain", "chat")
METRICS = ("perplexity", "exactMatch", "f1", "rougeL", "latency")


@dataclass(frozen=True)
class Suite:
    name: str
    split: str
    max_examples: int | None
    metrics: list[str]
    max_new_tokens: int
    latency_examples: int
    stop: list[str]

    def prefix(self) -> str:
        return "" if self.name == "main" else f"{self.name}."


@dataclass(frozen=True)
class Settings:
    suites: list[Suite]
    #: None: every field that the rows carry.
    slices: list[str] | None
    max_slice_values: int
    batch_size: int
    bootstrap_samples: int
    confidence: float
    seed: int
    precision: str
    prompt_format: str
    threads: int | None
    base: str | None


def read_settings(value: dict[str, Any]) -> Settings:
    """Raises BadInput with every problem and its path."""
    problems: list[str] = []
    read = Reader(value, "settings", problems)
    suites = []
    for suite in read.objects("suites", [{}]):
        suites.append(
            Suite(
                name=suite.text("name", "main"),
                split=suite.choice("split", "test", ("train", "validation", "test")),
                max_examples=suite.whole("maxExamples", None, 1),
                metrics=suite.texts("metrics", list(METRICS), METRICS),
                max_new_tokens=suite.whole("maxNewTokens", 64, 1),
                latency_examples=suite.whole("latencyExamples", 32, 1),
                stop=suite.texts("stop", []),
            )
        )
        suite.done()
    names = [suite.name for suite in suites]
    problems += [f"settings.suites: the name {name!r} stands twice" for name in sorted(set(names)) if names.count(name) > 1]
    settings = Settings(
        suites=suites,
        slices=read.texts("slices", None),
        max_slice_values=read.whole("maxSliceValues", 20, 1),
        batch_size=read.whole("batchSize", 16, 1),
        bootstrap_samples=read.whole("bootstrapSamples", 1000, 1),
        confidence=read.number("confidence", 0.95, 0.5, 0.9999),
        seed=read.whole("seed", 0),
        precision=read.choice("precision", "auto", ("auto", "bf16", "fp32")),
        prompt_format=read.choice("promptFormat", "auto", PROMPT_FORMATS),
        threads=read.whole("threads", None, 1),
        base=read.text("base", None),
    )
    read.done()
    refuse(problems)
    return settings
