"""What a host can be asked, beside `submit`."""

import os
import shutil
import stat
import time

from disk import checked_path, write_json
from job import finish, public
from job_log import Log
from keeper import DEFAULT_GRACE_S, adopt
from refused import Refused
from submit import submit

MAX_READ_BYTES = 1 << 20
KEY_MEMORY_S = 90 * 24 * 3600


def settled_state(job):
    """A start under way holds the lock: what looks never started may be starting right now."""
    state = job.state()
    if state is None and os.path.isdir(job.folder):
        os.close(job.host.lock())
        state = job.state()
    if state is not None and state.get("unkept"):
        adopt(job)
        state = job.state()
    return state


def tell_state(host, request):
    job = host.job(request["key"], request["epoch"])
    return public(job, settled_state(job))


def tell_log(host, request):
    job = host.job(request["key"], request["epoch"])
    try:
        return Log(job).read(request["offset"], min(request["maxBytes"], MAX_READ_BYTES))
    except FileNotFoundError:
        return {"text": "", "nextOffset": max(0, request["offset"])}


def tell_file(host, request):
    job = host.job(request["key"], request["epoch"])
    path = os.path.join(job.work, checked_path(request["path"]))
    real = os.path.realpath(path)
    if not real.startswith(os.path.realpath(job.work) + os.sep):
        raise Refused("InvalidInput", "%r leads out of the job's folder." % request["path"])
    try:
        found = os.stat(real)
    except (FileNotFoundError, NotADirectoryError):
        return {"text": None}
    if not stat.S_ISREG(found.st_mode) or found.st_size > MAX_READ_BYTES:
        raise Refused("InvalidInput", "%r is no file of at most %d bytes." % (request["path"], MAX_READ_BYTES))
    with open(real, encoding="utf-8", errors="replace", newline="") as file:
        return {"text": file.read()}


def end(host, request):
    finish(host.job(request["key"], request["epoch"]), request.get("graceMs", DEFAULT_GRACE_S * 1000) / 1000)
    return {}


def remove(host, request):
    job = host.job(request["key"], request["epoch"])
    lock = host.lock()
    try:
        path, memory = host.memory_of(request["key"])
        # Written first, so that a submission which is still on its way finds it.
        memory.update(epoch=max(memory["epoch"], request["epoch"]), removed=max(memory["removed"], request["epoch"]))
        write_json(path, memory)
    finally:
        os.close(lock)
    finish(job, request.get("graceMs", DEFAULT_GRACE_S * 1000) / 1000)
    shutil.rmtree(job.folder, ignore_errors=True)
    return {}


def list_jobs(host, request):
    found = []
    for job in host.jobs():
        state, submission = settled_state(job), job.submission
        if state is not None and submission is not None:
            listed = {name: submission[name] for name in ("key", "epoch", "kind")}
            found.append(dict(listed, **public(job, state)))
    forget_old_keys(host)
    return {"jobs": found}


def forget_old_keys(host):
    present = {job.id.rpartition("-")[0] for job in host.jobs()}
    folder = os.path.join(host.root, "keys")
    for name in os.listdir(folder):
        path = os.path.join(folder, name)
        if name[:-5] not in present and time.time() - os.path.getmtime(path) > KEY_MEMORY_S:
            os.unlink(path)


def tell_capacity(host, request):
    gpus, memory = host.free()
    return {"declared": host.places, "free": {"gpus": len(gpus), "memoryBytes": memory}}


VERBS = {
    "submit": submit,
    "state": tell_state,
    "log": tell_log,
    "read-file": tell_file,
    "end": end,
    "remove": remove,
    "list": list_jobs,
    "capacity": tell_capacity,
}
