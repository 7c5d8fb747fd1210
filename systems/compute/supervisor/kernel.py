"""What the kernel knows of processes, and what is asked of it."""

import os


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


def punch_hole(descriptor, start, length):
    """Gives the disk back what lies there, and leaves every other byte where it is."""
    import ctypes  # slow to load, and few logs are long

    fallocate = ctypes.CDLL(None, use_errno=True).fallocate
    fallocate.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)
    if fallocate(descriptor, 3, start, length) != 0:  # FALLOC_FL_PUNCH_HOLE and FALLOC_FL_KEEP_SIZE
        raise OSError(ctypes.get_errno(), "no hole could be made")
