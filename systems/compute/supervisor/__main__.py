"""What Pawl places on a host to run jobs there: starts them detached, keeps them to their time limit, and tells of them.

Called as `python3 supervisor VERB` with one JSON object on standard input; answers one JSON object on standard output.
Python 3.8 or later on Linux, standard library only. Everything that it knows lies under the host's root folder:

  lock                 held while places are counted, and while a job is started or removed
  keys/<id>.json       the newest epoch seen of a key, and the newest one removed
  jobs/<id>-<epoch>/   job.json   what was submitted (names of its environment variables, never their values)
                       pid.json   process, its start time and the boot it belongs to
                       log        standard output and error
                       log-gap.json  what was left out of a long log
                       exit.json  how it ended; written once, at the end
                       work/      the job's own folder: `{dir}`

Hosts that are reached over SSH are sent all of these files as one: a module is imported by its bare name.
"""

import json
import os
import sys

from host import Host
from refused import EXIT_CODES, Refused
from verbs import VERBS


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
