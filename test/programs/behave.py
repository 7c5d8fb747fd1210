"""A program that behaves as its arguments say, for tests of compute systems."""

import json
import os
import signal
import subprocess
import sys
import time

verb, *rest = sys.argv[1:]
if verb == "exit":
    sys.exit(int(rest[0]))
elif verb == "signal":
    os.kill(os.getpid(), int(rest[0]))
elif verb == "print":
    sys.stdout.write(rest[0])
    sys.stderr.write("to standard error\n")
elif verb == "tell":
    # What arrived, word for word.
    with open("told.json", "w") as file:
        json.dump({"arguments": rest, "environment": dict(os.environ), "folder": os.getcwd()}, file)
elif verb == "wait":
    print("waiting", flush=True)
    time.sleep(600)
elif verb == "stubborn":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    print("waiting", flush=True)
    time.sleep(600)
elif verb == "family":
    # A child in the group, and a grandchild that left it for a session of its own; then all of them stand still.
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    stray = subprocess.Popen(["setsid", sys.executable, "-c", "import time; time.sleep(600)"])
    time.sleep(0.3)
    with open("pids.json", "w") as file:
        json.dump([os.getpid(), child.pid, stray.pid], file)
    if rest == ["frozen"]:
        os.kill(child.pid, signal.SIGSTOP)
        os.kill(stray.pid, signal.SIGSTOP)
        os.kill(os.getpid(), signal.SIGSTOP)
    time.sleep(600)
elif verb == "serve":
    from http.server import BaseHTTPRequestHandler, HTTPServer

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"served")

        def log_message(self, *_):
            pass

    HTTPServer((rest[0], int(rest[1])), Handler).serve_forever()
