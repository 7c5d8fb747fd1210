"""Brings files from S3 to a host and back, checked both ways, and tries again for a bounded time when S3 is in trouble.

Needs boto3; credentials and endpoint come from the standard AWS variables.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

import boto3
from boto3.exceptions import S3UploadFailedError
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from s3_failures import Missing, Trouble, WrongBytes, is_lasting, problem_of

T = TypeVar("T")

_FILES_AT_ONCE = 8
_CHUNK_BYTES = 1 << 20
_SHA256_KEY = "pawl-sha256"
_LISTS_OF_FILES = ("artifact.json", "manifest.json")


@dataclass(frozen=True)
class FileFacts:
    path: str
    size_bytes: int
    sha256: str

    def json(self) -> dict[str, Any]:
        return {"path": self.path, "sha256": self.sha256, "sizeBytes": self.size_bytes}


def split_uri(uri: str) -> tuple[str, str]:
    """`s3://bucket/key` → bucket and key; raises Missing for anything else."""
    match = re.fullmatch(r"s3://([^/]+)/?(.*)", uri, re.DOTALL)
    if match is None:
        raise Missing(f"{uri!r} is no S3 address: write s3://bucket/key")
    return match.group(1), match.group(2)


def digest_of(files: list[FileFacts]) -> str:
    """SHA-256 over the canonical JSON of the files' path, SHA-256 and size, in the order of their paths."""
    listed = [facts.json() for facts in sorted(files, key=lambda facts: facts.path)]
    text = json.dumps(listed, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def file_facts(root: Path, path: Path) -> FileFacts:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
    return FileFacts(path.relative_to(root).as_posix(), path.stat().st_size, digest.hexdigest())


class Staging:
    """`retry_for_s`: how long one call is tried again. `say` is told of the progress; `stop` breaks off any waiting."""

    def __init__(self, retry_for_s: float, say: Callable[..., None], stop: threading.Event) -> None:
        self.retry_for_s, self._say, self._stop = retry_for_s, say, stop
        own_endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
        config = Config(
            connect_timeout=10,
            read_timeout=60,
            max_pool_connections=4 * _FILES_AT_ONCE,
            retries={"mode": "standard", "total_max_attempts": 2},
            s3={"addressing_style": "path" if own_endpoint else "auto"},
        )
        region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"
        self._s3 = boto3.client("s3", config=config, region_name=region)
        self._transfer = TransferConfig(multipart_threshold=32 << 20, multipart_chunksize=32 << 20, max_concurrency=4)

    def download_folder(self, uri: str, target: Path, what: str) -> None:
        """Every object below a prefix, or the one object of that name; raises Missing where there is nothing."""
        bucket, key = split_uri(uri)
        found = self._list_folder(bucket, key)
        if not found:
            raise Missing(f"{what}: there is nothing at {uri}")
        known = self._known_files(bucket, found)
        lost = sorted(set(known) - set(found))
        if lost:
            raise Missing(f"{what}: {lost[0]} is in the list of files of {uri}, but not there")
        # Damage that stays is damage where it lies: a job cannot mend it.
        done, total = 0, len(found)
        with ThreadPoolExecutor(_FILES_AT_ONCE) as pool:
            fetched = [
                pool.submit(self._download, bucket, found[path], _inside(target, path, what), known.get(path)) for path in found
            ]
            try:
                for one in fetched:
                    one.result()
                    done += 1
                    self._say(staging=what, files=done, of=total)
            except BaseException:
                for one in fetched:
                    one.cancel()
                raise

    def upload_folder(self, root: Path, uri: str, files: list[FileFacts], what: str) -> None:
        bucket, key = split_uri(uri)
        done = 0
        with ThreadPoolExecutor(_FILES_AT_ONCE) as pool:
            sent = [pool.submit(self._upload, root / facts.path, bucket, _join(key, facts.path), facts) for facts in files]
            try:
                for one in sent:
                    one.result()
                    done += 1
                    self._say(staging=what, files=done, of=len(files))
            except BaseException:
                for one in sent:
                    one.cancel()
                raise

    def put_json(self, uri: str, value: Any) -> None:
        bucket, key = split_uri(uri)
        body = json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
        sha256 = hashlib.sha256(body).hexdigest()
        self._attempt(
            f"write {uri}",
            lambda: self._s3.put_object(
                Bucket=bucket, Key=key, Body=body, ContentType="application/json", Metadata={_SHA256_KEY: sha256}
            ),
        )

    def get_json(self, uri: str) -> Any:
        """None where there is no such object."""
        bucket, key = split_uri(uri)
        try:
            body = self._attempt(f"read {uri}", lambda: self._s3.get_object(Bucket=bucket, Key=key)["Body"].read())
        except Missing:
            return None
        return json.loads(body)

    def list(self, uri: str) -> dict[str, str]:
        """Relative path → key of all objects below a prefix."""
        bucket, key = split_uri(uri)
        prefix = key if key.endswith("/") or key == "" else key + "/"
        found = self._attempt(f"list {uri}", lambda: list(self._pages(bucket, prefix)))
        return {name[len(prefix) :]: name for name in found if not name.endswith("/")}

    def delete(self, uri: str) -> None:
        bucket, key = split_uri(uri)
        self._attempt(f"delete {uri}", lambda: self._s3.delete_object(Bucket=bucket, Key=key))

    def _pages(self, bucket: str, prefix: str) -> Iterator[str]:
        for page in self._s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
            yield from (item["Key"] for item in page.get("Contents", []))

    def _list_folder(self, bucket: str, key: str) -> dict[str, str]:
        found = self.list(f"s3://{bucket}/{key}")
        if found or key.endswith("/") or key == "":
            return found
        try:
            self._attempt(f"look up s3://{bucket}/{key}", lambda: self._s3.head_object(Bucket=bucket, Key=key))
        except Missing:
            return {}
        return {PurePosixPath(key).name: key}

    def _known_files(self, bucket: str, found: dict[str, str]) -> dict[str, FileFacts]:
        """What the folder's own list of files says of them."""
        for name in _LISTS_OF_FILES:
            if name not in found:
                continue
            try:
                listed = self.get_json(f"s3://{bucket}/{found[name]}")
            except ValueError:  # somebody else's file of that name
                continue
            files = listed.get("files") if isinstance(listed, dict) else None
            if isinstance(files, list) and all(isinstance(one, dict) and {"path", "sizeBytes", "sha256"} <= set(one) for one in files):
                return {one["path"]: FileFacts(one["path"], one["sizeBytes"], one["sha256"]) for one in files}
        return {}

    def _download(self, bucket: str, key: str, target: Path, expected: FileFacts | None) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_name(f".{target.name}.part")

        def fetch() -> None:
            answer = self._s3.get_object(Bucket=bucket, Key=key)
            digest, size = hashlib.sha256(), 0
            with partial.open("wb") as file:
                for chunk in answer["Body"].iter_chunks(_CHUNK_BYTES):
                    digest.update(chunk)
                    size += len(chunk)
                    file.write(chunk)
                    self._check_stop()
            sha256 = expected.sha256 if expected else answer.get("Metadata", {}).get(_SHA256_KEY)
            if size != (expected.size_bytes if expected else answer["ContentLength"]):
                raise WrongBytes(f"{size} bytes arrived of another number")
            if sha256 is not None and digest.hexdigest() != sha256:
                raise WrongBytes("its bytes do not match its SHA-256")

        self._attempt(f"read s3://{bucket}/{key}", fetch)
        partial.replace(target)

    def _upload(self, path: Path, bucket: str, key: str, facts: FileFacts) -> None:
        def send() -> None:
            sent, said = 0, time.monotonic()

            def count(size: int) -> None:
                nonlocal sent, said
                sent += size
                if time.monotonic() - said >= 5:
                    said = time.monotonic()
                    self._say(staging=facts.path, bytes=sent, of=facts.size_bytes)

            extra = {"Metadata": {_SHA256_KEY: facts.sha256}}
            self._s3.upload_file(str(path), bucket, key, ExtraArgs=extra, Config=self._transfer, Callback=count)
            size = self._s3.head_object(Bucket=bucket, Key=key)["ContentLength"]
            if size != facts.size_bytes:
                raise WrongBytes(f"{size} bytes arrived of {facts.size_bytes}")

        self._attempt(f"write s3://{bucket}/{key}", send)

    def _attempt(self, what: str, call: Callable[[], T]) -> T:
        give_up, pause = time.monotonic() + self.retry_for_s, 0.5
        while True:
            self._check_stop()
            try:
                return call()
            except (ClientError, BotoCoreError, S3UploadFailedError, OSError, WrongBytes) as error:
                problem = problem_of(what, error)
                if not isinstance(problem, Trouble) or is_lasting(error) or time.monotonic() + pause > give_up:
                    raise problem from error
            self._say(staging=f"trying again to {what}")
            self._stop.wait(pause)
            pause = min(15.0, pause * 2)

    def _check_stop(self) -> None:
        if self._stop.is_set():
            raise Trouble("asked to stop")


def _join(key: str, path: str) -> str:
    return f"{key}{path}" if key.endswith("/") or key == "" else f"{key}/{path}"


def _inside(target: Path, path: str, what: str) -> Path:
    if path.startswith("/") or "\\" in path or "\0" in path or any(part in ("", ".", "..") for part in path.split("/")):
        raise Missing(f"{what}: the name {path!r} would lead out of its folder")
    return target / path
