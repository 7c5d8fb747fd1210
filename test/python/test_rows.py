"""How a row of a data set becomes tokens, and which of them are learnt."""

import json
import unittest

from tiny_model import TINY, Case, rows, write_rows  # isort: skip - it knows where the jobs are

from language_model import encode_prompt, encode_row, load_tokenizer, read_examples
from make_base_model import make_base_model
from training_data import load_split


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


if __name__ == "__main__":
    unittest.main()
