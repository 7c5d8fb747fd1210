"""What runs code when it is loaded is refused by its content, whatever it is called; what a model is made of is not."""

import gzip
import io
import json
import pickle
import struct
import sys
import tempfile
import unittest
import zipfile
import zlib
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "jobs"))

from safe_files import UnsafeFile, refuse_unsafe_files  # noqa: E402


class Trap:
    def __reduce__(self):
        return (print, ("the pickle ran",))


def safetensors(header_size: int, data: bytes = b"\0" * 8) -> bytes:
    """A file of one tensor whose header takes exactly `header_size` bytes."""
    header = json.dumps({"weight": {"dtype": "F32", "shape": [len(data) // 4], "data_offsets": [0, len(data)]}}).encode()
    return struct.pack("<Q", header_size) + header.ljust(header_size) + data


def zipped(**entries: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return buffer.getvalue()


class RefuseUnsafeFiles(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = Path(temporary.name)

    def refused(self, name: str, content: bytes) -> str:
        (self.folder / name).write_bytes(content)
        with self.assertRaises(UnsafeFile) as caught:
            refuse_unsafe_files(self.folder)
        (self.folder / name).unlink()
        self.assertEqual(caught.exception.path, name)
        return caught.exception.reason

    def accepted(self, name: str, content: bytes) -> None:
        (self.folder / name).write_bytes(content)
        refuse_unsafe_files(self.folder)

    def test_a_pickle_is_refused_in_every_protocol_and_under_every_name(self):
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
            for name in ("pytorch_model.bin", "model.safetensors", "notes.txt", "no-ending"):
                with self.subTest(protocol=protocol, name=name):
                    self.assertIn("pickle", self.refused(name, pickle.dumps(Trap(), protocol)))

    def test_a_pickle_within_an_archive_or_compressed_is_refused(self):
        trap = pickle.dumps(Trap())
        self.assertIn("archive/data.pkl", self.refused("model.pt", zipped(**{"archive/data.pkl": trap})))
        self.assertIn("inner.zip", self.refused("outer", zipped(**{"inner.zip": zipped(data=trap)})))
        self.assertIn("pickle", self.refused("model.joblib", gzip.compress(trap)))
        self.assertIn("pickle", self.refused("model.z", zlib.compress(trap)))
        self.assertIn("cannot be looked into", self.refused("model.zst", b"\x28\xb5\x2f\xfd" + trap))

    def test_an_array_of_pickled_objects_is_refused(self):
        header = b"{'descr': '|O', 'fortran_order': False, 'shape': (1,), }\n"
        self.refused("array.npy", b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + pickle.dumps([Trap()]))
        header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (1,), }\n"
        self.accepted("numbers.npy", b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + b"\0" * 4)

    def test_what_breaks_off_where_it_says_what_it_holds_is_refused_and_not_stumbled_over(self):
        for name, content in {"arrays.npy": b"\x93NUMPY\x01\x00v", "empty.npy": b"\x93NUMPY"}.items():
            with self.subTest(name):
                self.assertIn("cannot be read", self.refused(name, content))
        nested = b'{"a":' + b"[" * 200_000
        self.assertIn("not a whole", self.refused("model.safetensors", struct.pack("<Q", len(nested)) + nested))

    def test_safetensors_may_hold_nothing_but_what_its_header_describes(self):
        whole = safetensors(128)
        self.assertIn("whole", self.refused("model.safetensors", whole + pickle.dumps(Trap())))
        self.assertIn("whole", self.refused("model.safetensors", whole[:-1]))
        self.accepted("model.safetensors", whole)

    def test_safetensors_whose_length_looks_like_a_pickle_is_accepted(self):
        # 640 is 80 02 in little-endian: the mark of a pickle of protocol 2.
        self.accepted("model.safetensors", safetensors(640))

    def test_what_a_model_is_made_of_is_accepted(self):
        self.accepted("config.json", b'{"model_type": "llama"}')
        self.accepted("merges.txt", "#version: 0.2\nĠ t\nĠ a\nc os\nI n\n".encode())
        self.accepted("tokenizer.model", b"\n\x0e\n\x05<unk>\x15\0\0\0\0\x18\x02")
        self.accepted("README.md", b"cat\nI am a text.\nNothing of it is a pickle.\n")
        self.accepted("formula.txt", b"x^2 + 1 is a text that begins as zlib does, and PKCS as zip nearly does")
        self.accepted("standards.txt", b"PKCS and others")
        self.accepted("empty", b"")
        self.accepted("texts.zip", zipped(a=b"text", b=b"{}"))

    def test_a_link_out_of_the_folder_is_refused(self):
        (self.folder / "inside").mkdir()
        (self.folder / "secret").write_text("x")
        (self.folder / "inside" / "link").symlink_to("../secret")
        with self.assertRaises(UnsafeFile):
            refuse_unsafe_files(self.folder / "inside")


if __name__ == "__main__":
    unittest.main()
