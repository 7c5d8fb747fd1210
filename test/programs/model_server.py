"""A small model server for tests: `model_server.py MODEL_FOLDER PORT`. Speaks /health, /v1/completions and /v1/chat/completions.

How it behaves stands in `behaviour.json` in the artifact, all of it optional:
  exitAtStart           ends at once with this exit code
  failPromptsLongerThan answers 500 to prompts of more characters, as a model does whose context is too small
  failEvery             answers 500 to every n-th request
  latencyMs             waits before every answer
  breakOffAfterChunks   breaks the connection off after so many chunks of a stream
Two more paths let a test decide when things happen: `POST /hold` makes requests wait, and `POST /release` lets them go on;
while it holds, a stream sends its first chunk and waits before the second.
Every answer tells what arrived: the version's name, the `model` field of the request, the number of the request.
Standard library only.
"""

import json
import os
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

folder, port = sys.argv[1], int(sys.argv[2])
with open(os.path.join(folder, "behaviour.json"), encoding="utf-8") as file:
    behaviour = json.load(file)
if "exitAtStart" in behaviour:
    print("this version does not start", flush=True)
    sys.exit(behaviour["exitAtStart"])

lock = threading.Lock()
served = 0
free = threading.Event()
free.set()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_):
        pass

    def answer(self, status, body, content_type="application/json"):
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", content_type)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self):
        if self.path == "/health":
            self.answer(200, {"status": "ok"})
        else:
            self.answer(404, {"error": "no such path"})

    def do_POST(self):
        global served
        body = self.rfile.read(int(self.headers.get("content-length", "0")))
        if self.path == "/hold":
            free.clear()
            return self.answer(200, {})
        if self.path == "/release":
            free.set()
            return self.answer(200, {})
        if self.path not in ("/v1/completions", "/v1/chat/completions"):
            return self.answer(404, {"error": "no such path"})
        with lock:
            served += 1
            number = served
        request = json.loads(body)
        prompt = request.get("prompt") or "".join(message["content"] for message in request.get("messages", []))
        time.sleep(behaviour.get("latencyMs", 0) / 1000)
        if request.get("stream"):
            return self.stream(prompt)
        free.wait(60)
        limit = behaviour.get("failPromptsLongerThan")
        if limit is not None and len(prompt) > limit:
            return self.answer(500, {"error": f"the prompt has {len(prompt)} characters, the context {limit}"})
        every = behaviour.get("failEvery")
        if every is not None and number % every == 0:
            return self.answer(500, {"error": "this version fails now and then"})
        told = {"name": behaviour.get("name"), "model": request.get("model"), "number": number}
        message = {"text": prompt, "message": {"role": "assistant", "content": prompt}}
        self.answer(200, {"object": "completion", "choices": [message], "told": told})

    def stream(self, prompt):
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        for index, word in enumerate([*prompt.split(), "[DONE]"]):
            if index == 1:
                free.wait(60)
            if index == behaviour.get("breakOffAfterChunks"):
                self.close_connection = True
                self.connection.close()
                return
            data = f"data: {word}\n\n".encode()
            self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
            self.wfile.flush()
        self.wfile.write(b"0\r\n\r\n")


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def handle_error(self, request, client_address):
        pass


Server(("127.0.0.1", port), Handler).serve_forever()
