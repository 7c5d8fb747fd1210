"""Stands around a program on a host, as docs/job-contract.md says: inputs from S3 before it, checkpoints while it runs, outputs
and the result after it. Called as `python run_job.py JOB_FILE`; passes the program's exit code on.

Needs boto3. Its own exit codes are those of the contract: 65 the input or the output is wrong, 75 S3 was in trouble for too
long, 77 S3 refuses the credentials.
"""

from __future__ import annotations

import errno
import json
import math
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from checkpoint_shipping import CheckpointShipping
from s3_failures import Denied, Missing, Trouble
from safe_files import UnsafeFile, refuse_unsafe_files
from staging import FileFacts, Staging, digest_of, file_facts

EXIT_BAD_INPUT = 65
EXIT_PASSING_TROUBLE = 75
EXIT_DENIED = 77
RESULT_LIMIT_BYTES = 256 * 1024
# Shorter than what a host gives to the whole group, so that a last checkpoint can still be shipped.
GRACE_S = 6.0
LAST_SHIPPING_S = 3.0
# What a host lacks at the moment says nothing against the program.
_EXHAUSTED = {errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.ENOSPC}


class BadJob(Exception):
    """Trying again cannot help. One sentence."""


def main() -> int:
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    try:
        return run(Path(sys.argv[1]).resolve(), stop)
    except (BadJob, Missing, UnsafeFile) as error:
        code = EXIT_BAD_INPUT
        complain(str(error))
    except Denied as error:
        code = EXIT_DENIED
        complain(str(error))
    except Trouble as error:
        code = 128 + signal.SIGTERM if stop.is_set() else EXIT_PASSING_TROUBLE
        complain(str(error))
    except OSError as error:
        code = EXIT_PASSING_TROUBLE
        complain(f"this host is in trouble: {error}")
    return code


def run(job_file: Path, stop: threading.Event) -> int:
    job, folder = read_json(job_file), job_file.parent
    if job.get("schema") != 1:
        raise BadJob(f"the job file {job_file} is not of schema 1")
    retry_for_s = job.get("retryForMs", 600_000) / 1000
    staging = Staging(retry_for_s, progress, stop)
    inputs = {name: folder / "inputs" / name for name in job["inputs"]}
    outputs = {name: folder / "outputs" / name for name in job["outputs"]}
    checkpoints = folder / "checkpoints"
    for path in (*inputs.values(), *outputs.values(), checkpoints):
        path.mkdir(parents=True, exist_ok=True)

    for name, uri in job["inputs"].items():
        staging.download_folder(uri, inputs[name], f"input {name}")
    shipping = CheckpointShipping(staging, job["checkpoints"], job["epoch"], checkpoints, complain)
    restored = shipping.restore()
    if restored is not None:
        progress(staging=f"restored the checkpoint {restored}")

    spec = folder / "spec.json"
    spec.write_text(
        json.dumps(
            {
                "schema": 1,
                "inputs": {name: str(path) for name, path in inputs.items()},
                "outputs": {name: str(path) for name, path in outputs.items()},
                "checkpoints": str(checkpoints),
                "settings": job["settings"],
            }
        ),
        encoding="utf-8",
    )
    exit_code = run_program(job, folder, spec, shipping, stop)
    if exit_code != 0:
        ship_last_checkpoint(staging, shipping, stop)
        return exit_code
    ship_outputs(job, folder, outputs, staging)
    return 0


def run_program(job: dict[str, Any], folder: Path, spec: Path, shipping: CheckpointShipping, stop: threading.Event) -> int:
    values = {"{python}": sys.executable, "{dir}": str(folder)}
    command = [values.get(word, word.replace("{dir}", str(folder))) for word in job["command"]]
    sys.stdout.flush()
    try:
        program = subprocess.Popen(
            command, cwd=folder, env={**os.environ, "PAWL_SPEC": str(spec)}, stdin=subprocess.DEVNULL, start_new_session=True
        )
    except OSError as error:
        if error.errno in _EXHAUSTED:
            raise
        raise BadJob(f"the program {command[0]!r} did not start: {error.strerror}") from error
    running = threading.Event()
    running.set()
    every_s = job.get("checkpointEveryMs", 2_000) / 1000
    shipper = threading.Thread(target=shipping.ship_while, args=(running, every_s), daemon=True)
    shipper.start()
    kill_at: float | None = None
    while program.poll() is None:
        if stop.is_set() and kill_at is None:
            kill_at = time.monotonic() + GRACE_S
            signal_group(program.pid, signal.SIGTERM)
        if kill_at is not None and time.monotonic() >= kill_at:
            signal_group(program.pid, signal.SIGKILL)
        try:
            program.wait(0.1)
        except subprocess.TimeoutExpired:
            pass
    # Nothing of it may write on while its outputs are read.
    signal_group(program.pid, signal.SIGKILL)
    running.clear()
    shipper.join(LAST_SHIPPING_S if stop.is_set() else None)
    code = program.returncode
    return 128 - code if code < 0 else code


