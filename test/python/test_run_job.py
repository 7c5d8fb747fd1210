"""What stands around a program on a host, where its disk is full, what it is given is damaged, or what it leaves is no result."""

import errno
import hashlib
import io
import json
import os
import subprocess
import sys
import tempfile
import threading
import unittest
from pathlib import Path
from unittest import mock

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "jobs"))

import run_job  # noqa: E402
from botocore.exceptions import ClientError  # noqa: E402
from checkpoint_shipping import CheckpointShipping  # noqa: E402
from dataset_rows import read_rows  # noqa: E402
from pawl_job import BadInput  # noqa: E402
from s3_failures import Trouble  # noqa: E402
from staging import Staging  # noqa: E402


class Body(io.BytesIO):
    def iter_chunks(self, size):
        while chunk := self.read(size):
            yield chunk


class Bucket:
    """As much of boto3's client as staging asks of it, over a dictionary."""

    def __init__(self):
        self.objects = {}
        self.digests = {}

    def put_object(self, Key, Body, Metadata, **_):
        self.objects[Key], self.digests[Key] = Body, Metadata

    def upload_file(self, path, bucket, key, ExtraArgs, **_):
        self.objects[key], self.digests[key] = Path(path).read_bytes(), ExtraArgs["Metadata"]

    def get_object(self, Key, **_):
        if Key not in self.objects:
            raise ClientError({"Error": {"Code": "NoSuchKey"}}, "GetObject")
        content = self.objects[Key]
        return {"Body": Body(content), "ContentLength": len(content), "Metadata": self.digests.get(Key, {})}

    def head_object(self, Key, **_):
        return self.get_object(Key)

    def delete_object(self, Key, **_):
        self.objects.pop(Key, None)

    def get_paginator(self, _):
        keys = sorted(self.objects)
        pages = mock.Mock()
        pages.paginate = lambda Prefix, **_: [{"Contents": [{"Key": key} for key in keys if key.startswith(Prefix)]}]
        return pages


