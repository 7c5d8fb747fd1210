"""A host: its places, the jobs that take them, and the lock that is held while they are counted."""

import fcntl
import hashlib
import os
import re
import sys

from disk import read_json
from job import Job
from refused import Refused


class Host:
    def __init__(self, settings):
        self.root = os.path.abspath(settings["root"])
        self.name = settings["name"]
        self.python = settings.get("python") or sys.executable
        self.places = settings["places"]
        self.listen_on = settings.get("listenOn", "127.0.0.1")
        self.address = settings.get("address", "127.0.0.1")
        with open(settings.get("bootIdFile", "/proc/sys/kernel/random/boot_id"), encoding="ascii") as file:
            self.boot_id = file.read().strip()
        for folder in ("", "jobs", "keys"):
            os.makedirs(os.path.join(self.root, folder), mode=0o700, exist_ok=True)

    def lock(self):
        descriptor = os.open(os.path.join(self.root, "lock"), os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        return descriptor

    def job(self, key, epoch):
        return Job(self, "%s-%d" % (key_id(key), epoch))

    def jobs(self):
        names = sorted(os.listdir(os.path.join(self.root, "jobs")))
        return [Job(self, name) for name in names if re.fullmatch(r"[0-9a-f]{32}-[0-9]+", name)]

    def running(self):
        for job in self.jobs():
            state, submission = job.state(), job.submission
            if state is not None and state["phase"] == "running" and submission is not None:
                yield job, submission

    def free(self):
        gpus, memory = set(range(self.places["gpus"])), self.places["memoryBytes"]
        for _, submission in self.running():
            gpus -= set(submission["gpuIndexes"])
            memory -= submission["wants"]["memoryBytes"]
        return sorted(gpus), max(0, memory)

    def memory_of(self, key):
        path = os.path.join(self.root, "keys", key_id(key) + ".json")
        return path, read_json(path) or {"key": key, "epoch": 0, "removed": 0}

    def free_port(self):
        import socket

        taken = {submission.get("port") for _, submission in self.running()}
        for _ in range(100):
            family = socket.AF_INET6 if ":" in self.listen_on else socket.AF_INET
            with socket.socket(family, socket.SOCK_STREAM) as probe:
                probe.bind((self.listen_on, 0))
                port = probe.getsockname()[1]
            if port not in taken:
                return port
        raise Refused("NoCapacity", "The host %s has no free port on %s." % (self.name, self.listen_on))


def key_id(key):
    return hashlib.sha256(key.encode("utf-8")).hexdigest()[:32]
