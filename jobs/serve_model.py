"""Stands around a model server on its host: `python serve_model.py ARTIFACT_URI DIGEST -- COMMAND...`

Brings the artifact from S3 into a cache on the host, checks the digest of every file and of the whole, refuses files that run
code when they are loaded, and then becomes the command, with `{model}` replaced by the artifact's folder. Needs boto3.
Exit codes before the command starts: 65 the artifact is wrong, 75 S3 was in trouble for too long, 77 S3 refuses the credentials.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import sys
import tempfile
import threading
import time
from pathlib import Path

from s3_failures import Denied, Missing, Trouble
from safe_files import UnsafeFile, refuse_unsafe_files
from staging import FileFacts, Staging, digest_of

EXIT_BAD_INPUT = 65
EXIT_PASSING_TROUBLE = 75
EXIT_DENIED = 77
RETRY_FOR_S = 600.0
# Artifacts that no server uses any more and that stay for a rollback; older ones make room.
UNUSED_KEPT = 3
ABANDONED_AFTER_S = 86_400


class BadArtifact(Exception):
    """Trying again cannot help. One sentence."""


def main(arguments: list[str]) -> None:
    uri, digest, dashes, *command = arguments
    if dashes != "--" or not command or re.fullmatch(r"[0-9a-f]{64}", digest) is None:
        raise BadArtifact("usage: serve_model.py ARTIFACT_URI DIGEST -- COMMAND...")
    cache = cache_folder()
    cache.mkdir(parents=True, exist_ok=True)
    # Held as long as the server lives, since the descriptor goes on to it: nobody clears away what is in use.
    lock = os.open(cache / f"{digest}.lock", os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(lock, fcntl.LOCK_SH)
    os.set_inheritable(lock, True)
    folder = cache / digest
    if not is_whole(folder):
        fetch(uri, digest, folder)
    os.utime(folder)
    make_room(cache, keep=digest)
    words = [word.replace("{model}", str(folder)) for word in command]
    say(serving=words[0], model=str(folder))
    try:
        os.execvp(words[0], words)
    except OSError as error:
        raise BadArtifact(f"the server {words[0]!r} did not start: {error.strerror}") from error


def fetch(uri: str, digest: str, folder: Path) -> None:
    """Brings the artifact into `folder`, whole or not at all."""
    staging = Staging(RETRY_FOR_S, say, threading.Event())
    index = staging.get_json(f"{uri.rstrip('/')}/artifact.json")
    if not isinstance(index, dict) or not isinstance(index.get("files"), list):
        raise BadArtifact(f"there is no artifact.json at {uri}: the artifact was never shipped whole")
    files = [FileFacts(one["path"], one["sizeBytes"], one["sha256"]) for one in index["files"]]
    if digest_of(files) != digest:
        raise BadArtifact(f"the artifact at {uri} has the digest {digest_of(files)}, not {digest}: it is another one")
    partial = Path(tempfile.mkdtemp(prefix=f"{digest}.part-", dir=folder.parent))
    try:
        # Every file is checked against artifact.json on its way.
        staging.download_folder(uri, partial, "artifact")
        listed = {facts.path for facts in files} | {"artifact.json"}
        for path in partial.rglob("*"):
            if path.is_file() and path.relative_to(partial).as_posix() not in listed:
                path.unlink()
        refuse_unsafe_files(partial)
        put_in_place(partial, folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def put_in_place(partial: Path, folder: Path) -> None:
    """Renames what came to `folder`, unless another server on this host brought the same artifact a moment earlier."""
    lock = os.open(folder.with_name(f"{folder.name}.rename.lock"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        # Not the lock of the folder itself: other servers hold that one for as long as they live.
        fcntl.flock(lock, fcntl.LOCK_EX)
        if is_whole(folder):
            return
        if folder.exists():
            shutil.rmtree(folder)
        partial.rename(folder)
    finally:
        os.close(lock)


def is_whole(folder: Path) -> bool:
    """The digests were checked when it came; since then a file can only have been cut or lost."""
    try:
        index = json.loads((folder / "artifact.json").read_text(encoding="utf-8"))
        return all((folder / one["path"]).stat().st_size == one["sizeBytes"] for one in index["files"])
    except (OSError, ValueError, KeyError, TypeError):
        return False


def make_room(cache: Path, keep: str) -> None:
    for partial in cache.glob("*.part-*"):
        if time.time() - changed_at(partial) > ABANDONED_AFTER_S:
            shutil.rmtree(partial, ignore_errors=True)
    folders = [path for path in cache.iterdir() if re.fullmatch(r"[0-9a-f]{64}", path.name) and path.name != keep]
    unused = 0
    for folder in sorted(folders, key=changed_at, reverse=True):
        lock = os.open(cache / f"{folder.name}.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            continue
        else:
            unused += 1
            if unused > UNUSED_KEPT:
                shutil.rmtree(folder, ignore_errors=True)
        finally:
            os.close(lock)


def changed_at(folder: Path) -> float:
    """Now where another server has just renamed the folder, or cleared it away."""
    try:
        return folder.stat().st_mtime
    except FileNotFoundError:
        return time.time()


def cache_folder() -> Path:
    own = os.environ.get("PAWL_MODEL_CACHE")
    if own:
        return Path(own)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pawl" / "artifacts"


def say(**fields: object) -> None:
    os.write(1, f"PAWL-PROGRESS {json.dumps(fields, ensure_ascii=False)}\n".encode())


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except (BadArtifact, Missing, UnsafeFile) as error:
        print(f"error: {error}", file=sys.stderr, flush=True)
        sys.exit(EXIT_BAD_INPUT)
    except Denied as error:
        print(f"error: {error}", file=sys.stderr, flush=True)
        sys.exit(EXIT_DENIED)
    except Trouble as error:
        print(f"error: {error}", file=sys.stderr, flush=True)
        sys.exit(EXIT_PASSING_TROUBLE)
