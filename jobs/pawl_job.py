"""The job contract, for programs written in Python: the spec, settings, progress, checkpoints, the result, exit codes.

Standard library only. What a program in another language has to do is in docs/job-contract.md.
"""

from __future__ import annotations

import json
import math
import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

EXIT_BAD_INPUT = 65
EXIT_PASSING_TROUBLE = 75
RESULT_LIMIT_BYTES = 256 * 1024


class BadInput(Exception):
    """The settings, the data or the model are wrong: trying again cannot help. One sentence."""


class PassingTrouble(Exception):
    """The same program may succeed when it is started again. One sentence."""


@dataclass(frozen=True)
class Job:
    """What the spec file says. Every folder is there."""

    folder: Path
    inputs: dict[str, Path]
    outputs: dict[str, Path]
    checkpoints: Path
    settings: dict[str, Any]

    def input(self, name: str) -> Path:
        """The folder of an input that must be there; raises BadInput with the names that are."""
        if name not in self.inputs:
            raise BadInput(f"the spec has no input {name!r}, only {sorted(self.inputs) or 'none'}")
        return self.inputs[name]

    def output(self, name: str) -> Path:
        """The folder of an output that must be there, made if need be."""
        if name not in self.outputs:
            raise BadInput(f"the spec has no output {name!r}, only {sorted(self.outputs) or 'none'}")
        self.outputs[name].mkdir(parents=True, exist_ok=True)
        return self.outputs[name]

    def write_result(self, result: dict[str, Any]) -> None:
        """Writes result.json, whole or not at all. What is not a finite number becomes null: JSON has no word for it."""
        text = _as_json(result)
        if not result_fits(result):
            raise BadInput(f"the result takes more than {RESULT_LIMIT_BYTES // 1024} KB: ask for fewer slices or suites")
        write_durably(self.folder / "result.json", text)


def result_fits(result: dict[str, Any]) -> bool:
    """Whether the contract takes a result of this size."""
    return len(_as_json(result).encode()) <= RESULT_LIMIT_BYTES


def _as_json(result: dict[str, Any]) -> str:
    return json.dumps(finite(result), ensure_ascii=False, allow_nan=False)


def read_spec() -> Job:
    """Reads the file named by PAWL_SPEC; raises BadInput where it is missing or not in the form of the contract."""
    name = os.environ.get("PAWL_SPEC")
    if not name:
        raise BadInput("PAWL_SPEC names no file: this program is started by Pawl, see docs/job-contract.md")
    path = Path(name)
    try:
        spec = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadInput(f"the spec {name} cannot be read: {error}") from error
    if not isinstance(spec, dict) or spec.get("schema") != 1:
        raise BadInput(f"the spec {name} is not of schema 1")
    checkpoints = Path(spec.get("checkpoints") or path.parent / "checkpoints")
    checkpoints.mkdir(parents=True, exist_ok=True)
    return Job(
        folder=path.parent,
        inputs={key: Path(value) for key, value in spec.get("inputs", {}).items()},
        outputs={key: Path(value) for key, value in spec.get("outputs", {}).items()},
        checkpoints=checkpoints,
        settings=spec.get("settings", {}),
    )


def progress(**fields: Any) -> None:
    """One progress line on standard output."""
    print("PAWL-PROGRESS " + json.dumps(finite(fields), ensure_ascii=False, allow_nan=False), flush=True)


