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
import math
import os
import shutil
import time
import warnings
from dataclasses import asdict
from pathlib import Path
from typing import Any

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
    token_losses,
    use_threads,
)
from pawl_job import (  # noqa: E402
    BadInput,
    Job,
    PassingTrouble,
    Stop,
    complete_checkpoints,
    finite,
    progress,
    run,
    save_checkpoint,
)
from recipe import Recipe, learning_rate, read_recipe, total_steps  # noqa: E402
from training_data import TokenStore, epoch_batches, load_split  # noqa: E402
from training_state import NotUsable, Position, restore_state, save_state  # noqa: E402

_CURVE_POINTS = 500
_PROGRESS_EVERY_SECONDS = 1.0
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

    model = _prepared(model, recipe).to(device)
    trainer = Trainer(recipe, model, train, validation, padding_id(tokenizer), device, precision)
    fingerprint = _fingerprint(recipe, dataset / "train.jsonl", folder)
    resumed = trainer.resume(job.checkpoints, fingerprint)
    trainer.train(job.checkpoints, fingerprint, stop)

    summary = trainer.summary()
    output = job.output("artifact")
    _write_artifact(output, trainer, tokenizer, folder, {"fingerprint": fingerprint, "recipe": job.settings["recipe"]})
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


def _prepared(model: Any, recipe: Recipe) -> Any:
    model.config.use_cache = False
    if recipe.gradient_checkpointing:
        model.gradient_checkpointing_enable()
        if recipe.kind == "lora":
            model.enable_input_require_grads()
    return model if recipe.kind == "full" else _with_adapter(model, recipe)


def _with_adapter(model: Any, recipe: Recipe) -> Any:
    from peft import LoraConfig, get_peft_model

    config = LoraConfig(
        task_type="CAUSAL_LM",
        r=recipe.rank,
        lora_alpha=recipe.alpha,
        lora_dropout=recipe.dropout,
        target_modules=recipe.target_modules or "all-linear",
    )
    try:
        return get_peft_model(model, config)
    except ValueError as error:
        raise BadInput(f"recipe.targetModules does not fit the base model: {error}") from error


