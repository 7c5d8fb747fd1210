"""One run of the optimizer over the data: what it learns, how it saves itself and goes on, and the curve that it leaves."""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import Any

import torch
from language_model import token_losses
from pawl_job import BadInput, PassingTrouble, Stop, complete_checkpoints, progress, save_checkpoint
from recipe import Recipe, learning_rate, total_steps
from training_data import TokenStore, epoch_batches
from training_state import NotUsable, Position, restore_state, save_state

_CURVE_POINTS = 500
_PROGRESS_EVERY_SECONDS = 1.0


def prepared(model: Any, recipe: Recipe) -> Any:
    model.config.use_cache = False
    if recipe.gradient_checkpointing:
        model.gradient_checkpointing_enable()
        if recipe.kind == "lora":
            model.enable_input_require_grads()
    return model if recipe.kind == "full" else with_adapter(model, recipe)


def with_adapter(model: Any, recipe: Recipe) -> Any:
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
