"""Files and moments: JSON that is written whole or not at all, and paths that stay within a job's folder."""

import datetime
import json
import os

from refused import Refused


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
