"""An evaluation never fails for the size of its result after the models have answered."""

import json
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "jobs"))

from evaluate import _leave_out_slices, _refuse_too_many_suites, _tables  # noqa: E402
from evaluation_settings import read_settings  # noqa: E402
from language_model import Row  # noqa: E402
from measure import Answers  # noqa: E402
from pawl_job import RESULT_LIMIT_BYTES, BadInput, Job, result_fits  # noqa: E402

FIELDS, VALUES, EXAMPLES = 10, 20, 210


def runs_of(suites: int) -> dict:
    """Two models on examples of ten fields; the value v0 of a field is the fullest one, v1 the next."""
    rows = []
    for index in range(EXAMPLES):
        value = next(value for value in range(VALUES) if index < (value + 1) * (2 * VALUES - value) // 2)
        slices = {f"field{number}": f"v{value}" for number in range(FIELDS)}
        rows.append(Row(index + 1, "completion", (), "yes", {"slices": slices}))
    answers = Answers([1.5 + index / 7 for index in range(EXAMPLES)], [3] * EXAMPLES, [11] * EXAMPLES)
    answers.answers, answers.latencies = ["yes", "no", "yes no"] * (EXAMPLES // 3), [index / 3 for index in range(EXAMPLES)]
    answers.shortened = [False] * EXAMPLES
    return {name: [(rows, answers)] * suites for name in ("artifact", "champion")}


class ResultSize(unittest.TestCase):
    def test_slices_are_left_out_and_counted_until_the_result_fits(self):
        settings = read_settings({"bootstrapSamples": 3})
        runs = runs_of(1)
        tables, left_out = _tables(runs, settings, same_tokens=True)
        result = {**tables["artifact"], "champion": tables["champion"], "slicesLeftOut": left_out}
        self.assertEqual(len(result["slices"]), FIELDS * VALUES)
        metrics = dict(result["metrics"])
        with tempfile.TemporaryDirectory() as folder:
            job = Job(Path(folder), {}, {}, Path(folder), {})
            with self.assertRaises(BadInput):
                job.write_result(result)
            _leave_out_slices(result, runs, settings)
            job.write_result(result)
            written = json.loads((Path(folder) / "result.json").read_text(encoding="utf-8"))
        kept = len(written["slices"])
        self.assertEqual(written["slicesLeftOut"], FIELDS * VALUES - kept)
        self.assertEqual(set(written["slices"]), {f"field{f}=v{v}" for f in range(FIELDS) for v in range(kept // FIELDS)})
        self.assertEqual(set(written["slices"]), set(written["champion"]["slices"]))
        self.assertEqual(written["metrics"], metrics)
        # As many as fit: two values more of every field would not.
        size = len(json.dumps(written, ensure_ascii=False))
        self.assertGreater(size * (kept + 2 * FIELDS) / kept, RESULT_LIMIT_BYTES)

    def test_a_result_that_fits_keeps_its_slices(self):
        settings = read_settings({"bootstrapSamples": 3, "slices": ["field0"]})
        runs = runs_of(1)
        tables, left_out = _tables(runs, settings, same_tokens=True)
        result = {**tables["artifact"], "champion": None, "slicesLeftOut": left_out}
        _leave_out_slices(result, runs, settings)
        self.assertEqual([len(result["slices"]), result["slicesLeftOut"]], [VALUES, 0])

    def test_more_suites_than_any_result_can_hold_are_refused_before_a_model_is_asked(self):
        many = read_settings({"suites": [{"name": f"suite{number}"} for number in range(100)]})
        with self.assertRaises(BadInput) as caught:
            _refuse_too_many_suites(many, 2)
        self.assertIn("100 suites", str(caught.exception))
        # What is not refused fits, at least without its slices.
        settings = read_settings({"bootstrapSamples": 3, "slices": [], "suites": [{"name": f"suite{n}"} for n in range(45)]})
        _refuse_too_many_suites(settings, 2)
        tables, _ = _tables(runs_of(45), settings, same_tokens=False)
        self.assertTrue(result_fits({**tables["artifact"], "champion": tables["champion"]}))


if __name__ == "__main__":
    unittest.main()
