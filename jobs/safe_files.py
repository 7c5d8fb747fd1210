"""Refuses files that can run code when a program loads them, by what is in them and not by their names.

Python's pickle, and everything that wraps one (torch.save, joblib, NumPy object arrays), runs whatever its author wrote
at the moment it is loaded. A model's folder is checked here before it is loaded and before it is shipped.
Standard library only: it runs on every training host.
"""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import pickletools
import re
import struct
import tarfile
import zipfile
import zlib
from pathlib import Path
from typing import BinaryIO

# Opcodes that import or call something; text that happens to parse as a pickle has none of them and no end.
_CALLING = frozenset({"GLOBAL", "INST", "STACK_GLOBAL", "REDUCE", "BUILD", "OBJ", "NEWOBJ", "NEWOBJ_EX", "EXT1", "EXT2", "EXT4"})
_DTYPE_BITS = {
    **{"F64": 64, "F32": 32, "F16": 16, "BF16": 16, "F8_E5M2": 8, "F8_E4M3": 8, "F8_E8M0": 8, "C64": 64},
    **{"I64": 64, "I32": 32, "I16": 16, "I8": 8, "U64": 64, "U32": 32, "U16": 16, "U8": 8, "BOOL": 8},
    **{"F8_E4M3FNUZ": 8, "F8_E5M2FNUZ": 8, "F6_E2M3": 6, "F6_E3M2": 6, "F4": 4},
}
_UNREADABLE = (
    *(OSError, EOFError, RuntimeError, ValueError, struct.error),
    *(zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError),
)
_HEADER_LIMIT = 100_000_000
_NESTING_LIMIT = 4


class UnsafeFile(Exception):
    """A file that could run code when it is loaded, or is not what its name says."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path} {reason}: give the weights as safetensors")
        self.path = path
        self.reason = reason


def refuse_unsafe_files(folder: str | Path) -> None:
    """Reads every file under `folder`; raises UnsafeFile, with the path below `folder`, for the first that is not safe."""
    root = Path(folder)
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root).as_posix()
        if path.is_symlink() and not path.resolve().is_relative_to(root.resolve()):
            raise UnsafeFile(name, "is a link that leaves the folder")
        if not path.is_file():
            continue
        with path.open("rb") as file:
            reason = why_unsafe(file, name)
        if reason is not None:
            raise UnsafeFile(name, reason)


def why_unsafe(file: BinaryIO, name: str = "", nesting: int = 0) -> str | None:
    """Why the content must not be loaded, as the end of a sentence that starts with the file's name; None: it may be."""
    if _is_safetensors(file):
        return None
    if name.lower().endswith(".safetensors"):
        return "is called safetensors but is a pickle" if _is_pickle(file) else "is not a whole safetensors file"
    if nesting > _NESTING_LIMIT:
        return "is an archive within archives, too deep to be looked into"
    if _is_pickle(file):
        return "is a pickle, which runs code when it is loaded"
    file.seek(0)
    head = file.read(600)
    if head.startswith((b"\x28\xb5\x2f\xfd", b"\x04\x22\x4d\x18")):
        return "is compressed in a way that cannot be looked into"
    try:
        if head.startswith(b"\x93NUMPY"):
            return "is a NumPy array of pickled objects" if _holds_objects(file) else None
        if head.startswith(b"PK\x03\x04") or zipfile.is_zipfile(file):
            return _why_unsafe_zip(file, nesting)
        if head[257:262] == b"ustar":
            return _why_unsafe_tar(file, nesting)
        unpacked = _unpacked(file, head)
        return None if unpacked is None else _prefixed("holds", why_unsafe(unpacked, "", nesting + 1))
    except _UNREADABLE:
        return "is an archive that cannot be read"


def _is_safetensors(file: BinaryIO) -> bool:
    """Whether the header describes every byte of the file, which leaves no room for anything else in it."""
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    first = file.read(8)
    if len(first) < 8:
        return False
    (header_size,) = struct.unpack("<Q", first)
    if not 2 <= header_size <= min(_HEADER_LIMIT, size - 8):
        return False
    raw = file.read(header_size)
    if not raw.startswith(b"{"):
        return False
    try:
        header = json.loads(raw)
        spans = []
        for name, tensor in header.items():
            if name == "__metadata__":
                continue
            bits = _DTYPE_BITS[tensor["dtype"]]
            for extent in tensor["shape"]:
                bits *= extent
            begin, end = tensor["data_offsets"]
            if (end - begin) * 8 != bits:
                return False
            spans.append((begin, end))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return False
    at = 0
    for begin, end in sorted(spans):
        if begin != at:
            return False
        at = end
    return at == size - 8 - header_size


def _is_pickle(file: BinaryIO) -> bool:
    file.seek(0)
    if re.match(rb"\x80[\x02-\x05]", file.read(2)):
        return True
    # Protocols 0 and 1 have no mark: walk the opcodes. Nearly everything else fails at the first or second of them.
    file.seek(0)
    calls = False
    try:
        for opcode, argument, _ in pickletools.genops(file):
            calls = calls or (opcode.name in _CALLING and _names_something(opcode.name, argument))
    except Exception:  # genops raises whatever its argument readers do
        return False
    return calls


def _names_something(opcode: str, argument: object) -> bool:
    return opcode not in {"GLOBAL", "INST"} or bool(re.fullmatch(r"[\w.]+ [\w.]+", str(argument)))


def _holds_objects(file: BinaryIO) -> bool:
    file.seek(6)
    (major, _minor) = file.read(2)
    size = struct.unpack("<H" if major == 1 else "<I", file.read(2 if major == 1 else 4))[0]
    return bool(re.search(rb"""['"][|<>=]?O\d*['"]""", file.read(size)))


def _why_unsafe_zip(file: BinaryIO, nesting: int) -> str | None:
    with zipfile.ZipFile(file) as archive:
        for entry in archive.infolist():
            if entry.is_dir():
                continue
            with archive.open(entry) as packed:
                reason = why_unsafe(packed, entry.filename, nesting + 1)
            if reason is not None:
                return f"holds {entry.filename}, which {reason}"
    return None


def _why_unsafe_tar(file: BinaryIO, nesting: int) -> str | None:
    file.seek(0)
    with tarfile.open(fileobj=file, mode="r:") as archive:
        for entry in archive:
            packed = archive.extractfile(entry) if entry.isfile() else None
            reason = None if packed is None else why_unsafe(packed, entry.name, nesting + 1)
            if reason is not None:
                return f"holds {entry.name}, which {reason}"
    return None


def _unpacked(file: BinaryIO, head: bytes) -> BinaryIO | None:
    """The content of a compressed file (joblib writes those); None where it is not compressed."""
    file.seek(0)
    if head.startswith(b"\x1f\x8b"):
        return gzip.GzipFile(fileobj=file)  # type: ignore[return-value]
    if head.startswith(b"BZh"):
        return bz2.BZ2File(file)  # type: ignore[return-value]
    if head.startswith((b"\xfd7zXZ\x00", b"\x5d\x00\x00")):
        return lzma.LZMAFile(file)  # type: ignore[return-value]
    if head[:1] == b"\x78" and len(head) > 1 and int.from_bytes(head[:2], "big") % 31 == 0:
        try:
            start = zlib.decompressobj().decompress(head, 64)
        except zlib.error:  # zlib's mark is two bytes that a text may begin with: `x^2`
            return None
        return io.BytesIO(start) if re.match(rb"\x80[\x02-\x05]", start) else None
    return None


def _prefixed(verb: str, reason: str | None) -> str | None:
    return None if reason is None else f"{verb} something that {reason}"
