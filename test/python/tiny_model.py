"""What the tests of training and evaluation share: a data set of three animals, and a base model that learns it in seconds."""

import contextlib
import io
import json
import random
import sys
import tempfile
import unittest
from pathlib import Path

JOBS = Path(__file__).resolve().parents[2] / "jobs"
sys.path.insert(0, str(JOBS))

from make_base_model import make_base_model  # noqa: E402
from pawl_job import BadInput, Job  # noqa: E402

ANIMALS = {"cat": "mew purr paw", "dog": "bark wag bone", "cow": "moo milk grass"}
TINY = {"vocabulary": 400, "hidden": 32, "layers": 1, "context": 64}


def rows(count: int, seed: int) -> list[dict]:
    chosen = random.Random(seed)
    made = []
    for index in range(count):
        animal = chosen.choice(sorted(ANIMALS))
        words = chosen.choices(ANIMALS[animal].split(), k=chosen.randint(2, 9))
        slices = {"animal": animal, "length": "long" if len(words) > 5 else "short"}
        made.append({"id": f"{seed}-{index}", "prompt": " ".join(words) + " :", "completion": f" {animal}", "slices": slices})
    return made


def write_rows(path: Path, made: list) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in made), encoding="utf-8")


class Case(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        temporary = tempfile.TemporaryDirectory()
        cls.addClassCleanup(temporary.cleanup)
        cls.root = Path(temporary.name)
        cls.dataset = cls.root / "dataset"
        cls.dataset.mkdir()
        for split, count, seed in (("train", 48, 1), ("validation", 8, 2), ("test", 24, 3)):
            write_rows(cls.dataset / f"{split}.jsonl", rows(count, seed))
        cls.base = cls.root / "base"
        make_base_model(cls.base, [cls.dataset / "train.jsonl"], **TINY)

    def job(self, settings: dict, **inputs: Path) -> Job:
        folder = Path(tempfile.mkdtemp(dir=self.root))
        for name in ("artifact", "examples", "checkpoints"):
            (folder / name).mkdir()
        inputs = {"base": self.base, "dataset": self.dataset, **inputs}
        outputs = {"artifact": folder / "artifact", "examples": folder / "examples"}
        return Job(folder, inputs, outputs, folder / "checkpoints", settings)

    def run_quietly(self, program, job: Job) -> list[dict]:
        """Runs a program and answers its progress lines."""
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            program(job)
        lines = said.getvalue().splitlines()
        return [json.loads(line.removeprefix("PAWL-PROGRESS ")) for line in lines if line.startswith("PAWL-PROGRESS ")]

    def refused(self, program, job: Job) -> str:
        with self.assertRaises(BadInput) as caught:
            self.run_quietly(program, job)
        return str(caught.exception)


FULL = {"kind": "full", "learningRate": 0.01, "batchSize": 4, "maxSteps": 14, "seed": 5, "threads": 1}
LORA = {"kind": "lora", "rank": 4, "dropout": 0.2, "learningRate": 0.01, "batchSize": 4, "maxSteps": 14, "threads": 1}
