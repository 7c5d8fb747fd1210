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
from evaluated_model import Model, Tell  # noqa: E402
from evaluation_settings import Settings, read_settings  # noqa: E402
from language_model import Row, find_model, use_threads, vocabulary_digest  # noqa: E402
from measure import ANSWER_METRICS, Answers, Measure, measures, not_comparable, slice_members, table_of  # noqa: E402
from pawl_job import RESULT_LIMIT_BYTES, BadInput, Job, Stop, finite, result_fits, run  # noqa: E402

#: What a metric takes in the result at most, with its intervals and the difference to the champion's.
_METRIC_BYTES = 400
#: Of each model, what it made of each suite.
Runs = dict[str, list[tuple[list[Row], Answers]]]


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
