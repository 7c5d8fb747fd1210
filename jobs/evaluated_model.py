"""A model that is evaluated: what it makes of the examples of a suite, whatever is made of that afterwards."""

from __future__ import annotations

import json
import time
from pathlib import Path

import torch
from dataset_rows import sample
from evaluation_settings import Settings, Suite
from language_model import (
    Row,
    choose_device,
    choose_precision,
    context_length,
    encode_prompt,
    encode_row,
    load_model,
    load_tokenizer,
    pad,
    padding_id,
    read_examples,
    token_losses,
)
from measure import ANSWER_METRICS, Answers
from pawl_job import BadInput, PassingTrouble, Stop, progress

_PROGRESS_EVERY_SECONDS = 1.0


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
