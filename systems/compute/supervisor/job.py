"""One job of a host: its files, its processes, how it stands, and how it is ended."""

import os
import signal
import time

import kernel
from disk import now, read_json, write_json
from kernel import has_marker, is_alive, processes
from refused import Refused

# A process in an uninterruptible sleep takes longer, or for ever.
KILLED_WITHIN_S = 10.0


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
                    kernel.send(one.pid, signal.SIGTERM)
            for one in members:
                if one.status == "T":
                    kernel.send(one.pid, signal.SIGCONT)
            time.sleep(0.05)
            members = self.members()
        until = time.monotonic() + KILLED_WITHIN_S
        while members and time.monotonic() < until:
            for one in members:
                kernel.send(one.pid, signal.SIGKILL)
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
