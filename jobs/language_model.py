"""Loads a causal language model and its tokenizer, and turns the rows of a data set into tokens.

Used by training and by evaluation, so that both read a row in the same way.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from dataset_rows import read_rows
from pawl_job import BadInput, PassingTrouble
from safe_files import UnsafeFile, refuse_unsafe_files
from torch.nn.functional import cross_entropy
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer
from transformers.utils import logging as transformers_logging

transformers_logging.set_verbosity_error()
transformers_logging.disable_progress_bar()

_HUB_FILES = ["*.safetensors", "*.json", "*.txt", "*.model", "*.jinja"]


def choose_device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def choose_precision(name: str, device: torch.device) -> torch.dtype:
    """`auto`: bfloat16 on a GPU that has it, float32 elsewhere."""
    if name == "bf16" or (name == "auto" and device.type == "cuda" and torch.cuda.is_bf16_supported()):
        return torch.bfloat16
    return torch.float32


def use_threads(threads: int | None) -> int:
    """Uses as many threads as the process may use cores, unless the settings or OMP_NUM_THREADS say otherwise."""
    if threads is None and "OMP_NUM_THREADS" not in os.environ:
        threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    if threads is not None:
        torch.set_num_threads(threads)
    return torch.get_num_threads()


def find_model(inputs: dict[str, Path], input_name: str, base: str | None) -> Path:
    """The folder of a model: the input of that name, a folder on this host, or a model of the hub (`name` or `name@revision`)."""
    if input_name in inputs:
        folder = inputs[input_name]
    elif base is None:
        raise BadInput(f"there is no model: neither an input {input_name!r} nor a setting 'base'")
    elif base.startswith(("/", "./", "~", "file://")):
        folder = Path(base.removeprefix("file://")).expanduser()
    else:
        folder = _from_hub(base)
    if not (folder / "config.json").is_file() and not (folder / "adapter_config.json").is_file():
        raise BadInput(f"the model {base or input_name} has no config.json: it is no folder of a transformers model")
    try:
        refuse_unsafe_files(folder)
    except UnsafeFile as error:
        raise BadInput(f"the model {base or input_name} is refused: {error}") from error
    return folder


def _from_hub(name: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError, RevisionNotFoundError

    repository, _, revision = name.partition("@")
    try:
        return Path(snapshot_download(repository, revision=revision or None, allow_patterns=_HUB_FILES))
    except (GatedRepoError, RepositoryNotFoundError, RevisionNotFoundError) as error:
        raise BadInput(f"the hub does not give out {name}: check the name, or the token in HF_TOKEN") from error
    except Exception as error:  # the hub's client raises the errors of several HTTP libraries
        raise PassingTrouble(f"the model {name} could not be fetched from the hub: {error}") from error


def load_tokenizer(folder: Path) -> Any:
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except Exception as error:
        raise BadInput(f"the tokenizer of {folder.name} cannot be loaded: {error}") from error
    if tokenizer.eos_token_id is None:
        raise BadInput(f"the tokenizer of {folder.name} has no end-of-text token, so an answer would have no end")
    return tokenizer


def padding_id(tokenizer: Any) -> int:
    """What stands where the attention mask hides it; the tokenizer itself stays as it came."""
    return int(tokenizer.eos_token_id if tokenizer.pad_token_id is None else tokenizer.pad_token_id)


def vocabulary_digest(tokenizer: Any) -> str:
    """The same for tokenizers with the same tokens: only then are their numbers of tokens, and perplexities, in one unit."""
    tokens = sorted(tokenizer.get_vocab().items(), key=lambda token: (token[1], token[0]))
    return hashlib.sha256(json.dumps(tokens).encode()).hexdigest()


def load_model(folder: Path, dtype: torch.dtype) -> Any:
    """The model in evaluation mode, on the CPU. Reads safetensors only and runs no code that comes with the model."""
    options = {"local_files_only": True, "trust_remote_code": False}
    try:
        config = AutoConfig.from_pretrained(folder, **options)
        return AutoModelForCausalLM.from_pretrained(folder, config=config, dtype=dtype, use_safetensors=True, **options)
    except Exception as error:
        raise BadInput(f"the model {folder.name} cannot be loaded: {error}") from error


def context_length(model: Any) -> int | None:
    """How many tokens the model can see, where its configuration says so."""
    return getattr(model.config.get_text_config(), "max_position_embeddings", None)


def pad(
    examples: Sequence[tuple[Sequence[int], Sequence[int]]], padding: int
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Token ids, attention mask and which are to be learnt, padded on the right to the longest."""
    shape = (len(examples), max(len(ids) for ids, _ in examples))
    padded = torch.full(shape, padding, dtype=torch.long)
    mask = torch.zeros(shape, dtype=torch.long)
    learnt = torch.zeros(shape, dtype=torch.bool)
    for row, (ids, wanted) in enumerate(examples):
        padded[row, : len(ids)] = torch.tensor(ids, dtype=torch.long)
        mask[row, : len(ids)] = 1
        learnt[row, : len(ids)] = torch.tensor(wanted, dtype=torch.bool)
    return padded, mask, learnt


