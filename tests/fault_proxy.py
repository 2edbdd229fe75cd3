"""An HTTP(S) proxy between the server and a product that does to requests what bad networks do: drops them before or after
the product has seen them, is late, sends them twice, cuts answers off, and holds a request at a step until a test goes on.
"""

import http.client
import random
import re
import ssl
import threading
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

# what a fault does; `hold` waits for `release`, before the product sees the request or before the answer is passed on
KINDS = ("drop_before", "drop_after", "delay", "duplicate", "truncate", "hold_before", "hold_after")
BY_HOP = {"connection", "keep-alive", "transfer-encoding", "te", "upgrade", "proxy-connection", "host", "content-length", "expect"}


class Fault:
    """What happens to the first `times` requests whose "METHOD /path?query" matches, after `skip` others that do; what is
    given as `body` the request's body has to have."""

    def __init__(self, kind, match=".", times=1, skip=0, seconds=0.0, body=()):
        assert kind in KINDS, kind
        self.kind, self.match, self.times, self.skip, self.seconds = kind, re.compile(match), times, skip, seconds
        self.body = tuple(part.encode() for part in ([body] if isinstance(body, str) else body))
        self.hits = 0
        # for holds: a request is at the step, and may go on
        self.reached, self.go_on = threading.Event(), threading.Event()

    def takes(self, line, body):
        if not self.match.search(line) or not all(part in body for part in self.body):
            return False
        if self.skip > 0:
            self.skip -= 1
            return False
        if self.hits >= self.times:
            return False
        self.hits += 1
        return True

    def hold(self):
        self.reached.set()
        self.go_on.wait(180)


class FaultProxy:
    """In front of `url`. `certificate` is a file with what both sides show and trust (PEM, with its key beside it)."""

    def __init__(self, url, certificate=None, key=None):
        target = urllib.parse.urlsplit(url)
        self.host, self.port_behind, self.base = target.hostname, target.port, url
        self.trust = ssl.create_default_context(cafile=certificate) if certificate else None
        self.lock = threading.Lock()
        self.faults, self.seen, self.chaos, self.is_away = [], [], None, False
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 60

            def log_message(self, *_):
                pass

            def handle_any(self):
                proxy.serve(self)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 64

            def handle_error(self, *_):
                pass

        self.server = Server(("127.0.0.1", 0), Handler)
        scheme = "http"
        if certificate:
            scheme = "https"
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate, key)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        self.url = f"{scheme}://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def close(self):
        self.calm()
        self.server.shutdown()
        self.server.server_close()

    def fault(self, kind, match=".", **more):
        fault = Fault(kind, match, **more)
        with self.lock:
            self.faults.append(fault)
        return fault

    def storm(self, seed, share):
        """From now on this share of all requests has a fault of some kind, in the order that the seed says."""
        with self.lock:
            self.chaos = (random.Random(seed), share)

    def away(self, is_away=True):
        """The product is not there: every connection is closed without an answer."""
        self.is_away = is_away

    def calm(self):
        """No faults any more; what is held goes on."""
        with self.lock:
            faults, self.faults, self.chaos, self.is_away = self.faults, [], None, False
        for fault in faults:
            fault.go_on.set()

    def fault_of(self, line, body):
        with self.lock:
            self.seen.append(line)
            for fault in self.faults:
                if fault.takes(line, body):
                    return fault
            if self.chaos is not None:
                dice, share = self.chaos
                if dice.random() < share:
                    return Fault(dice.choice(["drop_before", "drop_after", "delay", "duplicate", "truncate"]), seconds=0.2)
        return None

    def serve(self, handler):
        length = int(handler.headers.get("Content-Length") or 0)
        body = handler.rfile.read(length)
        line = f"{handler.command} {urllib.parse.unquote_plus(handler.path)}"
        fault = self.fault_of(line, body)
        kind = fault.kind if fault else ""
        if self.is_away or kind == "drop_before":
            return self.cut(handler)
        if kind == "hold_before":
            fault.hold()
            # whoever waited for it is not there any more
            return self.cut(handler)
        if kind == "delay":
            time.sleep(fault.seconds)
        try:
            answer = self.ask(handler, body)
            if kind == "duplicate":
                self.ask(handler, body)
        except (OSError, http.client.HTTPException):
            return self.cut(handler)
        if kind == "hold_after":
            fault.hold()
            return self.cut(handler)
        if kind == "drop_after":
            return self.cut(handler)
        self.pass_on(handler, *answer, truncated=kind == "truncate")

    def ask(self, handler, body):
        """Asks the product; gives its answer as a whole."""
        where = {"host": self.host, "port": self.port_behind, "timeout": 60}
        connection = http.client.HTTPSConnection(context=self.trust, **where) if self.trust else http.client.HTTPConnection(**where)
        try:
            headers = {name: value for name, value in handler.headers.items() if name.lower() not in BY_HOP}
            connection.request(handler.command, handler.path, body or None, headers)
            answer = connection.getresponse()
            return answer.status, answer.getheaders(), answer.read()
        finally:
            connection.close()

    def pass_on(self, handler, status, headers, body, truncated=False):
        # products say where they are: it is here
        behind, here = self.base.encode(), self.url.encode()
        body = body.replace(behind, here)
        handler.send_response_only(status)
        for name, value in headers:
            if name.lower() not in BY_HOP:
                handler.send_header(name, value.replace(self.base, self.url))
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body[: len(body) // 2] if truncated else body)
        handler.wfile.flush()
        if truncated:
            self.cut(handler)

    @staticmethod
    def cut(handler):
        handler.close_connection = True
        handler.connection.close()
