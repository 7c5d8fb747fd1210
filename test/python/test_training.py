"""Training and evaluation on a tiny model: what is learnt, what is refused, and that a run taken up again is the same run.

All in one process, since starting torch takes longer than the tests; one run is a process of its own, and killed.
"""

import contextlib
import io
import json
import math
import os
import pickle
import random
import signal
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

JOBS = Path(__file__).resolve().parents[2] / "jobs"
sys.path.insert(0, str(JOBS))

import torch  # noqa: E402
from evaluate import main as evaluate  # noqa: E402
from fine_tune import Trainer  # noqa: E402
from fine_tune import main as fine_tune  # noqa: E402
from language_model import encode_prompt, encode_row, load_tokenizer, read_examples, token_losses  # noqa: E402
from make_base_model import make_base_model  # noqa: E402
from pawl_job import BadInput, Job, PassingTrouble  # noqa: E402
from safetensors.torch import load_file  # noqa: E402
from training_data import epoch_batches, load_split  # noqa: E402
from transformers import AutoModelForCausalLM, AutoTokenizer  # noqa: E402

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


class Rows(Case):
    def encoded(self, row: dict, prompt_format: str = "plain"):
        path = self.root / "row.jsonl"
        write_rows(path, [row])
        tokenizer = load_tokenizer(self.base)
        (read,) = read_examples(path, tokenizer, prompt_format)
        ids, learnt = encode_row(read, tokenizer)
        taught = tokenizer.decode([token for token, is_learnt in zip(ids, learnt, strict=True) if is_learnt])
        return tokenizer.decode(ids), taught, tokenizer.decode(encode_prompt(read, tokenizer)), read

    def test_only_the_completion_and_the_end_are_learnt(self):
        whole, taught, prompt, row = self.encoded({"prompt": "mew purr :", "completion": " cat"})
        self.assertEqual((whole, taught, prompt), ("mew purr : cat<|end|>", " cat<|end|>", "mew purr :"))
        self.assertEqual(row.expected, " cat")

    def test_every_answer_of_a_chat_is_learnt_and_nothing_of_its_questions(self):
        turns = [("user", "mew?"), ("assistant", "cat"), ("user", "moo?"), ("assistant", "cow")]
        messages = [{"role": role, "content": content} for role, content in turns]
        whole, taught, prompt, row = self.encoded({"messages": messages})
        self.assertEqual(whole, "mew?cat<|end|>moo?cow<|end|>")
        self.assertEqual((taught, prompt, row.expected), ("cat<|end|>cow<|end|>", "mew?cat<|end|>moo?", "cow"))

    def test_a_prompt_put_through_the_chat_template_is_what_a_chat_server_would_see(self):
        whole, taught, prompt, row = self.encoded({"prompt": "mew?", "completion": "cat"}, "chat")
        self.assertEqual((whole, taught, prompt, row.expected), ("mew?cat<|end|>", "cat<|end|>", "mew?", "cat"))

    def test_an_answer_that_touches_its_prompt_is_set_off_by_a_space_that_belongs_to_the_answer(self):
        whole, taught, prompt, row = self.encoded({"prompt": "Where is it?", "completion": "Here"})
        self.assertEqual((whole, taught, prompt), ("Where is it? Here<|end|>", " Here<|end|>", "Where is it?"))
        self.assertEqual(row.expected, "Here")
        for prompt, completion in (("Where?\n", "Here"), ("Where?", "\nHere"), ("", "Here")):
            self.assertEqual(self.encoded({"prompt": prompt, "completion": completion})[0], f"{prompt}{completion}<|end|>")

    def test_a_sample_is_drawn_from_the_whole_file_and_is_the_same_for_every_model(self):
        path = self.root / "many.jsonl"
        path.write_text("".join(json.dumps({"text_content": f"moo {number}"}) + "\n\n" for number in range(1000)))
        other = self.root / "other"
        make_base_model(other, [self.dataset / "test.jsonl"], **{**TINY, "vocabulary": 300})

        def lines(base, seed):
            rows = read_examples(path, load_tokenizer(base), "plain", most=100, seed=seed)
            return [row.line for row in rows]

        first = lines(self.base, 1)
        self.assertEqual((len(first), first), (100, sorted(first)))
        self.assertEqual(first, lines(other, 1))
        self.assertNotEqual(first, lines(self.base, 2))
        # Of ten tenths of the file, each has its share; the first rows alone would be one tenth.
        for tenth in range(10):
            share = [line for line in first if tenth * 200 < line <= (tenth + 1) * 200]
            self.assertTrue(2 <= len(share) <= 25, (tenth, len(share)))
        store = load_split(path, load_tokenizer(self.base), max_tokens=64, prompt_format="plain", max_rows=100)
        self.assertEqual(len(store), 100)
        read = load_tokenizer(self.base).decode(store.ids.tolist())
        self.assertTrue(any(f"moo {number}<" in read for number in range(900, 1000)))
        self.assertEqual(len(list(read_examples(path, load_tokenizer(self.base), "plain", most=5000))), 1000)

    def test_a_row_of_a_data_set_is_read_as_what_it_was_made_into(self):
        about = {"id": "1", "chunk_id": "1", "source_document_id": "d", "source": "d", "slices": {}, "processed_at": "…"}
        whole, *_ = self.encoded({**about, "text_content": "mew purr"})
        self.assertEqual(whole, "mew purr<|end|>")
        whole, taught, *_ = self.encoded({**about, "text_content": "mew purr", "prompt": "mew ", "completion": "purr"})
        self.assertEqual((whole, taught), ("mew purr<|end|>", "purr<|end|>"))

    def test_plain_text_is_learnt_whole(self):
        whole, taught, _, row = self.encoded({"text_content": "mew purr"})
        self.assertEqual((whole, taught, row.kind), ("mew purr<|end|>", "mew purr<|end|>", "text"))

    def test_what_is_too_long_loses_the_start_of_its_prompt_and_text_is_cut(self):
        path = self.root / "long.jsonl"
        tokenizer = load_tokenizer(self.base)
        write_rows(path, [{"prompt": "moo " * 50, "completion": " cow"}])
        store = load_split(path, tokenizer, max_tokens=8, prompt_format="plain")
        self.assertEqual((len(store), store.length(0), store.shortened), (1, 8, 1))
        self.assertTrue(tokenizer.decode(store.ids.tolist()).endswith(" cow<|end|>"))
        write_rows(path, [{"text_content": "moo " * 50}])
        store = load_split(path, tokenizer, max_tokens=8, prompt_format="plain")
        self.assertEqual(tokenizer.decode(store.ids.tolist()), "moo " * 50 + "<|end|>")


