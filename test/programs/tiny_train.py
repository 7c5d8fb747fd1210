"""A training without a model, under the job contract: counts to `steps`, saves where it is, and goes on from there."""

import json
import os
import pathlib
import pickle
import shutil
import sys
import time

spec = json.loads(pathlib.Path(os.environ["PAWL_SPEC"]).read_text())
settings = spec["settings"]
checkpoints = pathlib.Path(spec["checkpoints"])
output = pathlib.Path(spec["outputs"]["model"])

rows = sum(1 for path in sorted(pathlib.Path(spec["inputs"]["dataset"]).rglob("*.jsonl")) for _ in path.open())
done = sorted((path.parent for path in checkpoints.glob("*/COMPLETE")), key=lambda path: path.name)
first = int((done[-1] / "step.txt").read_text()) if done else 0
print(f"starting at step {first}", flush=True)

for step in range(first + 1, settings["steps"] + 1):
    time.sleep(settings.get("stepSeconds", 0))
    print("PAWL-PROGRESS " + json.dumps({"step": step, "steps": settings["steps"]}), flush=True)
    folder = checkpoints / f"step-{step:06d}"
    folder.mkdir()
    (folder / "step.txt").write_text(str(step))
    (folder / "COMPLETE").write_text("")
    for old in sorted(path for path in checkpoints.iterdir())[:-2]:
        shutil.rmtree(old)
    if step == settings.get("pauseAt"):
        # Until somebody ends it: what comes after has to start from here.
        print("pausing", flush=True)
        time.sleep(600)
    if step == settings.get("failAt") and first < step:
        print("error: it was told to fail", file=sys.stderr)
        sys.exit(settings["failWith"])

(output / "nested").mkdir(parents=True)
(output / "weights.json").write_text(json.dumps({"steps": settings["steps"]}))
(output / "nested" / "größe.txt").write_text("x" * settings.get("sizeBytes", 10))
if settings.get("leavePickle"):
    (output / "optimizer.json").write_bytes(pickle.dumps(Ellipsis, protocol=4))
(pathlib.Path(os.environ["PAWL_SPEC"]).parent / "result.json").write_text(
    json.dumps({"rows": rows, "startedAt": first, "loss": float("nan")})
)
