"""Evaluates a model, and the champion beside it on the very same examples, under the job contract (docs/job-contract.md).

Inputs: `artifact`, `dataset`, and `champion` where there is one. Output: `examples`, with one row an example in examples.jsonl.
The result: `{ metrics, slices, champion: { metrics, slices } | null, … }`, a metric being `{ value, samples, low, high }`.
Metrics of the suite `main` have bare names (`exactMatch`); those of any other are called `<suite>.<metric>`.
"""

from __future__ import annotations

import json
import os
import time
import warnings
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
# Threads that wait by spinning take the cores from whatever else runs on the host: three times slower where jobs share it.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
warnings.filterwarnings("ignore", category=FutureWarning)

import numpy as np  # noqa: E402
import torch  # noqa: E402
from language_model import (  # noqa: E402
    PROMPT_FORMATS,
    Row,
    choose_device,
    choose_precision,
    context_length,
    encode_prompt,
    encode_row,
    find_model,
    load_model,
    load_tokenizer,
    padding_id,
    read_examples,
    token_losses,
    use_threads,
)
from pawl_job import BadInput, Job, PassingTrouble, Reader, Stop, finite, progress, refuse, run  # noqa: E402
from text_metrics import (  # noqa: E402
    bootstrap,
    exact_match,
    f1,
    mean_of,
    percentile_of,
    perplexity_of,
    rouge_l,
)

METRICS = ("perplexity", "exactMatch", "f1", "rougeL", "latency")
_ANSWER_METRICS = {"exactMatch": exact_match, "f1": f1, "rougeL": rouge_l}
_PROGRESS_EVERY_SECONDS = 1.0


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
    slices: list[str]
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
        slices=read.texts("slices", []),
        max_slice_values=read.whole("maxSliceValues", 20, 1),
        batch_size=read.whole("batchSize", 16, 1),
        bootstrap_samples=read.whole("bootstrapSamples", 1000, 1),
        confidence=read.number("confidence", 0.95, 0.5, 0.9999),
        seed=read.whole("seed", 0),
        precision=read.choice("precision", "auto", ("auto", "bf16", "fp32")),
        prompt_format=read.choice("promptFormat", "auto", ("auto", *PROMPT_FORMATS)),
        threads=read.whole("threads", None, 1),
        base=read.text("base", None),
    )
    read.done()
    refuse(problems)
    return settings


@dataclass
class Answers:
    """What a model made of the examples of a suite; one entry an example, None where it was not asked for."""

    losses: list[float | None] = field(default_factory=list)
    tokens: list[int | None] = field(default_factory=list)
    answers: list[str | None] = field(default_factory=list)
    latencies: list[float | None] = field(default_factory=list)
    #: Whether the model saw less than the whole example, which is longer than its context.
    shortened: list[bool] = field(default_factory=list)


