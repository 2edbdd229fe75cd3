"""What every emulated service desk shares: an HTTPS server on a free port, a log of requests, faults on demand."""

import json
import re
import ssl
import subprocess
import threading
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class Answer(Exception):
    """An answer that ends the work on a request."""

    def __init__(self, status, body=None, headers=None, kind="application/json"):
        super().__init__(status)
        self.status, self.body, self.headers, self.kind = status, body, dict(headers or {}), kind

    def encoded(self):
        if self.body is None:
            return b""
        return self.body.encode() if isinstance(self.body, str) else json.dumps(self.body).encode()


class Fault:
    """What happens to requests whose "METHOD /path?query" matches, the first `times` of them after `skip`.

    kinds: slow (answers after `seconds`), answer (`answer` in the product's place), drop (the connection closes before
    the request is worked on), lose (it is worked on, and the connection closes without an answer), truncate (half of the
    answer comes), call (`before` is called with the emulator before the request is worked on).
    """

    def __init__(self, kind, match=".", times=1, skip=0, seconds=0.0, answer=None, before=None):
        self.kind, self.match, self.times, self.skip = kind, re.compile(match), times, skip
        self.seconds, self.answer, self.before = seconds, answer, before
        self.hits = 0

    def takes(self, line):
        if not self.match.search(line):
            return False
        if self.skip > 0:
            self.skip -= 1
            return False
        if self.hits >= self.times:
            return False
        self.hits += 1
        return True


class Request:
    def __init__(self, handler, body):
        self.method = handler.command
        url = urllib.parse.urlsplit(handler.path)
        self.path, self.raw_query = url.path, url.query
        self.query = {name: values[-1] for name, values in urllib.parse.parse_qs(url.query, keep_blank_values=True).items()}
        self.headers, self.body = handler.headers, body
        # one a connection: what a sign-in of a connection leaves there stays with it
        self.connection = handler

    @property
    def line(self):
        return f"{self.method} {self.path}?{urllib.parse.unquote_plus(self.raw_query)}"

    def json(self):
        if "application/json" not in (self.headers.get("Content-Type") or ""):
            raise Answer(415, {"error": {"message": "Unsupported Media Type"}})
        try:
            return json.loads(self.body)
        except ValueError:
            raise Answer(400, {"error": {"message": "the body is no JSON"}}) from None

    def form(self):
        if "application/x-www-form-urlencoded" not in (self.headers.get("Content-Type") or ""):
            raise Answer(415, {"error": "invalid_request"})
        return {name: values[-1] for name, values in urllib.parse.parse_qs(self.body.decode(), keep_blank_values=True).items()}


class Desk:
    """A product. `work` answers a request; it runs under one lock, as if in one transaction."""

    def __init__(self, folder, names=("127.0.0.1", "localhost"), port=0):
        self.folder = Path(folder)
        self.lock = threading.RLock()
        self.faults, self.requests = [], []
        certificate, key = self.folder / "desk.pem", self.folder / "desk.key"
        if not certificate.exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            alternative = ",".join(("IP:" if name[0].isdigit() else "DNS:") + name for name in names)
            subprocess.run(
                ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30",
                 "-keyout", key, "-out", certificate, "-subj", "/CN=desk", "-addext", f"subjectAltName={alternative}",
                 "-addext", "basicConstraints=critical,CA:false"], check=True, capture_output=True)
        self.authority = certificate.read_text()
        desk = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 30

            def log_message(self, *_):
                pass

            def handle_any(self):
                desk.serve(self)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 64

            def handle_error(self, *_):
                pass

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self.server = Server(("127.0.0.1", port), Handler)
        # the handshake belongs to the connection's own thread
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        self.port = self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self.thread.start()

    @property
    def url(self):
        return f"https://127.0.0.1:{self.port}"

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def fault(self, kind, match=".", **more):
        fault = Fault(kind, match, **more)
        with self.lock:
            self.faults.append(fault)
        return fault

    def seen(self, match):
        with self.lock:
            return [line for line in self.requests if re.search(match, line)]

    def serve(self, handler):
        length = int(handler.headers.get("Content-Length") or 0)
        request = Request(handler, handler.rfile.read(length))
        with self.lock:
            self.requests.append(request.line)
            faults = [fault for fault in self.faults if fault.takes(request.line)]
        for fault in faults:
            if fault.kind == "drop":
                handler.close_connection = True
                handler.connection.close()
                return
            if fault.kind == "call":
                fault.before(self)
            if fault.kind == "answer":
                self.send(handler, fault.answer)
                return
        with self.lock:
            try:
                answer = self.work(request)
            except Answer as early:
                answer = early
        for fault in faults:
            if fault.kind == "slow":
                time.sleep(fault.seconds)
            if fault.kind == "lose":
                handler.close_connection = True
                handler.connection.close()
                return
        self.send(handler, answer, truncated=any(fault.kind == "truncate" for fault in faults))

    @staticmethod
    def send(handler, answer, truncated=False):
        body = answer.encoded()
        handler.send_response(answer.status)
        handler.send_header("Content-Type", answer.kind)
        handler.send_header("Content-Length", str(len(body)))
        for name, value in answer.headers.items():
            handler.send_header(name, value)
        handler.end_headers()
        if truncated:
            handler.wfile.write(body[: len(body) // 2])
            handler.wfile.flush()
            handler.close_connection = True
            handler.connection.close()
            return
        handler.wfile.write(body)

    def work(self, request):
        raise NotImplementedError
