"""What a training run has to keep to go on exactly where it stopped, saved without pickles: tensors as safetensors, the rest as JSON."""

from __future__ import annotations

import json
import random
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file


@dataclass
class Position:
    """Where a run stands. The learning rate follows from the step; the order of the data from seed and epoch."""

    step: int = 0
    epoch: int = 0
    #: Batches of the epoch that are done.
    batch: int = 0
    tokens: int = 0
    seconds: float = 0.0
    #: Loss and tokens since the last point of the curve.
    pending_loss: float = 0.0
    pending_tokens: int = 0


class NotUsable(Exception):
    """A checkpoint that this run cannot go on from. One sentence."""


def save_state(
    folder: Path, *, fingerprint: str, position: Position, model: Any, optimizer: torch.optim.Optimizer, curve: list[dict[str, Any]]
) -> None:
    """Writes trained weights, optimizer, generators, position and curve. The caller marks the folder complete."""
    weights = _trained(model)
    save_file({name: value.detach().contiguous().cpu() for name, value in weights.items()}, folder / "weights.safetensors")
    moments: dict[str, torch.Tensor] = {}
    for name, value in weights.items():
        for key, moment in optimizer.state.get(value, {}).items():
            moments[f"{name}:{key}"] = moment.detach().contiguous().cpu()
    save_file(moments, folder / "optimizer.safetensors")
    save_file(_generators(), folder / "generators.safetensors")
    (folder / "curve.jsonl").write_text("".join(json.dumps(point) + "\n" for point in curve), encoding="utf-8")
    state = {
        "schema": 1,
        "fingerprint": fingerprint,
        "position": asdict(position),
        "python": random.getstate(),
    }
    (folder / "state.json").write_text(json.dumps(state), encoding="utf-8")


def restore_state(
    folder: Path, *, fingerprint: str, model: Any, optimizer: torch.optim.Optimizer
) -> tuple[Position, list[dict[str, Any]]]:
    """Puts everything back; raises NotUsable, before anything is changed, for a damaged checkpoint or one of other settings or data."""
    try:
        state = json.loads((folder / "state.json").read_text(encoding="utf-8"))
        if state["fingerprint"] != fingerprint:
            raise NotUsable(f"{folder.name} was made with other settings, other data or another base model")
        saved = load_file(folder / "weights.safetensors")
        moments = load_file(folder / "optimizer.safetensors")
        generators = load_file(folder / "generators.safetensors")
        curve = [json.loads(line) for line in (folder / "curve.jsonl").read_text(encoding="utf-8").splitlines()]
        position = Position(**state["position"])
        python_state = state["python"]
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
        raise NotUsable(f"{folder.name} is damaged: {error}") from error
    weights = _trained(model)
    if set(saved) != set(weights) or any(saved[name].shape != weights[name].shape for name in saved):
        raise NotUsable(f"{folder.name} holds the weights of another model")
    with torch.no_grad():
        for name, value in weights.items():
            value.copy_(saved[name])
            # `step` stays where AdamW keeps it: on the CPU unless the optimizer is fused or capturable.
            optimizer.state[value] = {
                key: moments[f"{name}:{key}"].clone() if key == "step" else moments[f"{name}:{key}"].to(value.device)
                for key in ("step", "exp_avg", "exp_avg_sq")
                if f"{name}:{key}" in moments
            }
    _restore_generators(generators, python_state)
    return position, curve


def _trained(model: Any) -> dict[str, torch.nn.Parameter]:
    return {name: value for name, value in model.named_parameters() if value.requires_grad}


def _generators() -> dict[str, torch.Tensor]:
    states = {"cpu": torch.get_rng_state()}
    for index in range(torch.cuda.device_count() if torch.cuda.is_available() else 0):
        states[f"cuda{index}"] = torch.cuda.get_rng_state(index)
    return states


def _restore_generators(states: dict[str, torch.Tensor], python_state: list[Any]) -> None:
    torch.set_rng_state(states["cpu"])
    for index in range(torch.cuda.device_count() if torch.cuda.is_available() else 0):
        if f"cuda{index}" in states:
            torch.cuda.set_rng_state(states[f"cuda{index}"], index)
    version, words, gauss = python_state
    random.setstate((version, tuple(words), gauss))