class Model:
    """A model that is evaluated: answers to examples, greedily, in batches of similar length."""

    def __init__(self, folder: Path, settings: Settings, base: Path | None) -> None:
        self.settings = settings
        self.device = choose_device()
        dtype = choose_precision(settings.precision, self.device)
        if (folder / "adapter_config.json").is_file():
            if base is None:
                raise BadInput("the artifact is an adapter: the input 'base' or the setting 'base' must name its base model")
            from peft import PeftModel

            model = PeftModel.from_pretrained(load_model(base, dtype), str(folder)).merge_and_unload()
        else:
            model = load_model(folder, dtype)
        self.tokenizer = load_tokenizer(folder)
        self.padding = padding_id(self.tokenizer)
        self.prompt_format = _trained_format(folder) if settings.prompt_format == "auto" else settings.prompt_format
        self.model = model.to(self.device).eval()
        self.context = context_length(model) or 1 << 30

    def examples(self, path: Path, suite: Suite) -> list[Row]:
        rows = []
        for row in read_examples(path, self.tokenizer, self.prompt_format):
            rows.append(row)
            if len(rows) == suite.max_examples:
                break
        if not rows:
            raise BadInput(f"{path.name} holds no example")
        return rows

    def run(self, rows: list[Row], suite: Suite, told: Tell) -> Answers:
        result = Answers([None] * len(rows), [None] * len(rows), [None] * len(rows), [None] * len(rows), [False] * len(rows))
        if "perplexity" in suite.metrics:
            self._score(rows, result, told)
        if not set(suite.metrics).isdisjoint(_ANSWER_METRICS):
            self._generate(rows, suite, result, told)
        if "latency" in suite.metrics:
            self._time(rows, suite, result, told)
        return result

    @torch.inference_mode()
    def _score(self, rows: list[Row], result: Answers, told: Tell) -> None:
        """The summed loss over what a model is to say, and the number of its tokens."""
        encoded = []
        for index, row in enumerate(rows):
            ids, learnt = encode_row(row, self.tokenizer)
            result.shortened[index] |= len(ids) > self.context
            encoded.append((ids[-self.context :], learnt[-self.context :]))
        for indices in _batches([len(ids) for ids, _ in encoded], self.settings.batch_size):
            longest = max(len(encoded[index][0]) for index in indices)
            ids = torch.full((len(indices), longest), self.padding)
            mask = torch.zeros((len(indices), longest), dtype=torch.long)
            learnt = torch.zeros((len(indices), longest), dtype=torch.bool)
            for place, index in enumerate(indices):
                length = len(encoded[index][0])
                ids[place, :length] = torch.tensor(encoded[index][0])
                learnt[place, :length] = torch.tensor(encoded[index][1])
                mask[place, :length] = 1
            ids, mask = ids.to(self.device), mask.to(self.device)
            learnt = learnt.to(self.device)
            wanted = learnt[:, 1:]
            losses = torch.zeros(wanted.shape, dtype=torch.float64, device=self.device)
            losses[wanted] = token_losses(self.model, ids, mask, learnt).double()
            for place, index in enumerate(indices):
                count = int(wanted[place].sum())
                if count > 0:
                    result.losses[index], result.tokens[index] = losses[place].sum().item(), count
            told.done(len(indices))

    def _generate(self, rows: list[Row], suite: Suite, result: Answers, told: Tell) -> None:
        asked = [index for index, row in enumerate(rows) if row.kind != "text"]
        prompts = {index: self._prompt(rows[index], suite, result, index) for index in asked}
        for places in _batches([len(prompts[index]) for index in asked], self.settings.batch_size):
            indices = [asked[place] for place in places]
            for index, answer in zip(indices, self._answers([prompts[index] for index in indices], suite), strict=True):
                result.answers[index] = answer
            told.done(len(indices))
        told.done(len(rows) - len(asked))

    def _time(self, rows: list[Row], suite: Suite, result: Answers, told: Tell) -> None:
        """One request at a time, as a lone user would see it; the first is not counted, since it warms the model up."""
        asked = [index for index, row in enumerate(rows) if row.kind != "text"][: suite.latency_examples]
        for count, index in enumerate(asked[:1] + asked):
            prompt = self._prompt(rows[index], suite, result, index)
            started = time.perf_counter()
            self._answers([prompt], suite)
            if count > 0:
                result.latencies[index] = (time.perf_counter() - started) * 1000
        told.done(len(rows))

    def _prompt(self, row: Row, suite: Suite, result: Answers, index: int) -> list[int]:
        ids = encode_prompt(row, self.tokenizer)
        room = max(1, self.context - suite.max_new_tokens)
        result.shortened[index] |= len(ids) > room
        return ids[-room:] or [self.padding]

    @torch.inference_mode()
    def _answers(self, prompts: list[list[int]], suite: Suite) -> list[str]:
        longest = max(len(prompt) for prompt in prompts)
        ids = torch.tensor([[self.padding] * (longest - len(prompt)) + prompt for prompt in prompts])
        mask = torch.tensor([[0] * (longest - len(prompt)) + [1] * len(prompt) for prompt in prompts])
        stop = {"stop_strings": suite.stop, "tokenizer": self.tokenizer} if suite.stop else {}
        generated = self.model.generate(
            input_ids=ids.to(self.device),
            attention_mask=mask.to(self.device),
            max_new_tokens=suite.max_new_tokens,
            do_sample=False,
            num_beams=1,
            # A model's own generation settings may hold these; they mean nothing without sampling.
            temperature=None,
            top_p=None,
            top_k=None,
            pad_token_id=self.padding,
            **stop,
        )
        texts = self.tokenizer.batch_decode(generated[:, longest:], skip_special_tokens=True)
        return [_cut(text, suite.stop) for text in texts]


