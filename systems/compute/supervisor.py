#!/usr/bin/env python3
"""What Pawl places on a host to run jobs there: starts them detached, keeps them to their time limit, and tells of them.

Called as `python3 supervisor.py VERB` with one JSON object on standard input; answers one JSON object on standard output.
Python 3.8 or later on Linux, standard library only. Everything that it knows lies under the host's root folder:

  lock                 held while places are counted, and while a job is started or removed
  keys/<id>.json       the newest epoch seen of a key, and the newest one removed
  jobs/<id>-<epoch>/   job.json   what was submitted (names of its environment variables, never their values)
                       pid.json   process, its start time and the boot it belongs to
                       log        standard output and error
                       log-gap.json  what was left out of a long log
                       exit.json  how it ended; written once, at the end
                       work/      the job's own folder: `{dir}`
"""

import codecs
import datetime
import errno
import fcntl
import hashlib
import json
import os
import re
import shutil
import signal
import stat
import sys
import time

EXIT_CODES = {"InvalidInput": 65, "NoCapacity": 69, "Conflict": 73, "NotFound": 66, "Internal": 70, "Unavailable": 75}
DEFAULT_GRACE_S = 10.0
# Shorter, since the host's lock is held meanwhile.
SUPERSEDED_GRACE_S = 2.0
# A process in an uninterruptible sleep takes longer, or for ever.
KILLED_WITHIN_S = 10.0
MAX_READ_BYTES = 1 << 20
KEY_MEMORY_S = 90 * 24 * 3600
# A log that grew past the first figure is cut down to the other two.
LOG_KEPT_BYTES = 64 << 20
LOG_FIRST_BYTES = 8 << 20
LOG_NEWEST_BYTES = 32 << 20
LOG_CHECK_S = 5.0


class Refused(Exception):
    def __init__(self, kind, message, **details):
        super().__init__(message)
        self.kind = kind
        self.details = details


# ---------------------------------------------------------------- files


def read_json(path):
    try:
        with open(path, "rb") as file:
            return json.loads(file.read())
    except FileNotFoundError:
        return None


def write_json(path, value):
    """Whole or not at all, also when the power fails."""
    temporary = "%s.%d.tmp" % (path, os.getpid())
    with open(temporary, "w", encoding="utf-8") as file:
        json.dump(value, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)


def now():
    return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def seconds_since(moment):
    then = datetime.datetime.fromisoformat(moment.replace("Z", "+00:00"))
    return (datetime.datetime.now(datetime.timezone.utc) - then).total_seconds()


def checked_path(path):
    parts = path.split("/") if isinstance(path, str) else []
    if not parts or any(part in ("", ".", "..") for part in parts) or "\0" in path or "\\" in path:
        raise Refused("InvalidInput", "%r is no path within a job's folder: write a relative one without '..'." % (path,))
    return path


# ---------------------------------------------------------------- processes