def ship_last_checkpoint(staging: Staging, shipping: CheckpointShipping, stop: threading.Event) -> None:
    """A program that stopped short may have saved where it was."""
    asked = stop.is_set()
    if asked:
        staging.retry_for_s = LAST_SHIPPING_S
        stop.clear()
    try:
        shipping.ship()
    except Exception as error:  # the exit code of the program is what counts
        complain(f"the last checkpoint was not shipped: {error}")
    if asked:
        stop.set()


def ship_outputs(job: dict[str, Any], folder: Path, outputs: dict[str, Path], staging: Staging) -> None:
    result = read_result(folder / "result.json")
    shipped = {}
    # All of them are looked at before the first one leaves.
    for path in outputs.values():
        refuse_unsafe_files(path)
    for name, path in outputs.items():
        files = [file_facts(path, one) for one in sorted(path.rglob("*")) if one.is_file()]
        if not files:
            raise BadJob(f"the program ended with 0, but left no file in its output {name}")
        for facts in files:
            refuse_unspeakable_name(name, facts.path)
        if any(facts.path == "artifact.json" for facts in files):
            raise BadJob(f"the output {name} has a file artifact.json: Pawl writes that one, so give yours another name")
        shipped[name] = ship_output(name, path, job["outputs"][name], job["epoch"], files, staging)
    staging.put_json(
        job["result"],
        {"schema": 1, "key": job["key"], "epoch": job["epoch"], "result": result, "outputs": shipped},
    )


def refuse_unspeakable_name(output: str, path: str) -> None:
    try:
        path.encode()
    except UnicodeEncodeError as error:
        raise BadJob(f"the output {output} has a file whose name is not UTF-8: {path!r}") from error


def ship_output(name: str, path: Path, uri: str, epoch: int, files: list[FileFacts], staging: Staging) -> dict[str, Any]:
    digest, size_bytes = digest_of(files), sum(facts.size_bytes for facts in files)
    target = uri.replace("{digest}", digest).replace("{epoch}", str(epoch)).rstrip("/") + "/"
    index = {"schema": 1, "digest": digest, "sizeBytes": size_bytes, "files": [facts.json() for facts in files]}
    there = staging.get_json(f"{target}artifact.json")
    # Written last, so what is there under this digest is whole.
    if not (isinstance(there, dict) and there.get("digest") == digest):
        staging.upload_folder(path, target, files, f"output {name}")
        staging.put_json(f"{target}artifact.json", index)
    return {"uri": target, "digest": digest, "sizeBytes": size_bytes}


def read_result(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    if not path.is_file():
        raise BadJob("result.json is no file")
    if path.stat().st_size > RESULT_LIMIT_BYTES:
        raise BadJob(f"result.json takes more than {RESULT_LIMIT_BYTES // 1024} KB: put what is large into an output")
    try:
        # NaN and the infinities are not JSON, though Python writes them: as null they say that there is no number.
        result = json.loads(path.read_text(encoding="utf-8"), parse_constant=lambda _: None, parse_float=_finite)
        json.dumps(result, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise BadJob(f"result.json is not JSON: {error}") from error
    if not isinstance(result, dict):
        raise BadJob("result.json holds something else than an object")
    return result


def _finite(text: str) -> float | None:
    return number if math.isfinite(number := float(text)) else None


def read_json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadJob(f"the job file {path} cannot be read: {error}") from error
    return value if isinstance(value, dict) else {}


def signal_group(group: int, number: int) -> None:
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        pass


def progress(**fields: Any) -> None:
    _write_line(1, f"PAWL-PROGRESS {json.dumps(fields)}")


def complain(sentence: str) -> None:
    _write_line(2, f"error: {sentence}")


def _write_line(output: int, line: str) -> None:
    """In one write: the program and several threads share this output. A disk too full for it must not end the job."""
    try:
        os.write(output, f"{line}\n".encode("utf-8", "replace"))
    except OSError:
        pass


if __name__ == "__main__":
    sys.exit(main())
