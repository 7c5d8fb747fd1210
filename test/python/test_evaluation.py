"""Evaluation on a tiny model: the same examples for every model, whatever the batches, and intervals of the difference."""

import json
import math
import pickle
import tempfile
import unittest
from pathlib import Path

from tiny_model import FULL, TINY, Case, write_rows  # isort: skip - it knows where the jobs are

import torch
from evaluate import main as evaluate
from fine_tune import main as fine_tune
from language_model import encode_row, load_tokenizer, read_examples, token_losses
from make_base_model import make_base_model
from transformers import AutoModelForCausalLM


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