class Process:
    """One line of /proc, read at once."""

    def __init__(self, pid):
        self.pid = pid
        with open("/proc/%d/stat" % pid, "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
        self.status = fields[0].decode()
        self.parent, self.group, self.session = int(fields[1]), int(fields[2]), int(fields[3])
        self.start_time = int(fields[19])


def process(pid):
    try:
        found = Process(pid)
    except (OSError, IndexError, ValueError):
        return None
    return None if found.status in "ZX" else found


def is_alive(pid, start_time):
    """The very process that was started, not a later one with its number."""
    found = process(pid)
    return found is not None and found.start_time == start_time


def processes():
    found = (process(int(name)) for name in os.listdir("/proc") if name.isdigit())
    return [one for one in found if one is not None]


def has_marker(pid, marker):
    try:
        with open("/proc/%d/environ" % pid, "rb") as file:
            return marker in file.read().split(b"\0")
    except OSError:
        return False


def send(pid, number):
    try:
        os.kill(pid, number)
    except (ProcessLookupError, PermissionError):
        pass


class Job:
    def __init__(self, host, job_id):
        self.host = host
        self.id = job_id
        self.folder = os.path.join(host.root, "jobs", job_id)
        self.work = os.path.join(self.folder, "work")

    def file(self, name):
        return os.path.join(self.folder, name)

    @property
    def submission(self):
        return read_json(self.file("job.json"))

    @property
    def marker(self):
        return b"PAWL_JOB=" + os.fsencode(self.folder)

    def members(self):
        """Every process of the job: its group and session, its descendants, and whoever carries its marker."""
        record = read_json(self.file("pid.json")) or {}
        everyone = processes()
        by_pid = {one.pid: one for one in everyone}
        main = by_pid.get(record.get("pid"))
        # Where the number belongs to somebody else by now, so may the group of that number.
        group = record.get("pid") if main is None or main.start_time == record.get("startTime") else None
        roots = {record.get("pid")} if group is not None else set()
        keeper = by_pid.get(record.get("keeperPid"))
        if keeper is not None and keeper.start_time == record.get("keeperStartTime") and not record.get("adopted"):
            roots.add(keeper.pid)

        def descends(one):
            seen = set()
            while one is not None and one.pid not in seen:
                seen.add(one.pid)
                if one.parent in roots:
                    return True
                one = by_pid.get(one.parent)
            return False

        spared = {os.getpid(), record.get("keeperPid")}
        return [
            one
            for one in everyone
            if one.pid not in spared
            and ((group is not None and group in (one.group, one.session)) or descends(one) or has_marker(one.pid, self.marker))
        ]

    def terminate(self, grace_s):
        """SIGTERM to the program's group, SIGKILL to all that is left after the grace time; answers who lives even so."""
        group = (read_json(self.file("pid.json")) or {}).get("pid")
        members = self.members()
        asked = set()
        until = time.monotonic() + grace_s
        while grace_s > 0 and members and time.monotonic() < until:
            # Who left the group is the program's to end; only when the program is gone is it asked itself.
            for one in [one for one in members if one.group == group] or members:
                if one.pid not in asked:
                    asked.add(one.pid)
                    send(one.pid, signal.SIGTERM)
            for one in members:
                if one.status == "T":
                    send(one.pid, signal.SIGCONT)
            time.sleep(0.05)
            members = self.members()
        until = time.monotonic() + KILLED_WITHIN_S
        while members and time.monotonic() < until:
            for one in members:
                send(one.pid, signal.SIGKILL)
            time.sleep(0.02)
            members = self.members()
        return members

    def clear(self):
        """Returns once nothing of the job is left, however long that takes: its places are taken until then."""
        while self.terminate(0):
            time.sleep(1)

    def write_exit(self, exit_code, timed_out):
        record = read_json(self.file("pid.json"))
        write_json(
            self.file("exit.json"),
            {"exitCode": exit_code, "timedOut": timed_out, "startedAt": record["startedAt"], "endedAt": now()},
        )

    def state(self):
        """None: never seen, or its start was broken off before the program ran."""
        submission = self.submission
        if submission is None:
            return None
        ended = read_json(self.file("exit.json"))
        if ended is not None:
            return dict(ended, phase="exited")
        record = read_json(self.file("pid.json"))
        if record is None:
            return None
        if record["bootId"] != self.host.boot_id:
            return {"phase": "lost", "gone": True, "reason": "the host was restarted while the job ran"}
        main = is_alive(record["pid"], record["startTime"])
        keeper = is_alive(record["keeperPid"], record["keeperStartTime"])
        if not main and not keeper:
            ended = read_json(self.file("exit.json"))
            if ended is not None:
                return dict(ended, phase="exited")
            if not self.terminate(0):
                reason = "the program and its supervisor are gone and left no exit code"
                return {"phase": "lost", "gone": True, "reason": reason}
        running = {"phase": "running", "startedAt": record["startedAt"], "unkept": main and not keeper}
        if submission.get("url"):
            running["url"] = submission["url"]
        return running


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
                    punch_hole(file.fileno(), LOG_FIRST_BYTES, to - shift - LOG_FIRST_BYTES)
            except OSError as error:
                if error.errno not in (errno.EOPNOTSUPP, errno.ENOSYS):
                    raise
                # Here only the end of a file can be given back; the program appends from there on.
                try:
                    write_json(self.gap_path, {"from": LOG_FIRST_BYTES, "to": end, "shift": end - LOG_FIRST_BYTES})
                finally:
                    file.truncate(LOG_FIRST_BYTES)

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


def punch_hole(descriptor, start, length):
    """Gives the disk back what lies there, and leaves every other byte where it is."""
    import ctypes  # slow to load, and few logs are long

    fallocate = ctypes.CDLL(None, use_errno=True).fallocate
    fallocate.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)
    if fallocate(descriptor, 3, start, length) != 0:  # FALLOC_FL_PUNCH_HOLE and FALLOC_FL_KEEP_SIZE
        raise OSError(ctypes.get_errno(), "no hole could be made")


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