def finite(value: Any) -> Any:
    """The same value with NaN and infinities as None."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(item) for item in value]
    return value


class Stop:
    """Turns SIGTERM into a flag, so that a program can save what it has within the grace time."""

    def __init__(self) -> None:
        self.asked = False
        signal.signal(signal.SIGTERM, self._ask)

    def _ask(self, *_: object) -> None:
        self.asked = True


def run(main: Callable[[Job], None]) -> None:
    """Runs a program under the contract: its sentence on standard error and the exit code that goes with it."""
    try:
        main(read_spec())
    except BadInput as error:
        print(f"error: {error}", file=sys.stderr, flush=True)
        sys.exit(EXIT_BAD_INPUT)
    except PassingTrouble as error:
        print(f"error: {error}", file=sys.stderr, flush=True)
        sys.exit(EXIT_PASSING_TROUBLE)


def save_checkpoint(folder: Path, name: str, write: Callable[[Path], None], keep: int = 2) -> None:
    """Makes `folder/name` with what `write` puts there, COMPLETE last and all of it on disk, and drops older ones."""
    target = folder / name
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    write(target)
    for path in target.rglob("*"):
        if path.is_file():
            _flush(path)
    write_durably(target / "COMPLETE", "")
    _flush(target)
    for old in list(complete_checkpoints(folder))[keep:]:
        # COMPLETE goes first: half a folder must never look whole.
        (old / "COMPLETE").unlink(missing_ok=True)
        shutil.rmtree(old, ignore_errors=True)


def complete_checkpoints(folder: Path) -> Iterator[Path]:
    """Complete checkpoints, the newest first. Their names sort by age."""
    names = sorted((path.parent.name for path in folder.glob("*/COMPLETE")), reverse=True)
    return (folder / name for name in names)


def write_durably(path: Path, text: str) -> None:
    """Writes a whole file or nothing, and waits until it is on disk."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(text, encoding="utf-8")
    _flush(temporary)
    temporary.replace(path)


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


class Reader:
    """Reads one object of the settings: checks every field, refuses unknown ones, and collects all problems with their paths."""

    def __init__(self, value: Any, path: str, problems: list[str]) -> None:
        self._path = path
        self._problems = problems
        self._known: set[str] = set()
        if not isinstance(value, dict):
            problems.append(f"{path} must be an object")
            value = {}
        self._value: dict[str, Any] = value

    def _take(self, name: str, default: Any) -> Any:
        self._known.add(name)
        value = self._value.get(name)
        return default if value is None else value

    def _problem(self, name: str, text: str) -> None:
        self._problems.append(f"{self._path}.{name} {text}")

    def number(self, name: str, default: float | None, low: float = -math.inf, high: float = math.inf) -> Any:
        """A number from `low` to `high`, both included. `default=None` makes it optional."""
        value = self._take(name, default)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
            self._problem(name, f"must be a number from {low} to {high}, not {value!r}")
            return default
        return value

    def whole(self, name: str, default: int | None, low: int = 0) -> Any:
        """A whole number of at least `low`. `default=None` makes it optional."""
        value = self._take(name, default)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int) or value < low:
            self._problem(name, f"must be a whole number of at least {low}, not {value!r}")
            return default
        return value

    def choice(self, name: str, default: str, of: tuple[str, ...]) -> str:
        value = self._take(name, default)
        if value not in of:
            self._problem(name, f"must be one of {', '.join(of)}, not {value!r}")
            return default
        return str(value)

    def flag(self, name: str, default: bool) -> bool:
        value = self._take(name, default)
        if not isinstance(value, bool):
            self._problem(name, f"must be true or false, not {value!r}")
            return default
        return value

    def text(self, name: str, default: str | None) -> Any:
        value = self._take(name, default)
        if value is not None and not isinstance(value, str):
            self._problem(name, f"must be text, not {value!r}")
            return default
        return value

    def texts(self, name: str, default: list[str] | None, of: tuple[str, ...] | None = None) -> Any:
        """A list of texts, each one of `of` where that is given."""
        value = self._take(name, default)
        if value is None:
            return None
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            self._problem(name, f"must be a list of texts, not {value!r}")
            return default
        for item in value:
            if of is not None and item not in of:
                self._problem(name, f"must be of {', '.join(of)}, not {item!r}")
        return value

    def object(self, name: str) -> Reader:
        return Reader(self._take(name, {}), f"{self._path}.{name}", self._problems)

    def objects(self, name: str, default: list[dict[str, Any]]) -> list[Reader]:
        value = self._take(name, default)
        if not isinstance(value, list):
            self._problem(name, "must be a list")
            value = default
        return [Reader(item, f"{self._path}.{name}[{index}]", self._problems) for index, item in enumerate(value)]

    def done(self) -> None:
        """Refuses what was never asked for: a misspelt setting must not be a silent default."""
        for name in sorted(set(self._value) - self._known):
            self._problem(name, f"is unknown; known are {', '.join(sorted(self._known))}")


def refuse(problems: list[str]) -> None:
    """Raises BadInput with every problem, if there is one."""
    if problems:
        raise BadInput("; ".join(problems))
