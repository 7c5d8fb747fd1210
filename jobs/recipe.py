"""The settings of a training run: checked, with defaults; and what follows from them by arithmetic alone."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from pawl_job import Reader, refuse

SCHEDULERS = ("cosine", "linear", "constant")


@dataclass(frozen=True)
class Recipe:
    kind: str
    rank: int
    alpha: float
    dropout: float
    target_modules: list[str] | None
    merge: bool
    seed: int
    epochs: float | None
    max_steps: int | None
    learning_rate: float
    batch_size: int
    gradient_accumulation: int
    max_tokens: int
    #: Below 1 a share of all steps, otherwise a number of steps.
    warmup: float
    weight_decay: float
    scheduler: str
    max_gradient_norm: float
    eval_every_steps: int | None
    eval_rows: int
    checkpoint_every_steps: int | None
    checkpoint_every_seconds: float
    precision: str
    prompt_format: str
    gradient_checkpointing: bool
    threads: int | None


def read_recipe(settings: dict[str, Any]) -> tuple[Recipe, str | None]:
    """The recipe and the base model's name, where it is not an input. Raises BadInput with every problem and its path."""
    problems: list[str] = []
    top = Reader(settings, "settings", problems)
    base = top.text("base", None)
    read = top.object("recipe")
    top.done()
    kind = read.choice("kind", "lora", ("lora", "full"))
    rank = read.whole("rank", 16, 1)
    max_steps = read.whole("maxSteps", None, 1)
    recipe = Recipe(
        kind=kind,
        rank=rank,
        alpha=read.number("alpha", 2 * rank, 0),
        dropout=read.number("dropout", 0.0, 0, 0.99),
        target_modules=read.texts("targetModules", None),
        merge=read.flag("merge", True),
        seed=read.whole("seed", 0),
        epochs=read.number("epochs", None if max_steps else 1, 1e-6),
        max_steps=max_steps,
        learning_rate=read.number("learningRate", 2e-4 if kind == "lora" else 2e-5, 0),
        batch_size=read.whole("batchSize", 8, 1),
        gradient_accumulation=read.whole("gradientAccumulation", 1, 1),
        max_tokens=read.whole("maxTokens", 1024, 2),
        warmup=read.number("warmup", 0.03, 0),
        weight_decay=read.number("weightDecay", 0.0, 0),
        scheduler=read.choice("scheduler", "cosine", SCHEDULERS),
        max_gradient_norm=read.number("maxGradientNorm", 1.0, 0),
        eval_every_steps=read.whole("evalEverySteps", None, 1),
        eval_rows=read.whole("evalRows", 500, 1),
        checkpoint_every_steps=read.whole("checkpointEverySteps", None, 1),
        checkpoint_every_seconds=read.number("checkpointEverySeconds", 300, 1),
        precision=read.choice("precision", "auto", ("auto", "bf16", "fp32")),
        prompt_format=read.choice("promptFormat", "plain", ("plain", "chat")),
        gradient_checkpointing=read.flag("gradientCheckpointing", False),
        threads=read.whole("threads", None, 1),
    )
    read.done()
    refuse(problems)
    return recipe, base


def total_steps(recipe: Recipe, batches_per_epoch: int) -> int:
    """Optimizer steps of the whole run; the last one of an epoch may have fewer batches than the others."""
    per_epoch = math.ceil(batches_per_epoch / recipe.gradient_accumulation)
    by_epochs = math.inf if recipe.epochs is None else math.ceil(recipe.epochs * per_epoch)
    return int(min(by_epochs, math.inf if recipe.max_steps is None else recipe.max_steps))


def learning_rate(recipe: Recipe, step: int, steps: int) -> float:
    """The rate of optimizer step `step`, counted from 0: linear warm-up, then the scheduler's way down to zero."""
    warmup = math.ceil(recipe.warmup * steps) if recipe.warmup < 1 else int(recipe.warmup)
    if step < warmup:
        return recipe.learning_rate * (step + 1) / (warmup + 1)
    done = (step - warmup) / max(steps - warmup, 1)
    factor = {"constant": 1.0, "linear": 1 - done, "cosine": (1 + math.cos(math.pi * done)) / 2}[recipe.scheduler]
    return recipe.learning_rate * factor
