"""Builds a small causal language model on the spot, untrained, where no hub is at hand.

`python make_base_model.py OUTPUT TEXT_FILE... [--vocabulary 2048] [--hidden 128] [--layers 4] [--context 256]
[--architecture llama] [--spread 0.02] [--seed 0]`
A byte-level BPE tokenizer is learnt from the texts, so every text can be written in it. The chat template writes the
messages one behind the other: a chat of one message and the plain text are the same prompt.
A prompt beyond the context still gets an answer from `llama`, which works out where a token stands; `gptj` looks it up in a
table as long as its context, and fails there.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import GPTJConfig, GPTJForCausalLM, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

ARCHITECTURES = ("llama", "gptj")
_END = "<|end|>"
_CHAT_TEMPLATE = (
    "{% for message in messages %}{{ message['content'] }}"
    "{% if message['role'] == 'assistant' %}{{ eos_token }}{% endif %}{% endfor %}"
)


def make_base_model(
    output: Path,
    texts: list[Path],
    *,
    vocabulary: int = 2048,
    hidden: int = 128,
    layers: int = 4,
    context: int = 256,
    architecture: str = "llama",
    spread: float = 0.02,
    seed: int = 0,
) -> int:
    """Writes the model's folder, the same for the same texts and settings; answers the number of parameters."""
    if architecture not in ARCHITECTURES:
        raise ValueError(f"the architecture is one of {', '.join(ARCHITECTURES)}, not {architecture!r}")
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary, special_tokens=[_END], initial_alphabet=sorted(alphabet), show_progress=False
    )
    tokenizer.train_from_iterator(_lines(texts), trainer)
    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token=_END, pad_token=_END, model_max_length=context, clean_up_tokenization_spaces=False
    )
    wrapped.chat_template = _CHAT_TEMPLATE
    torch.manual_seed(seed)
    sizes = {"vocabulary": len(wrapped), "hidden": hidden, "layers": layers, "context": context, "spread": spread}
    model = _llama(wrapped.eos_token_id, **sizes) if architecture == "llama" else _gptj(wrapped.eos_token_id, **sizes)
    output.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(output)
    wrapped.save_pretrained(output)
    return sum(value.numel() for value in model.parameters())


def _llama(end: int, *, vocabulary: int, hidden: int, layers: int, context: int, spread: float) -> LlamaForCausalLM:
    heads = max(1, hidden // 32)
    config = LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=hidden,
        intermediate_size=hidden * 4,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=heads,
        max_position_embeddings=context,
        initializer_range=spread,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=end,
        pad_token_id=end,
    )
    return LlamaForCausalLM(config)


def _gptj(end: int, *, vocabulary: int, hidden: int, layers: int, context: int, spread: float) -> GPTJForCausalLM:
    heads = max(1, hidden // 32)
    config = GPTJConfig(
        vocab_size=vocabulary,
        n_positions=context,
        n_embd=hidden,
        n_layer=layers,
        n_head=heads,
        rotary_dim=hidden // heads,
        initializer_range=spread,
        tie_word_embeddings=True,
        bos_token_id=end,
        eos_token_id=end,
        pad_token_id=end,
    )
    return GPTJForCausalLM(config)


def _lines(texts: list[Path]) -> Iterator[str]:
    for path in texts:
        with path.open(encoding="utf-8", errors="replace") as file:
            yield from file


def main() -> None:
    parser = argparse.ArgumentParser(description="Builds a small causal language model, where no hub is at hand.")
    parser.add_argument("output", type=Path)
    parser.add_argument("texts", type=Path, nargs="+")
    for name, default in {"vocabulary": 2048, "hidden": 128, "layers": 4, "context": 256, "seed": 0}.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--architecture", choices=ARCHITECTURES, default="llama")
    parser.add_argument("--spread", type=float, default=0.02, help="standard deviation of the first weights")
    options = vars(parser.parse_args())
    parameters = make_base_model(options.pop("output"), options.pop("texts"), **options)
    print(f"{parameters} parameters")


if __name__ == "__main__":
    main()