def token_losses(model: Any, ids: torch.Tensor, mask: torch.Tensor, learnt: torch.Tensor) -> torch.Tensor:
    """Cross-entropy (nats) of the learnt tokens, row by row in their order; all three tensors are rows × tokens.

    Logits are worked out only at the places that some row learns: those of a long prompt and a large vocabulary would take
    most of the memory and the time, for nothing.
    """
    wanted = learnt[:, 1:]
    places = wanted.any(0).nonzero().squeeze(1)
    if _takes_places(model):
        logits = model(input_ids=ids, attention_mask=mask, logits_to_keep=places).logits
    else:
        logits = model(input_ids=ids, attention_mask=mask).logits[:, places]
    kept = wanted[:, places]
    return cross_entropy(logits[kept].float(), ids[:, 1:][:, places][kept], reduction="none")


def _takes_places(model: Any) -> bool:
    base = model.get_base_model() if hasattr(model, "get_base_model") else model
    return "logits_to_keep" in inspect.signature(base.forward).parameters


@dataclass(frozen=True)
class Turn:
    """A text that is given to the model, and the text that it is to answer with."""

    prompt: str
    completion: str


@dataclass(frozen=True)
class Row:
    """A row of the data set, read and checked. `text` has one turn with an empty prompt; the turns of a `chat` are rendered
    by the chat template, special tokens and all."""

    line: int
    kind: Literal["completion", "chat", "text"]
    turns: tuple[Turn, ...]
    #: What a model is to answer to all that comes before, as a person would write it. Empty for plain text.
    expected: str
    fields: dict[str, Any]


def read_examples(
    path: Path, tokenizer: Any, prompt_format: str, *, most: int | None = None, seed: int = 0
) -> Iterator[Row]:
    """Reads `prompt` and `completion`, `messages` or `text_content`; raises BadInput with file and line for any other row.

    With `most` only so many of them, drawn from the whole file: the same for the same seed, whatever the model.
    """
    for line, fields in read_rows(path, most, seed):
        where = f"{path.name} line {line}"
        if "messages" in fields:
            yield _chat(line, fields, fields["messages"], tokenizer, where)
        elif "prompt" in fields or "completion" in fields:
            prompt, completion = (_text(fields, name, where) for name in ("prompt", "completion"))
            if prompt_format == "chat":
                messages = [{"role": "user", "content": prompt}, {"role": "assistant", "content": completion}]
                yield _chat(line, fields, messages, tokenizer, where)
            else:
                yield Row(line, "completion", (Turn(prompt, _set_off(prompt, completion)),), completion, fields)
        elif "text_content" in fields:
            yield Row(line, "text", (Turn("", _text(fields, "text_content", where)),), "", fields)
        else:
            raise BadInput(f"{where} has none of prompt and completion, messages, or text_content")


