"""The verb `submit`: joins the job, or starts it where the host has room."""

import os
import re
import shutil

from disk import checked_path, now, read_json, write_json
from job import finish, public
from keeper import detach, keep
from refused import Refused

# Shorter than what a verb gives, since the host's lock is held meanwhile.
SUPERSEDED_GRACE_S = 2.0


def check_submission(request):
    if request["kind"] not in ("batch", "service") or not isinstance(request["epoch"], int) or request["epoch"] < 1:
        raise Refused("InvalidInput", "A job has a kind, batch or service, and an epoch from 1.")
    if request["kind"] == "batch" and not request.get("timeLimitMs"):
        raise Refused("InvalidInput", "A batch job needs a time limit.")
    if not request["command"] or any("\0" in word for word in request["command"]):
        raise Refused("InvalidInput", "A job's command has at least a program, and no NUL.")
    for name, value in request["environment"].items():
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) or "\0" in value:
            raise Refused("InvalidInput", "%r cannot be an environment variable of a job." % name)
    for path in request["files"]:
        checked_path(path)


def submit(host, request):
    check_submission(request)
    lock = host.lock()
    try:
        return submit_locked(host, request, lock)
    finally:
        os.close(lock)


def submit_locked(host, request, lock):
    key, epoch, wants = request["key"], request["epoch"], request["wants"]
    path, memory = host.memory_of(key)
    if epoch < memory["epoch"]:
        raise Refused(
            "Conflict",
            "The host %s has seen epoch %d of the job %s already, and refuses epoch %d."
            % (host.name, memory["epoch"], key, epoch),
        )
    job = host.job(key, epoch)
    state = job.state()
    if state is not None:
        return dict(public(job, state), joined=True)
    if request["kind"] == "batch" and epoch <= memory["removed"]:
        raise Refused(
            "Conflict", "Epoch %d of the job %s was removed from the host %s: it stays so." % (epoch, key, host.name)
        )
    if wants["gpus"] > host.places["gpus"] or wants["memoryBytes"] > host.places["memoryBytes"]:
        raise Refused("NoCapacity", wish(host, wants) + "the host declares fewer places.", never=True)
    write_json(path, {"key": key, "epoch": epoch, "removed": memory["removed"]})
    for older, submission in list(host.running()):
        if submission["key"] == key and submission["epoch"] < epoch:
            try:
                finish(older, SUPERSEDED_GRACE_S)
            except Refused:
                # It keeps its places; the kernel ends it as soon as it wakes up, and its result does not count any more.
                pass
    gpus, memory_bytes = host.free()
    if wants["gpus"] > len(gpus) or wants["memoryBytes"] > memory_bytes:
        raise Refused(
            "NoCapacity",
            wish(host, wants) + "%d GPUs and %.1f GiB are free." % (len(gpus), memory_bytes / 2**30),
        )
    start(job, request, gpus[: wants["gpus"]], lock)
    return dict(public(job, job.state()), joined=False)


def wish(host, wants):
    return "The job wants %d GPUs and %.1f GiB on the host %s, but " % (
        wants["gpus"],
        wants["memoryBytes"] / 2**30,
        host.name,
    )


def start(job, request, gpus, lock):
    host = job.host
    # What is here was broken off before its program ran.
    shutil.rmtree(job.folder, ignore_errors=True)
    os.makedirs(job.work, mode=0o700)
    for path, text in request["files"].items():
        target = os.path.join(job.work, path)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        with open(target, "w", encoding="utf-8", newline="") as file:
            file.write(text)
    words = list(request["command"]) + list(request["environment"].values())
    port = host.free_port() if any("{port}" in word for word in words) else None
    values = {"{python}": host.python, "{dir}": job.work, "{host}": host.listen_on}
    if port is not None:
        values["{port}"] = str(port)

    def fill(word):
        return re.sub(r"\{(?:python|dir|port|host)\}", lambda match: values.get(match.group(), match.group()), word)

    environment = dict(os.environ)
    environment.update({name: fill(value) for name, value in request["environment"].items()})
    environment["PAWL_JOB"] = job.folder
    if host.places["gpus"] > 0:
        environment["CUDA_VISIBLE_DEVICES"] = ",".join(map(str, gpus))
    # The environment may hold secrets, so only its names are written down.
    record = {name: value for name, value in request.items() if name not in ("environment", "files", "host")}
    record.update(environmentNames=sorted(request["environment"]), gpuIndexes=gpus, submittedAt=now())
    if port is not None:
        address = "[%s]" % host.address if ":" in host.address else host.address
        record.update(port=port, url="http://%s:%d" % (address, port))
    write_json(job.file("job.json"), record)
    command = [fill(word) for word in request["command"]]
    detach(job, lambda ready: keep(job, command, environment, lock, ready))
    if read_json(job.file("pid.json")) is None:
        with open(job.file("keeper.log"), encoding="utf-8", errors="replace") as file:
            reason = file.read().strip().splitlines()[-1:]
        raise Refused("Internal", "The job did not start on the host %s: %s" % (host.name, "".join(reason)))
