"""Ships complete checkpoints to S3 while a program runs, and brings the newest one back.

There they lie under <epoch>/<number>-<name>/, COMPLETE last with the list of files in it: newest is decided by epoch and number,
never by a clock, and a host that comes back late writes beside those of its successor and not over them.
"""

from __future__ import annotations

import re
import shutil
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from s3_failures import Damaged, Missing, Trouble
from staging import FileFacts, Staging, file_facts

_KEEP = 2
_COMPLETE = "COMPLETE"


@dataclass(frozen=True, order=True)
class Shipped:
    epoch: int
    number: int
    name: str

    @property
    def path(self) -> str:
        return f"{self.epoch:06d}/{self.number:06d}-{self.name}"


class CheckpointShipping:
    """`say` is told, one sentence at a time, of what was passed over or could not be shipped."""

    def __init__(self, staging: Staging, uri: str, epoch: int, folder: Path, say: Callable[[str], None]) -> None:
        self._staging, self._uri, self._epoch, self._folder, self._say = staging, uri.rstrip("/"), epoch, folder, say
        self._sent: set[str] = set()
        self._next = 1
        self._lock = threading.Lock()

    def restore(self) -> str | None:
        """Brings the newest checkpoint that is whole; answers its name. Looks anew after each that was not: an older host may
        have pruned it meanwhile, and there may be a newer one."""
        self._next = 1 + max((one.number for one in self._listed()[0] if one.epoch == self._epoch), default=0)
        passed_over: set[Shipped] = set()
        while left := self._listed()[1] - passed_over:
            newest = max(left)
            target = self._folder / newest.name
            shutil.rmtree(target, ignore_errors=True)
            try:
                self._bring(newest, target)
            except (Missing, Damaged, FileNotFoundError, ValueError, KeyError, TypeError) as error:
                self._say(f"the checkpoint {newest.path} is passed over: {error!r}")
                shutil.rmtree(target, ignore_errors=True)
                passed_over.add(newest)
                continue
            self._sent.add(newest.name)
            return newest.name
        return None

    def _bring(self, shipped: Shipped, target: Path) -> None:
        """Raises ValueError where it is not what its list says, and whatever reading such a list raises."""
        files = self._staging.get_json(f"{self._uri}/{shipped.path}/{_COMPLETE}")
        if files is None:
            raise Missing("it is gone")
        known = [FileFacts(one["path"], one["sizeBytes"], one["sha256"]) for one in files["files"]]
        self._staging.download_folder(f"{self._uri}/{shipped.path}/", target, f"checkpoint {shipped.name}")
        for facts in known:
            if file_facts(target, target / facts.path) != facts:
                raise ValueError(f"{facts.path} is another file than it was")
        # As the program wrote it: empty, and after everything else.
        (target / _COMPLETE).write_bytes(b"")

    def ship(self) -> None:
        """Sends the newest complete checkpoint, if it has not been sent. Raises Trouble, Denied."""
        with self._lock:
            marks = [mark for mark in self._folder.glob(f"*/{_COMPLETE}") if mark.parent.name not in self._sent]
            if not marks:
                return
            newest = max(marks, key=lambda mark: (mark.stat().st_mtime_ns, mark.parent.name)).parent
            shipped = Shipped(self._epoch, self._next, newest.name)
            self._next += 1
            try:
                files = [
                    file_facts(newest, path)
                    for path in sorted(newest.rglob("*"))
                    if path.is_file() and path != newest / _COMPLETE
                ]
                self._staging.upload_folder(newest, f"{self._uri}/{shipped.path}", files, f"checkpoint {newest.name}")
                if not (newest / _COMPLETE).exists():
                    raise FileNotFoundError(newest.name)
            except FileNotFoundError:
                # The program dropped it while it was on its way.
                self._drop(shipped)
                return
            listed = {"schema": 1, "name": newest.name, "files": [facts.json() for facts in files]}
            self._staging.put_json(f"{self._uri}/{shipped.path}/{_COMPLETE}", listed)
            self._sent.update(mark.parent.name for mark in marks)
            self._prune()

    def ship_while(self, running: threading.Event, every_s: float) -> None:
        """Until `running` is cleared; trouble with S3 is said, and does not stop the program."""
        while running.is_set():
            try:
                self.ship()
            except FileNotFoundError:
                pass
            except Exception as error:  # the last shipping, at the end, may still succeed
                self._say(f"a checkpoint was not shipped: {error}")
            self._wait(running, every_s)

    @staticmethod
    def _wait(running: threading.Event, seconds: float) -> None:
        stopped = threading.Event()
        for _ in range(max(1, int(seconds / 0.1))):
            if not running.is_set():
                return
            stopped.wait(0.1)

    def _listed(self) -> tuple[set[Shipped], set[Shipped]]:
        """All that are there, and those that are whole."""
        every: set[Shipped] = set()
        whole: set[Shipped] = set()
        for path in self._staging.list(self._uri):
            match = re.fullmatch(r"(\d+)/(\d+)-([^/]+)/(.+)", path)
            if match is None:
                continue
            shipped = Shipped(int(match.group(1)), int(match.group(2)), match.group(3))
            every.add(shipped)
            if match.group(4) == _COMPLETE:
                whole.add(shipped)
        return every, whole

    def _prune(self) -> None:
        """Keeps the newest of this epoch and before; later epochs are not this host's business."""
        try:
            every, whole = self._listed()
            kept = sorted((one for one in whole if one.epoch <= self._epoch), reverse=True)[:_KEEP]
            for one in every:
                # None is kept where a later epoch has dropped all of these by now.
                if kept and one not in kept and one < kept[0]:
                    self._drop(one)
        except Trouble:
            pass

    def _drop(self, shipped: Shipped) -> None:
        folder = f"{self._uri}/{shipped.path}"
        # Half of one must never look whole.
        self._staging.delete(f"{folder}/{_COMPLETE}")
        for path in self._staging.list(f"{folder}/"):
            self._staging.delete(f"{folder}/{path}")