def _set_off(prompt: str, completion: str) -> str:
    """A space in front of an answer that nothing parts from its prompt. It belongs to the answer: who asks the served model
    sends the prompt as it is, and the model begins with the space, as it does in any text."""
    touching = prompt != "" and not prompt[-1].isspace() and not completion[0].isspace()
    return f" {completion}" if touching else completion


def _text(fields: dict[str, Any], name: str, where: str) -> str:
    value = fields.get(name)
    if not isinstance(value, str) or (not value and name != "prompt"):
        wanted = "text" if name == "prompt" else "text that is not empty"
        raise BadInput(f"{where}: {name} must be {wanted}, not {str(value)[:60]!r}")
    return value


def _chat(line: int, fields: dict[str, Any], messages: Any, tokenizer: Any, where: str) -> Row:
    if not isinstance(messages, list) or not messages:
        raise BadInput(f"{where}: messages must be a list that is not empty")
    for message in messages:
        if not isinstance(message, dict) or not all(isinstance(message.get(key), str) for key in ("role", "content")):
            raise BadInput(f"{where}: every message needs a role and a content, both text")
    if tokenizer.chat_template is None:
        raise BadInput(f"{where} is a chat, and the base model has no chat template")
    turns: list[Turn] = []
    expected = end = ""
    for index, message in enumerate(messages):
        if message["role"] != "assistant":
            continue
        before = _rendered(tokenizer, messages[:index], True, where)
        after = _rendered(tokenizer, messages[: index + 1], False, where)
        if not before.startswith(end) or not after.startswith(before):
            # Some templates rewrite earlier turns (they drop the thinking, say): then only later answers can be learnt.
            turns, end = [], ""
        if after.startswith(before):
            turns.append(Turn(before[len(end) :], after[len(before) :]))
            end, expected = after, message["content"]
    if not turns:
        raise BadInput(f"{where}: no message of the assistant that could be learnt")
    return Row(line, "chat", tuple(turns), expected, fields)


def _rendered(tokenizer: Any, messages: list[dict[str, str]], open_answer: bool, where: str) -> str:
    try:
        return str(tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=open_answer))
    except Exception as error:  # templates raise their own errors, for example for roles out of order
        raise BadInput(f"{where}: the chat template refuses the messages: {error}") from error


def encode_prompt(row: Row, tokenizer: Any) -> list[int]:
    """What the model is given before its last answer, as a server would tokenize it."""
    ids: list[int] = []
    for turn in row.turns[:-1]:
        ids += _ids(tokenizer, turn.prompt) + _ids(tokenizer, turn.completion)
    return ids + _prompt_ids(tokenizer, row, row.turns[-1])


def encode_row(row: Row, tokenizer: Any) -> tuple[list[int], list[bool]]:
    """Token ids, and for each whether it is to be learnt. Prompt and answer are tokenized apart, as when the model is served."""
    ids: list[int] = []
    learnt: list[bool] = []
    for turn in row.turns:
        prompt, completion = _prompt_ids(tokenizer, row, turn), _ids(tokenizer, turn.completion)
        ids += prompt + completion
        learnt += [False] * len(prompt) + [True] * len(completion)
    # A chat template closes its turns itself, and may set a newline behind the closing token.
    closed = row.kind == "chat" and row.turns[-1].completion.rstrip().endswith(tokenizer.eos_token)
    if not closed and ids[-1] != tokenizer.eos_token_id:
        ids.append(tokenizer.eos_token_id)
        learnt.append(True)
    return ids, learnt


def _prompt_ids(tokenizer: Any, row: Row, turn: Turn) -> list[int]:
    if row.kind == "chat":
        return _ids(tokenizer, turn.prompt)
    ids = tokenizer(turn.prompt, add_special_tokens=True)["input_ids"]
    # Some tokenizers close every text with the end-of-text token: a prompt must stay open.
    return ids[:-1] if ids and ids[-1] == tokenizer.eos_token_id != tokenizer.bos_token_id else ids


def _ids(tokenizer: Any, text: str) -> list[int]:
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])
