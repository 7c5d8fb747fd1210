"""Evaluates a model, and the champion beside it on the very same examples, under the job contract (docs/job-contract.md).

Inputs: `artifact`, `dataset`, and `champion` where there is one. Output: `examples`, with one row an example in examples.jsonl.
The result: `{ metrics, slices, champion: { metrics, slices } | null, … }`, a metric being `{ value, samples, low, high }`,
and beside a champion also `difference`: artifact less champion on the examples that both have, `{ value, samples, low, high }`.
Metrics of the suite `main` have bare names (`exactMatch`); those of any other are called `<suite>.<metric>`.
"""

from __future__ import annotations

import json
import os
import time
import warnings
from pathlib import Path
from typing import Any

os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
# Threads that wait by spinning take the cores from whatever else runs on the host: three times slower where jobs share it.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
warnings.filterwarnings("ignore", category=FutureWarning)

import numpy as np  # noqa: E402
import torch  # noqa: E402
from dataset_rows import sample  # noqa: E402
from evaluation_settings import Settings, Suite, read_settings  # noqa: E402
from language_model import (  # noqa: E402
    Row,
    choose_device,
    choose_precision,
    context_length,
    encode_prompt,
    encode_row,
    find_model,
    load_model,
    load_tokenizer,
    pad,
    padding_id,
    read_examples,
    token_losses,
    use_threads,
    vocabulary_digest,
)
from measure import ANSWER_METRICS, Answers, Measure, measures, not_comparable, slice_members, table_of  # noqa: E402
from pawl_job import (  # noqa: E402
    RESULT_LIMIT_BYTES,
    BadInput,
    Job,
    PassingTrouble,
    Stop,
    finite,
    progress,
    result_fits,
    run,
)

_PROGRESS_EVERY_SECONDS = 1.0
#: What a metric takes in the result at most, with its intervals and the difference to the champion's.
_METRIC_BYTES = 400
#: Of each model, what it made of each suite.
Runs = dict[str, list[tuple[list[Row], Answers]]]


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
        """The suite's examples: the same ones for every model."""
        how = {"most": suite.max_examples, "seed": self.settings.seed}
        rows = list(read_examples(path, self.tokenizer, self.prompt_format, **how))
        if not rows:
            raise BadInput(f"{path.name} holds no example")
        return rows

    def run(self, rows: list[Row], suite: Suite, told: Tell) -> Answers:
        count = len(rows)
        result = Answers(*([None] * count for _ in range(5)), shortened=[False] * count)
        if "perplexity" in suite.metrics:
            self._score(rows, result, told)
        if not set(suite.metrics).isdisjoint(ANSWER_METRICS):
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
            batch = pad([encoded[index] for index in indices], self.padding)
            ids, mask, learnt = (tensor.to(self.device) for tensor in batch)
            wanted = learnt[:, 1:]
            losses = torch.zeros(wanted.shape, dtype=torch.float64, device=self.device)
            losses[wanted] = token_losses(self.model, ids, mask, learnt).double()
            for place, index in enumerate(indices):
                count = int(wanted[place].sum())
                if count > 0:
                    result.losses[index], result.tokens[index] = losses[place].sum().item(), count
                    result.bytes[index] = self._bytes(*encoded[index])
            told.done(len(indices))

    def _bytes(self, ids: list[int], learnt: list[bool]) -> int:
        """Of the text that was to be said, as far as it was scored; nothing predicts a first token."""
        said = [token for token, wanted in zip(ids[1:], learnt[1:], strict=True) if wanted]
        options = {"skip_special_tokens": True, "clean_up_tokenization_spaces": False}
        return len(self.tokenizer.decode(said, **options).encode("utf-8", "replace"))

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
        places = {row.line: index for index, row in enumerate(rows) if row.kind != "text"}
        asked = [places[line] for line in sample(places, suite.latency_examples, self.settings.seed)]
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


