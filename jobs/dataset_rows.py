"""The rows of a data set's split: all of them, or a sample that stands for all. Standard library only.

A split is in the order of its source's files, so its first rows would speak for one corner of the data.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from heapq import nsmallest
from pathlib import Path
from typing import Any

from pawl_job import BadInput


def read_rows(path: Path, most: int | None = None, seed: int = 0) -> Iterator[tuple[int, dict[str, Any]]]:
    """The objects of a JSONL file with their line numbers, in their order; raises BadInput with file and line.

    With `most` only so many of them, drawn from the whole file: the same for the same seed.
    """
    drawn = None if most is None else frozenset(sample((number for number, _ in _lines(path)), most, seed))
    for number, line in _lines(path):
        if drawn is not None and number not in drawn:
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise BadInput(f"{path.name} line {number} is not JSON: {error}") from error
        if not isinstance(row, dict):
            raise BadInput(f"{path.name} line {number} is not a JSON object")
        if not _is_text(line, row):
            raise BadInput(f"{path.name} line {number} holds half a character, a surrogate without its other one")
        yield number, row


def _is_text(line: str, row: dict[str, Any]) -> bool:
    """JSON can name half of a UTF-16 pair, which no tokenizer takes and no file can hold."""
    if "\\ud" not in line and "\\uD" not in line:
        return True
    try:
        json.dumps(row, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    try:
        file = path.open(encoding="utf-8")
    except OSError as error:
        raise BadInput(f"{path.name} is not in the data set: {error.strerror}") from error
    with file:
        try:
            yield from ((number, line) for number, line in enumerate(file, start=1) if line.strip())
        except UnicodeDecodeError as error:
            raise BadInput(f"{path.name} is not UTF-8: {error}") from error


def sample(numbers: Iterable[int], most: int, seed: int) -> list[int]:
    """At most `most` of the numbers, sorted: the same for the same seed, on any host; keeps no more than these in memory."""
    return sorted(nsmallest(most, numbers, key=lambda number: _scattered(number, seed)))


def _scattered(number: int, seed: int) -> bytes:
    return blake2b(f"{seed}:{number}".encode(), digest_size=8).digest()
