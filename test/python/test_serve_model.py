"""What servers on one host do to the cache that they share."""

import json
import os
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

JOBS = Path(__file__).resolve().parents[2] / "jobs"
sys.path.insert(0, str(JOBS))

from serve_model import ABANDONED_AFTER_S, is_whole, make_room, put_in_place  # noqa: E402

DIGEST = "ab" * 32
# A server: waits until all are ready, puts its own copy in place, and says which folder it would have served from.
SERVER = f"""
import sys
from pathlib import Path
sys.path.insert(0, {str(JOBS)!r})
from serve_model import put_in_place
partial, folder = map(Path, sys.argv[1:])
print("ready", flush=True)
sys.stdin.readline()
put_in_place(partial, folder)
print(folder.stat().st_ino, flush=True)
"""


class Cache(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.cache = Path(temporary.name)
        self.folder = self.cache / DIGEST

    def partial(self, name: str) -> Path:
        folder = self.cache / f"{DIGEST}.part-{name}"
        folder.mkdir()
        (folder / "weights").write_text("weights", encoding="utf-8")
        index = {"files": [{"path": "weights", "sizeBytes": 7}]}
        (folder / "artifact.json").write_text(json.dumps(index), encoding="utf-8")
        return folder

    def test_servers_that_bring_one_artifact_at_once_all_serve_the_same_folder(self):
        servers = []
        for name in "abcd":
            command = [sys.executable, "-B", "-c", SERVER, str(self.partial(name)), str(self.folder)]
            servers.append(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
        for server in servers:
            self.assertEqual(server.stdout.readline(), "ready\n")
        for server in servers:
            server.stdin.write("\n")
            server.stdin.flush()
        served = {server.communicate()[0].strip() for server in servers}
        self.assertEqual([server.returncode for server in servers], [0] * 4)
        self.assertEqual(served, {str(self.folder.stat().st_ino)})

    def test_a_folder_that_is_no_longer_whole_is_replaced(self):
        put_in_place(self.partial("a"), self.folder)
        (self.folder / "weights").write_text("cut", encoding="utf-8")
        put_in_place(self.partial("b"), self.folder)
        self.assertTrue(is_whole(self.folder))

    def test_a_folder_that_is_gone_by_the_time_it_is_looked_at_is_passed_over(self):
        # A link to nothing is listed, and is not there: so is what another server renames in between.
        for name in (f"{DIGEST}.part-gone", "cd" * 32):
            (self.cache / name).symlink_to(self.cache / "nowhere")
        make_room(self.cache, keep=DIGEST)

    def test_what_a_server_abandoned_is_cleared_away(self):
        old, new = self.partial("old"), self.partial("new")
        long_ago = time.time() - ABANDONED_AFTER_S - 60
        os.utime(old, (long_ago, long_ago))
        make_room(self.cache, keep=DIGEST)
        self.assertEqual([old.exists(), new.exists()], [False, True])


if __name__ == "__main__":
    unittest.main()