class Trainer:
    """One run of the optimizer over the data; all that it has learnt and where it stands can be saved and put back."""

    def __init__(
        self,
        recipe: Recipe,
        model: Any,
        train: TokenStore,
        validation: TokenStore | None,
        padding: int,
        device: torch.device,
        precision: torch.dtype,
    ) -> None:
        self.recipe, self.model, self.train_store, self.validation = recipe, model, train, validation
        self.padding, self.device, self.precision = padding, device, precision
        self.steps = total_steps(recipe, math.ceil(len(train) / recipe.batch_size))
        self.position = Position()
        self.curve: list[dict[str, Any]] = []
        self.optimizer = self._optimizer()
        self._point_every = max(1, self.steps // _CURVE_POINTS)

    def _optimizer(self) -> torch.optim.Optimizer:
        weights = [value for value in self.model.parameters() if value.requires_grad]
        # Biases and norms are vectors, and are not pulled towards zero.
        groups = [
            {"params": [value for value in weights if value.dim() > 1], "weight_decay": self.recipe.weight_decay},
            {"params": [value for value in weights if value.dim() <= 1], "weight_decay": 0.0},
        ]
        return torch.optim.AdamW([group for group in groups if group["params"]], lr=self.recipe.learning_rate)

    def resume(self, checkpoints: Path, fingerprint: str) -> str | None:
        """Goes on from the newest checkpoint that is whole and of this run; answers its name."""
        for folder in complete_checkpoints(checkpoints):
            try:
                state = {"fingerprint": fingerprint, "model": self.model, "optimizer": self.optimizer}
                self.position, self.curve = restore_state(folder, **state)
            except NotUsable as error:
                progress(note=f"not resumed: {error}")
                continue
            progress(step=self.position.step, steps=self.steps, resumedFrom=folder.name)
            return folder.name
        return None

    def train(self, checkpoints: Path, fingerprint: str, stop: Stop) -> None:
        """Takes every step that is left. Raises BadInput where the loss diverges, PassingTrouble where it is asked to stop."""
        recipe, at = self.recipe, self.position
        started = saved = said = time.monotonic()
        before = at.seconds

        def save() -> None:
            at.seconds = before + time.monotonic() - started
            state = {"position": at, "model": self.model, "optimizer": self.optimizer, "curve": self.curve}
            name = f"step-{at.step:09d}"
            save_checkpoint(checkpoints, name, lambda folder: save_state(folder, fingerprint=fingerprint, **state))
            progress(step=at.step, steps=self.steps, checkpoint=name)

        self.model.train()
        batches = epoch_batches(self.train_store, recipe.batch_size, recipe.seed, at.epoch)
        while at.step < self.steps:
            if at.batch >= len(batches):
                at.epoch, at.batch = at.epoch + 1, 0
                batches = epoch_batches(self.train_store, recipe.batch_size, recipe.seed, at.epoch)
            loss = self._step(batches[at.batch : at.batch + recipe.gradient_accumulation])
            at.batch += recipe.gradient_accumulation
            at.step += 1
            last = at.step == self.steps
            self._record(last)
            now = time.monotonic()
            if last or now - said >= _PROGRESS_EVERY_SECONDS:
                progress(step=at.step, steps=self.steps, epoch=at.epoch, loss=round(loss, 6), tokens=at.tokens)
                said = now
            due = recipe.checkpoint_every_steps is not None and at.step % recipe.checkpoint_every_steps == 0
            # The last step is saved too, unless little would be lost: shipping the artifact may still fail.
            patience = min(60.0, recipe.checkpoint_every_seconds) if last else recipe.checkpoint_every_seconds
            if stop.asked or due or now - saved >= patience:
                save()
                saved = time.monotonic()
            if stop.asked and not last:
                raise PassingTrouble(f"asked to stop at step {at.step} of {self.steps}; a checkpoint is saved")
        at.seconds = before + time.monotonic() - started

    def _step(self, group: list[list[int]]) -> float:
        """One optimizer step over one or more batches; every token counts the same, whichever batch it is in."""
        at = self.position
        parts = [self.train_store.batch(indices, self.padding) for indices in group]
        targets = sum(int(learnt[:, 1:].sum()) for _, _, learnt in parts)
        rate = learning_rate(self.recipe, at.step, self.steps)
        for options in self.optimizer.param_groups:
            options["lr"] = rate
        self.optimizer.zero_grad(set_to_none=True)
        total = 0.0
        for part in parts:
            loss, _ = self._loss(part)
            (loss / targets).backward()
            total += loss.item()
            at.tokens += int(part[1].sum())
        limit = self.recipe.max_gradient_norm or math.inf
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), limit).item()
        if not (math.isfinite(total) and math.isfinite(norm)):
            raise BadInput(
                f"the training diverged: the loss or its gradient is no longer a number at step {at.step + 1} of {self.steps} "
                f"(learning rate {rate:g}); lower recipe.learningRate or raise recipe.warmup"
            )
        self.optimizer.step()
        at.pending_loss += total
        at.pending_tokens += targets
        return total / targets

    def _loss(self, part: tuple[torch.Tensor, torch.Tensor, torch.Tensor]) -> tuple[torch.Tensor, int]:
        """The summed loss over the learnt tokens of a batch, and how many they are."""
        ids, mask, learnt = (tensor.to(self.device, non_blocking=True) for tensor in part)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == torch.bfloat16):
            losses = token_losses(self.model, ids, mask, learnt)
        return losses.sum(), losses.numel()

    def _record(self, last: bool) -> None:
        """Adds a point to the curve where one is due. Its numbers repeat themselves bit for bit, so it holds no times."""
        at, every = self.position, self.recipe.eval_every_steps
        evaluate = self.validation is not None and (last or (every is not None and at.step % every == 0))
        if not (evaluate or last or at.step % self._point_every == 0):
            return
        point: dict[str, Any] = {
            "step": at.step,
            "epoch": at.epoch,
            "tokens": at.tokens,
            "learningRate": learning_rate(self.recipe, at.step - 1, self.steps),
            "loss": at.pending_loss / at.pending_tokens,
        }
        at.pending_loss, at.pending_tokens = 0.0, 0
        if evaluate:
            point["validationLoss"] = self.validation_loss()
        self.curve.append(point)

    @torch.no_grad()
    def validation_loss(self) -> float:
        """Mean loss a learnt token on the validation split; draws no random numbers."""
        assert self.validation is not None
        self.model.eval()
        total, count = 0.0, 0
        said = time.monotonic()
        order = sorted(range(len(self.validation)), key=self.validation.length)
        for start in range(0, len(order), self.recipe.batch_size):
            loss, tokens = self._loss(self.validation.batch(order[start : start + self.recipe.batch_size], self.padding))
            total, count = total + loss.item(), count + tokens
            if time.monotonic() - said >= _PROGRESS_EVERY_SECONDS:
                progress(step=self.position.step, steps=self.steps, validating=start + self.recipe.batch_size)
                said = time.monotonic()
        self.model.train()
        return total / count

    def summary(self) -> dict[str, Any]:
        """What came out, without times: the same run gives the same summary."""
        losses = [point["validationLoss"] for point in self.curve if "validationLoss" in point]
        return {
            "steps": self.position.step,
            "epochs": self.position.epoch + 1,
            "tokens": self.position.tokens,
            "finalLoss": self.curve[-1]["loss"] if self.curve else None,
            "validationLoss": losses[-1] if losses else None,
            "trainExamples": len(self.train_store),
            "shortenedExamples": self.train_store.shortened,
            "trainedParameters": sum(value.numel() for value in self.model.parameters() if value.requires_grad),
            "parameters": sum(value.numel() for value in self.model.parameters()),
        }