class OnAHost(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = Path(temporary.name)
        self.bucket = Bucket()
        self.said = []

    def staging(self, retry_for_s: float = 0.0) -> Staging:
        staging = Staging(retry_for_s, lambda **_: None, threading.Event())
        staging._s3 = self.bucket
        return staging

    def shipping(self, epoch: int = 1, folder: str = "checkpoints") -> CheckpointShipping:
        (self.folder / folder).mkdir(exist_ok=True)
        return CheckpointShipping(self.staging(), "s3://b/c", epoch, self.folder / folder, self.said.append)

    def ship(self, shipping: CheckpointShipping, name: str) -> None:
        checkpoint = self.folder / "checkpoints" / name
        checkpoint.mkdir()
        (checkpoint / "state").write_text(name, encoding="utf-8")
        (checkpoint / "COMPLETE").touch()
        shipping.ship()


class Checkpoints(OnAHost):
    def test_the_one_before_is_brought_where_the_newest_is_not_whole(self):
        newest = "c/000001/000002-step-2"
        for name, damage in {
            "other bytes": lambda: self.bucket.objects.update({f"{newest}/state": b"step-X"}),
            "other bytes under their own digest": lambda: self.bucket.put_object(
                f"{newest}/state", b"step-X", {"pawl-sha256": hashlib.sha256(b"step-X").hexdigest()}
            ),
            "a file that is gone": lambda: self.bucket.objects.pop(f"{newest}/state"),
            "a list that is no JSON": lambda: self.bucket.objects.update({f"{newest}/COMPLETE": b"{"}),
            "a list of another form": lambda: self.bucket.objects.update({f"{newest}/COMPLETE": b"[]"}),
        }.items():
            with self.subTest(name):
                self.setUp()
                shipping = self.shipping()
                self.ship(shipping, "step-1")
                self.ship(shipping, "step-2")
                damage()
                self.assertEqual(self.shipping(2, "restored").restore(), "step-1")
                self.assertEqual([path.name for path in (self.folder / "restored").iterdir()], ["step-1"])
                self.assertEqual((self.folder / "restored/step-1/state").read_text(encoding="utf-8"), "step-1")
                self.assertIn("step-2 is passed over", self.said[0])

    def test_a_job_begins_at_the_beginning_where_none_is_whole(self):
        self.ship(self.shipping(), "step-1")
        self.bucket.objects["c/000001/000001-step-1/COMPLETE"] = b"{"
        self.assertIsNone(self.shipping(2, "restored").restore())

    def test_what_a_later_epoch_has_dropped_is_no_trouble(self):
        shipping = self.shipping()
        with mock.patch.object(shipping, "_listed", return_value=(set(), set())):
            self.ship(shipping, "step-1")
        every = shipping._listed()[0]
        with mock.patch.object(shipping, "_listed", return_value=(every, set())):
            shipping._prune()
        self.assertEqual(shipping._listed()[0], every)


class Inputs(OnAHost):
    def test_a_full_disk_is_said_at_once_and_not_waited_for(self):
        self.bucket.put_object("in/weights", b"weights", {})
        # What is written to this device finds no room.
        (self.folder / ".weights.part").symlink_to("/dev/full")
        with self.assertRaisesRegex(Trouble, "there is no room on this host's disk"):
            self.staging(600.0).download_folder("s3://b/in/", self.folder, "input data")

    def test_a_list_of_files_that_is_somebody_elses_is_a_file_like_any_other(self):
        self.bucket.put_object("in/manifest.json", b"// not JSON", {})
        self.bucket.put_object("in/weights", b"weights", {})
        self.staging().download_folder("s3://b/in/", self.folder, "input base")
        self.assertEqual(sorted(path.name for path in self.folder.iterdir()), ["manifest.json", "weights"])

    def test_half_a_character_is_refused_with_file_and_line(self):
        rows = self.folder / "train.jsonl"
        rows.write_text('{"text_content": "\\ud83d\\ude00"}\n{"text_content": "\\ud83d"}\n', encoding="utf-8")
        read = read_rows(rows)
        self.assertEqual(next(read), (1, {"text_content": "\U0001f600"}))
        with self.assertRaisesRegex(BadInput, "train.jsonl line 2 holds half a character"):
            next(read)


class TheProgram(OnAHost):
    def run_program(self, error: OSError) -> None:
        with mock.patch.object(subprocess, "Popen", side_effect=error):
            run_job.run_program({"command": ["train"]}, self.folder, self.folder / "spec.json", mock.Mock(), threading.Event())

    def test_that_cannot_start_is_refused_unless_the_host_lacks_something_at_the_moment(self):
        with self.assertRaisesRegex(run_job.BadJob, "'train' did not start"):
            self.run_program(OSError(errno.ENOENT, "No such file or directory"))
        for number in (errno.EAGAIN, errno.ENOMEM):
            with self.assertRaises(OSError):
                self.run_program(OSError(number, os.strerror(number)))

    def test_trouble_of_the_host_is_passing_trouble_in_one_sentence(self):
        full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        with (
            mock.patch.object(run_job, "run", side_effect=full),
            mock.patch.object(run_job, "complain") as complain,
            mock.patch.object(sys, "argv", ["run_job.py", "job.json"]),
            mock.patch.object(run_job.signal, "signal"),
        ):
            self.assertEqual(run_job.main(), run_job.EXIT_PASSING_TROUBLE)
        complain.assert_called_once_with("this host is in trouble: [Errno 28] No space left on device")

    def test_a_log_without_room_does_not_end_it(self):
        full = os.open("/dev/full", os.O_WRONLY)
        self.addCleanup(os.close, full)
        run_job._write_line(full, "error: nobody reads this")


class Results(OnAHost):
    def result(self, text: str) -> dict:
        path = self.folder / "result.json"
        path.write_text(text, encoding="utf-8")
        return run_job.read_result(path)

    def test_a_number_that_is_not_finite_is_null_however_it_is_written(self):
        numbers = self.result('{"a": NaN, "b": -Infinity, "c": 1e999, "d": 1.5}')
        self.assertEqual(numbers, {"a": None, "b": None, "c": None, "d": 1.5})

    def test_what_no_object_store_can_hold_is_refused(self):
        for text in ("{", "[]", '{"a": "\\ud83d"}', json.dumps({"a": "x" * run_job.RESULT_LIMIT_BYTES}), "[" * 100_000):
            with self.subTest(text[:20]), self.assertRaises(run_job.BadJob):
                self.result(text)
        (self.folder / "result.json").unlink()
        (self.folder / "result.json").mkdir()
        with self.assertRaisesRegex(run_job.BadJob, "is no file"):
            run_job.read_result(self.folder / "result.json")

    def test_an_output_whose_name_is_no_text_is_refused(self):
        (self.folder / "artifact").mkdir()
        with open(os.fsencode(self.folder / "artifact") + b"/\xff", "wb") as file:
            file.write(b"weights")
        job = {"outputs": {"artifact": "s3://b/{digest}/"}, "epoch": 1, "key": "k", "result": "s3://b/r"}
        with self.assertRaisesRegex(run_job.BadJob, "whose name is not UTF-8"):
            run_job.ship_outputs(job, self.folder, {"artifact": self.folder / "artifact"}, self.staging())


if __name__ == "__main__":
    unittest.main()
