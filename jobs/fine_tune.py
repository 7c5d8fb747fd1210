"""Fine-tunes a causal language model, by LoRA or in full, under the job contract (docs/job-contract.md).

Inputs: `dataset` (train.jsonl, and validation.jsonl where there is one) and `base`, unless settings.base names a model.
Output: `artifact`, a folder that transformers and vLLM load as it is: safetensors only, LoRA merged unless settings say not to.
On the CPU of one host the same inputs and settings give the same weights, also when the run is broken off and taken up again
on the way. On a GPU some kernels have no deterministic form, of attention's gradient among them: there a run that is taken up
again goes on from where it was, and two runs need not agree to the bit.
"""

from __future__ import annotations

import hashlib
import json
import os
import warnings
from dataclasses import asdict
from pathlib import Path

# Before CUDA is touched: cuBLAS repeats itself only with a fixed workspace.
os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
# Threads that wait by spinning take the cores from whatever else runs on the host: three times slower where jobs share it.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
warnings.filterwarnings("ignore", category=FutureWarning)

import torch  # noqa: E402
from language_model import (  # noqa: E402
    choose_device,
    choose_precision,
    context_length,
    find_model,
    load_model,
    load_tokenizer,
    padding_id,
    use_threads,
)
from pawl_job import Job, Stop, run  # noqa: E402
from recipe import Recipe, read_recipe  # noqa: E402
from trained_artifact import write_artifact  # noqa: E402
from trainer import Trainer, prepared  # noqa: E402
from training_data import load_split  # noqa: E402

# Settings that change when a run saves or looks at itself, and nothing of what it learns.
_WITHOUT_EFFECT = frozenset(
    {"eval_every_steps", "eval_rows", "checkpoint_every_steps", "checkpoint_every_seconds", "merge", "threads"}
)


def main(job: Job) -> None:
    stop = Stop()
    recipe, base = read_recipe(job.settings)
    dataset = job.input("dataset")
    use_threads(recipe.threads)
    # Where a GPU has no such kernel it takes another, with a warning, rather than failing.
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.manual_seed(recipe.seed)

    device = choose_device()
    precision = choose_precision(recipe.precision, device)
    folder = find_model(job.inputs, "base", base)
    tokenizer = load_tokenizer(folder)
    # In full, the optimizer works on float32 weights; LoRA leaves the base as it is, so it may stay small.
    model = load_model(folder, precision if recipe.kind == "lora" else torch.float32)
    max_tokens = min(recipe.max_tokens, context_length(model) or recipe.max_tokens)
    split = {"max_tokens": max_tokens, "prompt_format": recipe.prompt_format}
    train = load_split(dataset / "train.jsonl", tokenizer, **split)
    validation = None
    if (dataset / "validation.jsonl").is_file() and (dataset / "validation.jsonl").stat().st_size > 0:
        validation = load_split(dataset / "validation.jsonl", tokenizer, **split, max_rows=recipe.eval_rows)

    model = prepared(model, recipe).to(device)
    trainer = Trainer(recipe, model, train, validation, padding_id(tokenizer), device, precision)
    fingerprint = _fingerprint(recipe, dataset / "train.jsonl", folder)
    resumed = trainer.resume(job.checkpoints, fingerprint)
    trainer.train(job.checkpoints, fingerprint, stop)

    summary = trainer.summary()
    output = job.output("artifact")
    write_artifact(output, trainer, tokenizer, folder, {"fingerprint": fingerprint, "recipe": job.settings["recipe"]})
    job.write_result(
        {
            **summary,
            "seconds": round(trainer.position.seconds, 3),
            "device": str(device),
            "precision": str(precision).removeprefix("torch."),
            "resumedFrom": resumed,
            "curve": trainer.curve[-1] if trainer.curve else None,
        }
    )


def _fingerprint(recipe: Recipe, train: Path, base: Path) -> str:
    """Names what a run learns from, so that it never goes on from another run's checkpoint."""
    digest = hashlib.sha256()
    effective = {key: value for key, value in asdict(recipe).items() if key not in _WITHOUT_EFFECT}
    digest.update(json.dumps(effective, sort_keys=True).encode())
    with train.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    for path in sorted(base.iterdir()):
        if path.suffix == ".safetensors":
            digest.update(f"{path.name}:{path.stat().st_size}".encode())
        elif path.suffix == ".json" and path.is_file():
            digest.update(path.read_bytes())
    return digest.hexdigest()


if __name__ == "__main__":
    run(main)
