"""What a training leaves: a folder that transformers and vLLM load as it is, with its curve and where it is from."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import torch
from language_model import load_model
from pawl_job import finite
from trainer import Trainer, with_adapter


def write_artifact(output: Path, trainer: Trainer, tokenizer: Any, base: Path, origin: dict[str, Any]) -> None:
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
    whole = with_adapter(load_model(base, stored), trainer.recipe)
    set_peft_model_state_dict(whole, {name: weights.cpu() for name, weights in learnt.items()})
    return whole.merge_and_unload()


def _stored_dtype(base: Path) -> torch.dtype:
    """The type that the base model's weights are stored in: the artifact keeps it."""
    config = json.loads((base / "config.json").read_text(encoding="utf-8"))
    name = config.get("dtype") or config.get("torch_dtype") or "float32"
    return getattr(torch, str(name), torch.float32)