def _trained_format(folder: Path) -> str:
    """How the model's own training put its prompts, where its folder says so."""
    try:
        record = json.loads((folder / "training.json").read_text(encoding="utf-8"))
        return "chat" if record["recipe"]["promptFormat"] == "chat" else "plain"
    except (OSError, ValueError, KeyError, TypeError):
        return "plain"


def _cut(text: str, stops: list[str]) -> str:
    for stop in stops:
        text = text.split(stop, 1)[0]
    return text


def _batches(lengths: list[int], size: int) -> list[list[int]]:
    """Indices in batches of similar length, the longest first: what does not fit into memory fails at once."""
    order = sorted(range(len(lengths)), key=lambda index: -lengths[index])
    return [order[start : start + size] for start in range(0, len(order), size)]


class Tell:
    """Progress over all models and suites; a request to stop is heeded here."""

    def __init__(self, stop: Stop) -> None:
        self._stop = stop
        self._said = 0.0
        self._done = 0
        self._part = ""

    def part(self, name: str) -> None:
        self._part = name

    def done(self, examples: int) -> None:
        self._done += examples
        if self._stop.asked:
            raise PassingTrouble(f"asked to stop while evaluating {self._part}")
        if time.monotonic() - self._said >= _PROGRESS_EVERY_SECONDS:
            self._said = time.monotonic()
            progress(part=self._part, examples=self._done)


def measure(rows: list[Row], answers: Answers, suite: Suite, settings: Settings, chosen: list[int]) -> dict[str, Any]:
    """The suite's metrics over the chosen examples. One that no example has a say in is null, with 0 samples."""
    table: dict[str, Any] = {}

    def put(name: str, indices: list[int], statistic: Any) -> None:
        if not indices:
            table[suite.prefix() + name] = {"value": None, "samples": 0}
            return
        how = {"samples": settings.bootstrap_samples, "confidence": settings.confidence, "seed": settings.seed}
        value, low, high = bootstrap(statistic, len(indices), **how)
        table[suite.prefix() + name] = _metric(value, len(indices), low, high)

    if "perplexity" in suite.metrics:
        scored = [index for index in chosen if answers.losses[index] is not None]
        losses = np.array([answers.losses[index] for index in scored], dtype=np.float64)
        tokens = np.array([answers.tokens[index] for index in scored], dtype=np.float64)
        put("perplexity", scored, perplexity_of(losses, tokens))
    answered = [index for index in chosen if answers.answers[index] is not None]
    for name, score in _ANSWER_METRICS.items():
        if name in suite.metrics:
            values = np.array([score(str(answers.answers[index]), rows[index].expected) for index in answered])
            put(name, answered, mean_of(values))
    if "latency" in suite.metrics:
        timed = [index for index in chosen if answers.latencies[index] is not None]
        values = np.array([answers.latencies[index] for index in timed], dtype=np.float64)
        put("latencyP50Ms", timed, percentile_of(values, 50))
        put("latencyP95Ms", timed, percentile_of(values, 95))
    return table


def _metric(value: float, samples: int, low: float, high: float) -> dict[str, Any]:
    rounded = {name: float(f"{number:.6g}") for name, number in {"value": value, "low": low, "high": high}.items()}
    metric = finite({**rounded, "samples": samples})
    return {key: item for key, item in metric.items() if item is not None or key == "value"}


