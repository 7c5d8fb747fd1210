"""The training examples as tokens, and the order in which they are gone through: a pure function of seed and epoch.

So a position in the data is two numbers, and a resumed run sees exactly what it would have seen.
"""

from __future__ import annotations

import time
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from language_model import Row, encode_row, pad, read_examples
from pawl_job import BadInput, progress

# Examples of similar length share a batch: this many batches are sorted by length at a time, so the order stays random enough.
_BATCHES_SORTED_TOGETHER = 32
# A job that says nothing for long counts as frozen.
_PROGRESS_EVERY_SECONDS = 10.0


@dataclass
class TokenStore:
    """Examples one behind the other in flat arrays: five bytes a token."""

    ids: array[int] = field(default_factory=lambda: array("i"))
    learnt: array[int] = field(default_factory=lambda: array("b"))
    starts: array[int] = field(default_factory=lambda: array("q", [0]))
    shortened: int = 0

    def __len__(self) -> int:
        return len(self.starts) - 1

    def length(self, index: int) -> int:
        return self.starts[index + 1] - self.starts[index]

    def add(self, ids: list[int], learnt: list[bool]) -> None:
        # Nothing predicts a first token; a row without anything to learn would only dilute its batch.
        if any(learnt[1:]):
            self.ids.extend(ids)
            self.learnt.extend(learnt)
            self.starts.append(len(self.ids))

    def batch(self, indices: list[int], padding: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Token ids, attention mask and which are to be learnt, as `pad` gives them."""
        places = [slice(self.starts[index], self.starts[index + 1]) for index in indices]
        return pad([(self.ids[place], self.learnt[place]) for place in places], padding)


def load_split(path: Path, tokenizer: Any, *, max_tokens: int, prompt_format: str, max_rows: int | None = None) -> TokenStore:
    """Reads and tokenizes a split, or `max_rows` drawn from all of it, the same ones for every recipe.

    Raises BadInput with file and line, and where there is nothing to learn.
    """
    store = TokenStore()
    said = time.monotonic()
    for count, row in enumerate(read_examples(path, tokenizer, prompt_format, most=max_rows), start=1):
        ids, learnt = encode_row(row, tokenizer)
        for part in _fitting(row, ids, learnt, max_tokens):
            store.add(*part)
        store.shortened += len(ids) > max_tokens
        if time.monotonic() - said >= _PROGRESS_EVERY_SECONDS:
            progress(reading=path.name, rows=count)
            said = time.monotonic()
    if len(store) == 0:
        raise BadInput(f"{path.name} holds nothing to learn")
    return store


def _fitting(row: Row, ids: list[int], learnt: list[bool], most: int) -> Iterator[tuple[list[int], list[bool]]]:
    """Plain text is cut into windows. An example loses the start of its prompt, since the answer is what is to be learnt."""
    if len(ids) <= most:
        yield ids, learnt
    elif row.kind == "text":
        for start in range(0, len(ids), most):
            yield ids[start : start + most], learnt[start : start + most]
    else:
        start = min(len(ids) - most, max(learnt.index(True) - 1, 0))
        yield ids[start : start + most], learnt[start : start + most]


def epoch_batches(store: TokenStore, batch_size: int, seed: int, epoch: int) -> list[list[int]]:
    """The batches of an epoch, in their order."""
    generator = torch.Generator().manual_seed(seed * 1_000_003 + epoch)
    order = torch.randperm(len(store), generator=generator).tolist()
    batches: list[list[int]] = []
    window = batch_size * _BATCHES_SORTED_TOGETHER
    for start in range(0, len(order), window):
        alike = sorted(order[start : start + window], key=store.length)
        batches += [alike[at : at + batch_size] for at in range(0, len(alike), batch_size)]
    shuffled = torch.randperm(len(batches), generator=generator).tolist()
    return [batches[index] for index in shuffled]
