"""The release binaries, started and stopped for a measurement."""

import base64
import hashlib
import hmac
import http.client
import json
import os
import signal
import ssl
import subprocess
import tempfile
import time
from email.utils import formatdate
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# taken out of the environment: the product refuses keys that it does not know
BINARIES = Path(os.environ.pop("WATCHKEEPER_BINARIES", ROOT / "target" / "release"))

IDLE_SECONDS = 5


class Product:
    """`watchkeeper up` on free ports with a data folder of its own."""

    def __init__(self, data: Path, environment=None):
        self.data = data
        self.environment = {"WATCHKEEPER_LOG": "warn", **(environment or {})}

    def __enter__(self):
        self.ready_file = Path(tempfile.mkdtemp()) / "ready.json"
        self.log = (self.data.parent / f"{self.data.name}.log").open("ab")
        began = time.monotonic()
        self.process = subprocess.Popen(
            [BINARIES / "watchkeeper", "up", "--data", self.data, "--port", "0", "--ready-file", self.ready_file],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, env={**os.environ, **self.environment})
        while not self.ready_file.exists():
            if self.process.poll() is not None:
                raise SystemExit(f"watchkeeper ended with {self.process.returncode}; see {self.log.name}")
            time.sleep(0.002)
        self.seconds_to_ready = time.monotonic() - began
        self.ready = json.loads(self.ready_file.read_text())
        self.host = self.ready["url"].removeprefix("https://")
        self.tls = ssl.create_default_context(cafile=self.ready["ca_file"])
        self.token = None
        self.connection, self.used_at = self.connect(), time.monotonic()
        return self

    def __exit__(self, *_):
        self.connection.close()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=60)

    def fresh(self):
        """The connection for short requests, made again where the server may have closed it because it was idle."""
        if time.monotonic() - self.used_at > IDLE_SECONDS:
            self.connection.close()
        self.used_at = time.monotonic()
        return self.connection

    def connect(self):
        return http.client.HTTPSConnection(self.host, context=self.tls, timeout=700)

    def bearer(self):
        if self.token is None:
            form = (f"grant_type=client_credentials&client_id={self.ready['client_id']}"
                    f"&client_secret={self.ready['client_secret']}&scope=https%3A%2F%2Fapi.loganalytics.io%2F.default")
            self.fresh().request("POST", f"/{self.ready['tenant_id']}/oauth2/v2.0/token", form,
                                    {"Content-Type": "application/x-www-form-urlencoded"})
            self.token = json.loads(self.connection.getresponse().read())["access_token"]
        return self.token

    def query(self, text):
        """Rows of the first table."""
        bearer = self.bearer()
        self.fresh().request(
            "POST", f"/v1/workspaces/{self.ready['workspace_id']}/query", json.dumps({"query": text}),
            {"Content-Type": "application/json", "Authorization": f"Bearer {bearer}"})
        answer = self.connection.getresponse()
        body = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{answer.status}: {body[:500]!r}")
        return json.loads(body)["tables"][0]["rows"]

    def collector_headers(self, length, log_type):
        """Headers of a Data Collector request with a body of `length` bytes."""
        date = formatdate(usegmt=True)
        text = f"POST\n{length}\napplication/json\nx-ms-date:{date}\n/api/logs"
        digest = hmac.new(base64.b64decode(self.ready["primary_key"]), text.encode(), hashlib.sha256).digest()
        return {
            "Content-Type": "application/json", "Log-Type": log_type, "x-ms-date": date,
            "time-generated-field": "Time",
            "Authorization": f"SharedKey {self.ready['workspace_id']}:{base64.b64encode(digest).decode()}",
        }


def folder_bytes(folder: Path, pattern="**/*"):
    return sum(path.stat().st_size for path in folder.glob(pattern) if path.is_file())