def _write_artifact(output: Path, trainer: Trainer, tokenizer: Any, base: Path, origin: dict[str, Any]) -> None:
    """Writes the folder anew: what an earlier attempt on this host left there must not be shipped with it."""
    for old in output.iterdir():
        shutil.rmtree(old) if old.is_dir() else old.unlink()
    recipe, model = trainer.recipe, trainer.model
    summary = trainer.summary()
    if recipe.kind == "lora" and recipe.merge:
        model = _merged(trainer, base)
    merged = recipe.kind == "full" or recipe.merge
    if merged:
        model.config.use_cache = True
        model = model.to(_stored_dtype(base))
    else:
        # What is written must not depend on the folder that the base model had on this host.
        model.peft_config["default"].base_model_name_or_path = None
    model.save_pretrained(output, max_shard_size="4GB")
    (output / "README.md").unlink(missing_ok=True)
    tokenizer.save_pretrained(output)
    curve = "".join(json.dumps(finite(point)) + "\n" for point in trainer.curve)
    (output / "training_curve.jsonl").write_text(curve, encoding="utf-8")
    record = {"schema": 1, "merged": merged, "summary": summary, **origin}
    (output / "training.json").write_text(json.dumps(finite(record), indent=2) + "\n", encoding="utf-8")


def _merged(trainer: Trainer, base: Path) -> Any:
    """The adapter in the base model as it is stored: one that was loaded coarser for the training is loaded anew, on the CPU."""
    stored = _stored_dtype(base)
    if trainer.precision in (torch.float32, stored):
        return trainer.model.merge_and_unload()
    from peft import get_peft_model_state_dict, set_peft_model_state_dict

    learnt = get_peft_model_state_dict(trainer.model, save_embedding_layers=False)
    whole = _with_adapter(load_model(base, stored), trainer.recipe)
    set_peft_model_state_dict(whole, {name: weights.cpu() for name, weights in learnt.items()})
    return whole.merge_and_unload()


def _stored_dtype(base: Path) -> torch.dtype:
    """The type that the base model's weights are stored in: the artifact keeps it."""
    config = json.loads((base / "config.json").read_text(encoding="utf-8"))
    name = config.get("dtype") or config.get("torch_dtype") or "float32"
    return getattr(torch, str(name), torch.float32)


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
