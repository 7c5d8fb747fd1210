"""The log of a job: read while the program writes it, and cut in the middle where it grows too long."""

import codecs
import errno
import os

import kernel
from disk import read_json, write_json

# A log that grew past the first figure is cut down to the other two.
LOG_KEPT_BYTES = 64 << 20
LOG_FIRST_BYTES = 8 << 20
LOG_NEWEST_BYTES = 32 << 20


class Log:
    """What a program writes; of a long log its beginning and its end. Offsets count every byte that was ever written.

    The program appends to the file itself, so it never waits for its keeper and never ends with it: the middle is taken out
    under its hands. `gap` says what is left out, and by how much later bytes lie before their offset in the file.
    """

    def __init__(self, job):
        self.path, self.gap_path = job.file("log"), job.file("log-gap.json")

    def gap(self):
        return read_json(self.gap_path) or {"from": 0, "to": 0, "shift": 0}

    def bound(self):
        """Never throws: what fails is tried again at the next look."""
        try:
            gap = self.gap()
            end = os.stat(self.path).st_size + gap["shift"]
            if end - (gap["to"] - gap["from"]) > LOG_KEPT_BYTES:
                self.cut(end, gap["shift"])
        except OSError:
            pass

    def cut(self, end, shift):
        # Whole blocks of the file system: of others a hole frees nothing.
        block = 64 << 10
        to = (end - shift - LOG_NEWEST_BYTES) // block * block + shift
        with open(self.path, "r+b") as file:
            try:
                try:
                    # Noted first, so that nobody reads the hole as if somebody had written it.
                    write_json(self.gap_path, {"from": LOG_FIRST_BYTES, "to": to, "shift": shift})
                finally:
                    # A disk too full for the note is all the more reason.
                    kernel.punch_hole(file.fileno(), LOG_FIRST_BYTES, to - shift - LOG_FIRST_BYTES)
            except OSError as error:
                if error.errno not in (errno.EOPNOTSUPP, errno.ENOSYS):
                    raise
                # Here only the end of a file can be given back; the program appends from there on.
                try:
                    self.note_cut(end)
                finally:
                    last = os.fstat(file.fileno()).st_size + shift
                    file.truncate(LOG_FIRST_BYTES)
                # What was written while the note was counts, too; only what comes between these two calls does not.
                if last != end:
                    self.note_cut(last)

    def note_cut(self, end):
        write_json(self.gap_path, {"from": LOG_FIRST_BYTES, "to": end, "shift": end - LOG_FIRST_BYTES})

    def read(self, offset, max_bytes):
        gap = None
        # Anew where it was cut meanwhile.
        while gap != self.gap():
            gap = self.gap()
            with open(self.path, "rb") as file:
                end = file.seek(0, os.SEEK_END) + gap["shift"]
                start = max(0, end + offset) if offset < 0 else offset
                left_out = gap["to"] - start if gap["from"] <= start else 0
                if left_out > 0:
                    start = gap["to"]
                before = start < gap["from"]
                file.seek(start if before else start - gap["shift"])
                chunk = file.read(min(max_bytes, gap["from"] - start) if before else max_bytes)
        skipped = 0
        while (offset < 0 or left_out > 0) and skipped < min(4, len(chunk)) and chunk[skipped] & 0xC0 == 0x80:
            skipped += 1
        # A character that is only half written yet belongs to the next read; one that was cut in two stays so.
        read_to = start + len(chunk)
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        text = decoder.decode(chunk[skipped:], final=before and read_to == gap["from"])
        if left_out > 0:
            said = "\n[Here %d bytes of the log were left out: of a long one its beginning and its end are kept.]\n"
            text = said % left_out + text
        return {"text": text, "nextOffset": read_to - len(decoder.getstate()[0])}
