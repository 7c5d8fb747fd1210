"""Training on a tiny model: what is learnt, what is refused, and that a run taken up again is the same run.

All in one process, since starting torch takes longer than the tests; one run is a process of its own, and killed.
"""

import json
import math
import os
import pickle
import signal
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from tiny_model import FULL, JOBS, LORA, Case, rows  # isort: skip - it knows where the jobs are

import torch
from evaluate import main as evaluate
from fine_tune import main as fine_tune
from language_model import load_tokenizer
from pawl_job import Job, PassingTrouble
from safetensors.torch import load_file
from trainer import Trainer
from training_data import epoch_batches, load_split
from transformers import AutoModelForCausalLM, AutoTokenizer


class FineTune(Case):
    def test_an_interrupted_run_that_is_taken_up_again_is_the_same_to_the_bit(self):
        recipes = {
            # 12 batches an epoch in groups of 5: the break falls into the second epoch, and groups end with the epochs.
            "full": {**FULL, "gradientAccumulation": 5, "maxSteps": 7, "evalEverySteps": 2},
            # Dropout draws random numbers at every step, so the generators have to be put back too.
            "lora": {**LORA, "evalEverySteps": 3},
        }
        for kind, recipe in recipes.items():
            with self.subTest(kind=kind):
                whole = self.job({"recipe": recipe})
                self.run_quietly(fine_tune, whole)
                broken = self.job({"recipe": {**recipe, "checkpointEverySteps": 2}})
                self.break_off(broken, before_step=5)
                self.assertFalse((broken.folder / "result.json").exists())
                torch.manual_seed(999)
                lines = self.run_quietly(fine_tune, broken)
                self.assertEqual(lines[0]["resumedFrom"], "step-000000004")
                self.assert_same_artifact(whole, broken)

    def break_off(self, job: Job, before_step: int) -> None:
        original = Trainer._step

        def step(trainer, group):
            if trainer.position.step == before_step:
                raise KeyboardInterrupt
            return original(trainer, group)

        Trainer._step = step
        try:
            with self.assertRaises(KeyboardInterrupt):
                self.run_quietly(fine_tune, job)
        finally:
            Trainer._step = original

    def assert_same_artifact(self, one: Job, other: Job) -> None:
        for name in ("training_curve.jsonl", "model.safetensors"):
            left, right = (job.outputs["artifact"] / name for job in (one, other))
            self.assertEqual(left.read_bytes(), right.read_bytes(), name)
        summaries = [json.loads((job.outputs["artifact"] / "training.json").read_text())["summary"] for job in (one, other)]
        self.assertEqual(*summaries)

    def test_a_process_killed_between_two_checkpoints_goes_on_where_the_last_one_was(self):
        recipe = {**FULL, "maxSteps": 60, "checkpointEverySteps": 10}
        whole = self.job({"recipe": recipe})
        self.run_quietly(fine_tune, whole)
        killed = self.job({"recipe": recipe})
        spec = {"schema": 1, "inputs": killed.inputs, "outputs": killed.outputs, "settings": killed.settings}
        spec_file = killed.folder / "spec.json"
        spec_file.write_text(json.dumps({**spec, "checkpoints": killed.checkpoints}, default=str))
        process = subprocess.Popen(
            [sys.executable, JOBS / "fine_tune.py"],
            env={**os.environ, "PAWL_SPEC": str(spec_file)},
            stdout=subprocess.PIPE,
            text=True,
        )
        with process:
            for line in process.stdout:
                if '"checkpoint": "step-000000010"' in line:
                    process.send_signal(signal.SIGKILL)
        self.assertEqual(process.returncode, -signal.SIGKILL)
        lines = self.run_quietly(fine_tune, killed)
        self.assertIn("resumedFrom", lines[0])
        self.assert_same_artifact(whole, killed)

    def test_a_run_that_is_asked_to_stop_saves_itself_first(self):
        job = self.job({"recipe": FULL})
        original = Trainer._step

        def step(trainer, group):
            if trainer.position.step == 3:
                signal.raise_signal(signal.SIGTERM)
            return original(trainer, group)

        Trainer._step = step
        try:
            with self.assertRaisesRegex(PassingTrouble, "step 4 of 14"):
                self.run_quietly(fine_tune, job)
        finally:
            Trainer._step = original
        self.assertTrue((job.checkpoints / "step-000000004" / "COMPLETE").exists())

    def test_a_damaged_checkpoint_and_one_of_another_run_are_passed_over(self):
        recipe = {**FULL, "checkpointEverySteps": 4}
        job = self.job({"recipe": recipe})
        self.run_quietly(fine_tune, job)
        (job.checkpoints / "step-000000012" / "weights.safetensors").write_bytes(b"cut off")
        (job.checkpoints / "step-000000099").mkdir()
        lines = self.run_quietly(fine_tune, job)
        self.assertIn("step-000000012 is damaged", lines[0]["note"])
        self.assertEqual(lines[1]["resumedFrom"], "step-000000008")
        other = Job(job.folder, job.inputs, job.outputs, job.checkpoints, {"recipe": {**recipe, "seed": 6}})
        lines = self.run_quietly(fine_tune, other)
        self.assertIn("other settings", lines[0]["note"])
        self.assertNotIn("resumedFrom", lines[-1])

    def test_the_artifact_is_a_model_that_loads_by_itself_and_has_learnt(self):
        for recipe in ({**FULL, "maxSteps": 90}, {**LORA, "targetModules": ["q_proj", "v_proj", "down_proj"]}):
            with self.subTest(kind=recipe["kind"]):
                job = self.job({"recipe": recipe})
                self.run_quietly(fine_tune, job)
                artifact = job.outputs["artifact"]
                names = {path.name for path in artifact.iterdir()}
                self.assertLessEqual(
                    {"model.safetensors", "config.json", "tokenizer.json", "training_curve.jsonl", "training.json"}, names
                )
                self.assertFalse([name for name in names if "adapter" in name or name.endswith((".bin", ".pt"))])
                model = AutoModelForCausalLM.from_pretrained(artifact)
                self.assertTrue(AutoTokenizer.from_pretrained(artifact).chat_template)
                before = load_file(self.base / "model.safetensors")
                after = load_file(artifact / "model.safetensors")
                self.assertEqual(set(before), set(after))
                self.assertTrue(any(not torch.equal(before[name], after[name]) for name in before))
                self.assertEqual(model.dtype, torch.float32)
                result = json.loads((job.folder / "result.json").read_text())
                points = [json.loads(line) for line in (artifact / "training_curve.jsonl").read_text().splitlines()]
                self.assertEqual(result["finalLoss"], points[-1]["loss"])
                self.assertLess(points[-1]["loss"], points[0]["loss"])
                self.assertEqual(points[-1]["step"], recipe["maxSteps"])
                self.assertTrue(math.isfinite(points[-1]["validationLoss"]))

    def test_merging_leaves_what_was_not_learnt_as_the_base_model_has_it_whatever_the_precision_of_the_training(self):
        job = self.job({"recipe": {**LORA, "learningRate": 0, "maxSteps": 1, "precision": "bf16"}})
        self.run_quietly(fine_tune, job)
        base, merged = (load_file(folder / "model.safetensors") for folder in (self.base, job.outputs["artifact"]))
        for name, weights in base.items():
            self.assertEqual(merged[name].dtype, weights.dtype)
            self.assertTrue(torch.equal(merged[name], weights), name)

    def test_what_a_coarse_training_learnt_is_merged_into_the_base_model_as_it_is_stored(self):
        recipe = {**LORA, "precision": "bf16", "targetModules": ["q_proj", "down_proj"]}
        apart, merged = (self.job({"recipe": {**recipe, "merge": merge}}) for merge in (False, True))
        for job in (apart, merged):
            self.run_quietly(fine_tune, job)
        adapter = load_file(apart.outputs["artifact"] / "adapter_model.safetensors")
        base, whole = (load_file(folder / "model.safetensors") for folder in (self.base, merged.outputs["artifact"]))
        self.assertEqual(len(adapter), 4)
        for name, down in adapter.items():
            if ".lora_A." not in name:
                continue
            place = name.removeprefix("base_model.model.").replace("lora_A.weight", "weight")
            # alpha is twice the rank.
            learnt = 2 * adapter[name.replace("lora_A", "lora_B")].float() @ down.float()
            self.assertGreater(learnt.abs().max(), 0)
            torch.testing.assert_close(whole[place], base[place] + learnt, rtol=0, atol=1e-7)

    def test_an_adapter_can_be_kept_apart_and_is_evaluated_with_its_base(self):
        apart, merged = (self.job({"recipe": {**LORA, "merge": merge}}) for merge in (False, True))
        for job in (apart, merged):
            self.run_quietly(fine_tune, job)
        self.assertTrue((apart.outputs["artifact"] / "adapter_model.safetensors").exists())
        losses = []
        for job in (apart, merged):
            evaluation = self.job({"suites": [{"metrics": ["perplexity"]}]}, artifact=job.outputs["artifact"])
            self.run_quietly(evaluate, evaluation)
            losses.append(json.loads((evaluation.folder / "result.json").read_text())["metrics"]["perplexity"]["value"])
        self.assertAlmostEqual(losses[0], losses[1], delta=losses[1] * 1e-3)

    def test_a_base_model_with_a_pickle_in_it_is_refused_before_it_is_loaded(self):
        trap = self.root / "trap"
        trap.mkdir(exist_ok=True)
        for path in self.base.iterdir():
            (trap / path.name).write_bytes(path.read_bytes())

        (trap / "model.safetensors").write_bytes(pickle.dumps({"weight": print}))
        message = self.refused(fine_tune, self.job({"recipe": FULL}, base=trap))
        self.assertIn("model.safetensors is called safetensors but is a pickle", message)

    def test_a_bad_row_is_named_by_file_and_line(self):
        good = json.dumps(rows(1, 1)[0])
        cases = {
            "not json": "is not JSON",
            "[1]": "is not a JSON object",
            '{"prompt": "a"}': "completion must be text that is not empty",
            '{"prompt": 7, "completion": "b"}': "prompt must be text",
            '{"question": "a"}': "none of prompt and completion, messages, or text_content",
            '{"text_content": ""}': "text_content must be text that is not empty",
            '{"messages": [{"role": "user"}]}': "a role and a content",
            '{"messages": [{"role": "user", "content": "a"}]}': "no message of the assistant",
        }
        for bad, why in cases.items():
            with self.subTest(row=bad):
                dataset = Path(tempfile.mkdtemp(dir=self.root))
                (dataset / "train.jsonl").write_text(f"{good}\n\n{bad}\n")
                message = self.refused(fine_tune, self.job({"recipe": FULL}, dataset=dataset))
                self.assertIn("train.jsonl line 3", message)
                self.assertIn(why, message)

    def test_settings_that_are_wrong_are_all_named_at_once(self):
        message = self.refused(fine_tune, self.job({"recipe": {"kind": "lorra", "rank": 0, "lerningRate": 1}, "bass": ""}))
        for part in ("recipe.kind", "recipe.rank", "recipe.lerningRate is unknown", "settings.bass is unknown"):
            self.assertIn(part, message)

    def test_a_training_that_diverges_is_no_model(self):
        message = self.refused(fine_tune, self.job({"recipe": {**FULL, "learningRate": 1e8, "maxSteps": 40}}))
        self.assertIn("diverged", message)

    def test_an_order_that_covers_every_example_once_an_epoch_and_differs_between_epochs(self):
        store = load_split(
            self.dataset / "train.jsonl", load_tokenizer(self.base), max_tokens=64, prompt_format="plain"
        )
        first, again, second = (epoch_batches(store, 5, 3, epoch) for epoch in (0, 0, 1))
        self.assertEqual(first, again)
        self.assertNotEqual(first, second)
        self.assertEqual(sorted(sum(second, [])), list(range(48)))


if __name__ == "__main__":
    unittest.main()