# ---------------------------------------------------------------- the keeper: one small process beside each program


class ChildWatch:
    """Wakes up when a child ends, and collects all that have; orphans of the program become children too."""

    def __init__(self):
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD])
        import ctypes  # slow to load, and most calls start nothing

        try:
            ctypes.CDLL(None, use_errno=True).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER
        except (OSError, AttributeError):
            pass

    def wait(self, timeout_s):
        signal.sigtimedwait([signal.SIGCHLD], max(0.0, timeout_s))

    def collect(self):
        ended = {}
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return ended
            if pid == 0:
                return ended
            ended[pid] = -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)


def detach(job, main):
    """Runs `main(ready)` in a process that nobody waits for; returns once it has closed `ready` or ended."""
    read_end, write_end = os.pipe()
    middle = os.fork()
    if middle == 0:
        try:
            os.close(read_end)
            os.setsid()
            if os.fork() != 0:
                os._exit(0)
            os.chdir("/")
            quiet = os.open(os.devnull, os.O_RDWR)
            noise = os.open(job.file("keeper.log"), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            for descriptor, target in ((quiet, 0), (quiet, 1), (noise, 2)):
                os.dup2(descriptor, target)
            main(write_end)
            os._exit(0)
        except BaseException:  # noqa: B902 - nothing may get back into the verb's own code
            sys.excepthook(*sys.exc_info())
            os._exit(70)
    os.close(write_end)
    os.waitpid(middle, 0)
    while os.read(read_end, 4096):
        pass
    os.close(read_end)


def keep(job, command, environment, lock, ready):
    watch = ChildWatch()
    limit_ms = job.submission.get("timeLimitMs")
    output = os.open(job.file("log"), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    gate_read, gate_write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setsid()
            os.close(gate_write)
            # Nothing runs before its number is written down: a keeper that dies here takes the program with it.
            if os.read(gate_read, 1) != b"1":
                os._exit(126)
            os.dup2(output, 1)
            os.dup2(output, 2)
            os.chdir(job.work)
            signal.pthread_sigmask(signal.SIG_SETMASK, [])
            for number in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, signal.SIG_DFL)
            os.execvpe(command[0], command, environment)
        except OSError as error:
            os.write(2, ("The program %r did not start: %s\n" % (command[0], error.strerror)).encode())
        finally:
            os._exit(127)
    os.close(gate_read)
    me = Process(os.getpid())
    write_json(
        job.file("pid.json"),
        {
            "pid": child,
            "startTime": Process(child).start_time,
            "bootId": job.host.boot_id,
            "keeperPid": me.pid,
            "keeperStartTime": me.start_time,
            "startedAt": now(),
        },
    )
    os.write(gate_write, b"1")
    for descriptor in (gate_write, output, lock, ready):
        os.close(descriptor)

    log = Log(job)
    deadline = None if limit_ms is None else time.monotonic() + limit_ms / 1000
    status, timed_out = None, False
    while status is None:
        status = watch.collect().get(child)
        if status is None and deadline is not None and time.monotonic() >= deadline:
            timed_out = True
            job.terminate(DEFAULT_GRACE_S)
            status = watch.collect().get(child, -signal.SIGKILL)
        if status is None:
            log.bound()
            watch.wait(LOG_CHECK_S if deadline is None else min(LOG_CHECK_S, deadline - time.monotonic()))
    job.clear()
    exit_code = 124 if timed_out else (128 - status if status < 0 else status)
    persist(lambda: job.write_exit(exit_code, timed_out))


def persist(write):
    """A full disk must not turn an end into a loss."""
    for _ in range(600):
        try:
            return write()
        except OSError as error:
            if error.errno == errno.ENOENT:
                return None
            time.sleep(1)
    return None


def adopt(job):
    """Takes the place of a keeper that was killed: the program is no child any more, so only its limit can be kept."""
    lock = job.host.lock()
    try:
        state = job.state()
        if state is None or not state.get("unkept"):
            return
        detach(job, lambda ready: keep_adopted(job, lock, ready))
    finally:
        os.close(lock)


def keep_adopted(job, lock, ready):
    record, me = read_json(job.file("pid.json")), Process(os.getpid())
    write_json(
        job.file("pid.json"), dict(record, keeperPid=me.pid, keeperStartTime=me.start_time, adopted=True)
    )
    limit_ms = job.submission.get("timeLimitMs")
    left_s = None if limit_ms is None else limit_ms / 1000 - seconds_since(record["startedAt"])
    deadline = None if left_s is None else time.monotonic() + left_s
    os.close(lock)
    os.close(ready)
    log = Log(job)
    while is_alive(record["pid"], record["startTime"]):
        if deadline is not None and time.monotonic() >= deadline:
            job.terminate(DEFAULT_GRACE_S)
            job.clear()
            persist(lambda: job.write_exit(124, True))
            return
        log.bound()
        time.sleep(0.5)


# ---------------------------------------------------------------- verbs


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


def finish(job, grace_s):
    """Ends a job that runs, and sees to it that its end is on record; refused where it lives even so."""
    state = job.state()
    if state is None or state["phase"] != "running":
        return
    left = job.terminate(grace_s)
    if left:
        message = "The job %s does not end, though it was killed: its processes %s still hang in the kernel. Restart the host."
        raise Refused("Unavailable", message % (job.submission["key"], ", ".join(str(one.pid) for one in left)))
    until = time.monotonic() + 10
    while time.monotonic() < until and read_json(job.file("exit.json")) is None:
        record = read_json(job.file("pid.json"))
        if record.get("adopted") or not is_alive(record["keeperPid"], record["keeperStartTime"]):
            if read_json(job.file("exit.json")) is None:
                job.write_exit(128 + signal.SIGKILL, False)
        time.sleep(0.02)


def public(job, state):
    if state is None:
        return {"state": None}
    shown = {name: value for name, value in state.items() if name != "unkept"}
    return {"state": dict(shown, host=job.host.name)}


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


def main():
    os.umask(0o077)
    try:
        verb = VERBS.get(sys.argv[1] if len(sys.argv) > 1 else "")
        if verb is None:
            raise Refused("InvalidInput", "Say one of: %s." % ", ".join(sorted(VERBS)))
        if not os.path.isdir("/proc/self"):
            raise Refused("InvalidInput", "Jobs run on Linux hosts only: this one has no /proc.")
        request = json.loads(sys.stdin.buffer.read())
        answer, code = dict(verb(Host(request["host"]), request), ok=True), 0
    except Refused as refused:
        answer = {"ok": False, "error": refused.kind, "message": str(refused), "details": refused.details}
        code = EXIT_CODES[refused.kind]
    except Exception as error:  # noqa: B902 - whatever it was, the caller reads one JSON object
        message = "%s: %s" % (type(error).__name__, error)
        answer, code = {"ok": False, "error": "Internal", "message": message, "details": {}}, EXIT_CODES["Internal"]
    sys.stdout.write(json.dumps(answer))
    sys.stdout.flush()
    os._exit(code)


if __name__ == "__main__":
    main()