class Evaluate(Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        case = cls()
        good = case.job({"recipe": {**FULL, "maxSteps": 90}})
        case.run_quietly(fine_tune, good)
        cls.good = good.outputs["artifact"]

    def evaluated(self, settings: dict, **inputs: Path):
        job = self.job(settings, **inputs)
        self.run_quietly(evaluate, job)
        lines = (job.outputs["examples"] / "examples.jsonl").read_text().splitlines()
        return json.loads((job.folder / "result.json").read_text()), [json.loads(line) for line in lines]

    def test_the_champion_is_measured_on_the_same_examples(self):
        result, examples = self.evaluated(
            {"slices": ["animal", "absent"], "suites": [{"maxNewTokens": 4}], "bootstrapSamples": 50},
            artifact=self.good,
            champion=self.base,
        )
        self.assertEqual(result["metrics"]["exactMatch"]["value"], 1)
        self.assertEqual(result["champion"]["metrics"]["exactMatch"]["value"], 0)
        for table in (result["metrics"], result["champion"]["metrics"]):
            self.assertEqual([table[name]["samples"] for name in ("perplexity", "exactMatch", "f1", "rougeL")], [24] * 4)
            self.assertGreater(table["latencyP95Ms"]["value"], 0)
        self.assertEqual(set(result["slices"]), {"animal=cat", "animal=cow", "animal=dog"})
        self.assertEqual(sum(table["f1"]["samples"] for table in result["slices"].values()), 24)
        self.assertEqual([example["id"] for example in examples], [f"3-{index}" for index in range(24)])
        self.assertTrue(all(example["artifact"]["answer"] == example["expected"] for example in examples))
        self.assertTrue(all(example["champion"]["exactMatch"] == 0 for example in examples))

    def test_perplexity_is_that_of_the_model_itself_whatever_the_batches(self):
        model = AutoModelForCausalLM.from_pretrained(self.good)
        tokenizer = load_tokenizer(self.good)
        total = count = 0
        for row in read_examples(self.dataset / "test.jsonl", tokenizer, "plain"):
            ids, learnt = encode_row(row, tokenizer)
            with torch.no_grad():
                odds = model(torch.tensor([ids])).logits[0].log_softmax(-1)
            for place in range(1, len(ids)):
                if learnt[place]:
                    total, count = total - odds[place - 1, ids[place]].item(), count + 1
        for batch in (1, 7):
            result, _ = self.evaluated(
                {"batchSize": batch, "suites": [{"metrics": ["perplexity"]}]}, artifact=self.good
            )
            self.assertAlmostEqual(result["metrics"]["perplexity"]["value"], math.exp(total / count), places=4)

    def test_a_model_that_knows_no_places_has_the_same_losses(self):
        model = AutoModelForCausalLM.from_pretrained(self.good)

        class Plain:
            def forward(self, input_ids, attention_mask):
                return model(input_ids=input_ids, attention_mask=attention_mask)

            __call__ = forward

        ids = torch.tensor([[5, 6, 7, 8], [9, 5, 6, 0]])
        mask = torch.tensor([[1, 1, 1, 1], [1, 1, 1, 0]])
        for learnt in (
            torch.tensor([[False, False, True, True], [True, True, True, False]]),
            torch.zeros((2, 4), dtype=torch.bool),
        ):
            with torch.no_grad():
                losses, same = token_losses(model, ids, mask, learnt), token_losses(Plain(), ids, mask, learnt)
            self.assertEqual(len(losses), int(learnt[:, 1:].sum()))
            torch.testing.assert_close(losses, same)

    def test_answers_do_not_depend_on_the_batch_and_end_before_a_stop(self):
        settings = {"suites": [{"metrics": ["f1"], "maxNewTokens": 6}]}
        answers = []
        for batch in (1, 8):
            _, examples = self.evaluated({**settings, "batchSize": batch}, artifact=self.base)
            answers.append([example["artifact"]["answer"] for example in examples])
        self.assertEqual(*answers)
        stopped = {"suites": [{"metrics": ["f1"], "maxNewTokens": 6, "stop": ["a", "o"]}]}
        _, examples = self.evaluated(stopped, artifact=self.good)
        self.assertEqual({example["artifact"]["answer"] for example in examples}, {" c", " d"})

    def test_the_difference_to_the_champion_is_measured_pair_by_pair(self):
        middling = self.job({"recipe": {**FULL, "maxSteps": 25}})
        self.run_quietly(fine_tune, middling)
        settings = {"slices": ["animal"], "suites": [{"maxNewTokens": 4, "metrics": ["exactMatch", "perplexity"]}]}
        result, _ = self.evaluated(settings, artifact=self.good, champion=middling.outputs["artifact"])
        for table, rival in [
            (result["metrics"], result["champion"]["metrics"]),
            *((result["slices"][name], result["champion"]["slices"][name]) for name in result["slices"]),
        ]:
            for name in ("exactMatch", "perplexity", "bitsPerByte"):
                difference = table[name]["difference"]
                self.assertAlmostEqual(difference["value"], table[name]["value"] - rival[name]["value"], places=4)
                self.assertEqual(difference["samples"], table[name]["samples"])
                self.assertTrue(difference["low"] <= difference["value"] <= difference["high"])
                self.assertNotIn("difference", rival[name])
        same, _ = self.evaluated(settings, artifact=self.good, champion=self.good)
        spread = same["metrics"]["bitsPerByte"]
        # The two stand or fall together on every draw: a model is not apart from itself, however wide its own interval is.
        self.assertGreater(spread["high"], spread["low"])
        self.assertEqual(spread["difference"], {"value": 0, "low": 0, "high": 0, "samples": 24})

    def test_perplexities_of_other_tokens_are_not_compared_and_bits_per_byte_are(self):
        other = self.root / "other-tokens"
        make_base_model(other, [self.dataset / "test.jsonl"], **{**TINY, "vocabulary": 300})
        suites = {"suites": [{"metrics": ["perplexity"]}]}
        result, examples = self.evaluated(suites, artifact=self.good, champion=other)
        champion = result["champion"]["metrics"]
        self.assertEqual((champion["perplexity"]["value"], champion["perplexity"]["samples"]), (None, 0))
        self.assertIn("another vocabulary", champion["perplexity"]["why"])
        self.assertNotIn("difference", result["metrics"]["perplexity"])
        # An untrained model over 300 tokens spends log2(300) bits a token, whatever the text.
        bits = sum(example["champion"]["tokens"] for example in examples) * math.log2(300)
        size = sum(len(example["expected"].encode()) for example in examples)
        self.assertEqual(size, sum(example["champion"]["bytes"] for example in examples))
        self.assertAlmostEqual(champion["bitsPerByte"]["value"], bits / size, delta=bits / size / 50)
        apart = result["metrics"]["bitsPerByte"]["value"] - champion["bitsPerByte"]["value"]
        self.assertAlmostEqual(result["metrics"]["bitsPerByte"]["difference"]["value"], apart, places=4)

    def test_without_a_choice_every_slice_that_the_rows_carry_is_measured(self):
        result, _ = self.evaluated({"suites": [{"metrics": ["perplexity"]}]}, artifact=self.good)
        self.assertEqual(
            set(result["slices"]), {"animal=cat", "animal=cow", "animal=dog", "length=long", "length=short"}
        )
        result, _ = self.evaluated({"slices": [], "suites": [{"metrics": ["perplexity"]}]}, artifact=self.good)
        self.assertEqual(result["slices"], {})

    def test_suites_have_their_own_splits_and_names(self):
        suites = [{"metrics": ["f1"], "maxExamples": 5}, {"name": "seen", "split": "train", "metrics": ["exactMatch"]}]
        result, examples = self.evaluated({"suites": suites, "bootstrapSamples": 20}, artifact=self.good)
        self.assertEqual(set(result["metrics"]), {"f1", "seen.exactMatch"})
        self.assertEqual(result["metrics"]["f1"]["samples"], 5)
        self.assertEqual(result["metrics"]["seen.exactMatch"]["samples"], 48)
        self.assertEqual(len(examples), 53)

    def test_plain_text_has_a_perplexity_and_no_answers(self):
        dataset = Path(tempfile.mkdtemp(dir=self.root))
        write_rows(dataset / "test.jsonl", [{"text_content": "mew purr " * 60}, {"text_content": "moo"}])
        result, _ = self.evaluated({}, artifact=self.good, dataset=dataset)
        self.assertEqual(result["metrics"]["exactMatch"], {"value": None, "samples": 0})
        self.assertEqual(result["metrics"]["perplexity"]["samples"], 2)
        self.assertEqual(result["shortenedExamples"], {"artifact": 1})

    def test_an_artifact_that_is_a_pickle_under_another_name_is_refused(self):
        trap = Path(tempfile.mkdtemp(dir=self.root))
        for path in self.good.iterdir():
            (trap / path.name).write_bytes(path.read_bytes())
        (trap / "optimizer.json").write_bytes(pickle.dumps(print, 0))
        self.assertIn("optimizer.json is a pickle", self.refused(evaluate, self.job({}, artifact=trap)))

    def test_settings_that_are_wrong_are_all_named_at_once(self):
        settings = {"suites": [{"metrics": ["bleu"]}, {}], "slice": "x"}
        message = self.refused(evaluate, self.job(settings, artifact=self.good))
        for part in ("suites[0].metrics", "stands twice", "settings.slice is unknown"):
            self.assertIn(part, message)


if __name__ == "__main__":
    unittest.main()