def slice_members(rows: list[Row], fields: list[str], most: int) -> tuple[dict[str, list[int]], int]:
    """`language=de` → the examples in it, the fullest `most` values of a field; and how many values were left out."""
    members: dict[str, list[int]] = {}
    left_out = 0
    for name in fields:
        values = [_slice_value(row, name) for row in rows]
        counted = Counter(value for value in values if value is not None)
        kept = [value for value, _ in sorted(counted.items(), key=lambda item: (-item[1], item[0]))[:most]]
        left_out += len(counted) - len(kept)
        for value in kept:
            members[f"{name}={value}"] = [index for index, other in enumerate(values) if other == value]
    return members, left_out


def _slice_value(row: Row, name: str) -> str | None:
    slices = row.fields.get("slices")
    value = slices.get(name) if isinstance(slices, dict) else None
    return None if value is None else str(value)


def main(job: Job) -> None:
    told = Tell(Stop())
    settings = read_settings(job.settings)
    dataset = job.input("dataset")
    torch.manual_seed(settings.seed)
    use_threads(settings.threads)
    started = time.monotonic()

    contestants = ["artifact"] + (["champion"] if "champion" in job.inputs else [])
    tables: dict[str, dict[str, Any]] = {}
    runs: dict[str, list[tuple[list[Row], Answers]]] = {}
    left_out = 0
    for name in contestants:
        model = _load(job, name, settings)
        metrics: dict[str, Any] = {}
        slices: dict[str, dict[str, Any]] = {}
        runs[name] = []
        for suite in settings.suites:
            told.part(f"{name}/{suite.name}")
            rows = model.examples(dataset / f"{suite.split}.jsonl", suite)
            answers = model.run(rows, suite, told)
            runs[name].append((rows, answers))
            metrics |= measure(rows, answers, suite, settings, list(range(len(rows))))
            members, more = slice_members(rows, settings.slices, settings.max_slice_values)
            left_out = max(left_out, more)
            for label, chosen in members.items():
                slices.setdefault(label, {}).update(measure(rows, answers, suite, settings, chosen))
        tables[name] = {"metrics": metrics, "slices": slices}
        del model

    _write_examples(job.output("examples") / "examples.jsonl", settings, runs)
    job.write_result(
        {
            **tables["artifact"],
            "champion": tables.get("champion"),
            "slicesLeftOut": left_out,
            "shortenedExamples": {name: sum(sum(answers.shortened) for _, answers in runs[name]) for name in runs},
            "seconds": round(time.monotonic() - started, 3),
        }
    )


def _load(job: Job, name: str, settings: Settings) -> Model:
    folder = find_model({name: job.input(name)}, name, None)
    base = None
    if (folder / "adapter_config.json").is_file() and ("base" in job.inputs or settings.base is not None):
        base = find_model(job.inputs, "base", settings.base)
    return Model(folder, settings, base)


def _write_examples(path: Path, settings: Settings, runs: dict[str, list[tuple[list[Row], Answers]]]) -> None:
    """One row an example: what was asked, what was expected, what each model said, and how it scored."""
    with path.open("w", encoding="utf-8") as file:
        for number, suite in enumerate(settings.suites):
            for index, row in enumerate(runs["artifact"][number][0]):
                line: dict[str, Any] = {
                    "suite": suite.name,
                    "id": row.fields.get("id", f"{suite.split}:{row.line}"),
                    "source": row.fields.get("source"),
                    "slices": row.fields.get("slices", {}),
                    "prompt": row.turns[-1].prompt,
                    "expected": row.expected,
                }
                for name, results in runs.items():
                    line[name] = _said(*results[number], index)
                file.write(json.dumps(finite(line), ensure_ascii=False, allow_nan=False) + "\n")


def _said(rows: list[Row], answers: Answers, index: int) -> dict[str, Any]:
    answer = answers.answers[index]
    scores = {} if answer is None else {name: score(answer, rows[index].expected) for name, score in _ANSWER_METRICS.items()}
    return {
        "answer": answer,
        **scores,
        "loss": answers.losses[index],
        "tokens": answers.tokens[index],
        "latencyMs": answers.latencies[index],
        "shortened": answers.shortened[index],
    }


if __name__ == "__main__":
    run(main)
