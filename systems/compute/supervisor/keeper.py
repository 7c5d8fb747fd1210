"""The keeper: one small process beside each program, which bounds its time and its log and writes down how it ended."""

import errno
import os
import signal
import sys
import time

from disk import now, read_json, seconds_since, write_json
from job_log import Log
from kernel import Process, is_alive

DEFAULT_GRACE_S = 10.0
LOG_CHECK_S = 5.0


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