def main(job: Job) -> None:
    told = Tell(Stop())
    settings = read_settings(job.settings)
    dataset = job.input("dataset")
    torch.manual_seed(settings.seed)
    use_threads(settings.threads)
    started = time.monotonic()

    contestants = ["artifact"] + (["champion"] if "champion" in job.inputs else [])
    _refuse_too_many_suites(settings, len(contestants))
    runs: Runs = {}
    vocabularies: dict[str, str] = {}
    for name in contestants:
        model = _load(job, name, settings)
        vocabularies[name] = vocabulary_digest(model.tokenizer)
        runs[name] = []
        for suite in settings.suites:
            told.part(f"{name}/{suite.name}")
            rows = model.examples(dataset / f"{suite.split}.jsonl", suite)
            runs[name].append((rows, model.run(rows, suite, told)))
        del model

    tables, left_out = _tables(runs, settings, same_tokens=len(set(vocabularies.values())) == 1)
    _write_examples(job.output("examples") / "examples.jsonl", settings, runs)
    result = {
        **tables["artifact"],
        "champion": tables.get("champion"),
        "slicesLeftOut": left_out,
        "shortenedExamples": {name: sum(sum(answers.shortened) for _, answers in runs[name]) for name in runs},
        "seconds": round(time.monotonic() - started, 3),
    }
    _leave_out_slices(result, runs, settings)
    job.write_result(result)


def _refuse_too_many_suites(settings: Settings, contestants: int) -> None:
    """Before anything is evaluated: slices can be left out of a result that is too large, metrics cannot."""
    pairs = {"perplexity", "latency"}
    size = 0
    for suite in settings.suites:
        metrics = sum(2 if name in pairs else 1 for name in suite.metrics)
        size += metrics * contestants * (_METRIC_BYTES + len(suite.prefix().encode()))
    if size > RESULT_LIMIT_BYTES:
        raise BadInput(
            f"settings.suites: {len(settings.suites)} suites may give a result of more than {RESULT_LIMIT_BYTES // 1024} KB: "
            "ask for fewer suites or metrics"
        )


def _leave_out_slices(result: dict[str, Any], runs: Runs, settings: Settings) -> None:
    """Keeps fewer values of every field, the fullest ones, until the result is as small as the contract wants it."""
    most = min(settings.max_slice_values, len(result["slices"]))
    while most > 0 and not result_fits(result):
        most -= max(1, most // 10)
        found = [slice_members(rows, settings.slices, most) for rows, _ in runs["artifact"]]
        kept = {label for members, _ in found for label in members}
        result["slicesLeftOut"] = max(left_out for _, left_out in found)
        for table in filter(None, (result, result["champion"])):
            table["slices"] = {label: metrics for label, metrics in table["slices"].items() if label in kept}


def _tables(runs: Runs, settings: Settings, *, same_tokens: bool) -> tuple[dict[str, Any], int]:
    """Of each model, its metrics over all examples and for slices; and how many values of slices were left out."""
    tables: dict[str, Any] = {name: {"metrics": {}, "slices": {}} for name in runs}
    most_left_out = 0
    for number, suite in enumerate(settings.suites):
        found = {name: measures(*results[number], suite) for name, results in runs.items()}
        _refuse_other_tokens(found, same_tokens)
        rows = runs["artifact"][number][0]
        members, left_out = slice_members(rows, settings.slices, settings.max_slice_values)
        most_left_out = max(most_left_out, left_out)
        for name, table in tables.items():
            rival = found.get("champion") if name == "artifact" else None
            table["metrics"] |= table_of(found[name], np.arange(len(rows)), suite, settings, rival)
            for label, chosen in members.items():
                table["slices"].setdefault(label, {}).update(table_of(found[name], chosen, suite, settings, rival))
    return tables, most_left_out


def _refuse_other_tokens(found: dict[str, dict[str, Measure]], same_tokens: bool) -> None:
    """A perplexity is a token's, and a champion with other tokens has other ones: bitsPerByte compares the two."""
    champion = found.get("champion", {})
    if not same_tokens and "perplexity" in champion:
        why = "its tokenizer has another vocabulary, so the two are in different units; compare bitsPerByte"
        champion["perplexity"] = not_comparable(champion["perplexity"], why)


def _load(job: Job, name: str, settings: Settings) -> Model:
    folder = find_model({name: job.input(name)}, name, None)
    base = None
    if (folder / "adapter_config.json").is_file() and ("base" in job.inputs or settings.base is not None):
        base = find_model(job.inputs, "base", settings.base)
    return Model(folder, settings, base)


def _write_examples(path: Path, settings: Settings, runs: Runs) -> None:
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
    scores = {} if answer is None else {name: score(answer, rows[index].expected) for name, score in ANSWER_METRICS.items()}
    return {
        "answer": answer,
        **scores,
        "loss": answers.losses[index],
        "tokens": answers.tokens[index],
        "bytes": answers.bytes[index],
        "latencyMs": answers.latencies[index],
        "shortened": answers.shortened[index],
    }


if __name__ == "__main__":
    run(main)
