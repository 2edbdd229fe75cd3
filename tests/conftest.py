"""Fixtures of the product tests: the real binaries, started on free ports of the loopback interface.

Every product started here gets a data folder of its own and is stopped by its process id.
"""

import contextlib
import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
import requests

ROOT = Path(__file__).resolve().parent.parent
# tests of these make machines of their own (network namespaces, systemd), which a browser beside them would starve
ALONE = ("test_systemd", "test_systemd_conditions", "test_failover", "test_gateway", "test_agent_install", "test_connections")
BINARIES = Path(os.environ.get("WATCHKEEPER_BINARIES", ROOT / "target" / "debug"))


def pytest_configure(config):
    config.addinivalue_line("markers", "browser: drives the console in a browser")
    config.addinivalue_line("markers", "alone: runs beside no other test")


def pytest_collection_modifyitems(items):
    """Marks the lanes of `scripts/test.sh`: what runs beside what."""
    for item in items:
        if "browser" in item.fixturenames:
            item.add_marker(pytest.mark.browser)
        elif item.path.stem in ALONE:
            item.add_marker(pytest.mark.alone)


def wait_until(condition, seconds=30.0, what="the condition"):
    """Polls `condition` until it gives something true, which is returned; fails after `seconds`.

    `what` is the condition in words, or says it when asked."""
    deadline, pause = time.monotonic() + seconds, 0.05
    last = None
    while time.monotonic() < deadline:
        try:
            last = condition()
        except (requests.ConnectionError, OSError) as error:
            last = error
        else:
            if last:
                return last
        # what takes long is asked for less often: the processors are for the product
        time.sleep(pause)
        pause = min(0.4, 1.2 * pause)
    raise AssertionError(f"{what() if callable(what) else what} did not come true within {seconds} s; last seen: {last!r}")


def product_environment():
    """This process's environment without the tests' own variables: the product refuses keys that it does not know."""
    return {name: value for name, value in os.environ.items() if not name.startswith("WATCHKEEPER_")}


class Product:
    """A running `watchkeeper up`."""

    def __init__(self, data: Path, *arguments: str, environment=None):
        self.data = data
        self.ready_file = data.parent / f"{data.name}.ready.json"
        self.log_file = data.parent / f"{data.name}.log"
        self.arguments = arguments
        self.environment = environment or {}
        self.process = None
        self.ready = {}

    def start(self, seconds=60.0):
        with contextlib.suppress(FileNotFoundError):
            self.ready_file.unlink()
        log = self.log_file.open("ab")
        self.process = subprocess.Popen(
            [BINARIES / "watchkeeper", "up", "--data", self.data, "--port", "0", "--ready-file", self.ready_file, *self.arguments],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            # what this machine's own health is must not decide over other tests
            env={**product_environment(), "WATCHKEEPER_PACKS__SHIPPED": "false", **self.environment},
        )
        log.close()

        def is_ready():
            if self.process.poll() is not None:
                raise AssertionError(f"watchkeeper ended with {self.process.returncode}:\n{self.log_tail()}")
            return self.ready_file.exists()

        wait_until(is_ready, seconds, f"the ready file of {self.data} (log: {self.log_file})")
        self.ready = json.loads(self.ready_file.read_text())
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.verify = self.ready["ca_file"]
        return self

    def stop(self, how=signal.SIGTERM, seconds=15.0):
        if self.process is None or self.process.poll() is not None:
            return self.process.returncode if self.process else None
        self.process.send_signal(how)
        code = self.process.wait(timeout=seconds)
        # whatever the server had started (its agent) is in the same session
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        return code

    def kill(self):
        """Pulls the plug on server and agent at once."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def log_tail(self, lines=40):
        return "\n".join(self.log_file.read_text(errors="replace").splitlines()[-lines:])

    @property
    def url(self):
        return self.ready["url"].rstrip("/")

    def keys_were_replaced(self):
        """Reads the workspace's keys again, for the tests that come after one that replaced them."""
        self.ready = json.loads((self.data / "connection.json").read_text())

    def token(self, scope="https://api.loganalytics.io/.default"):
        answer = self.session.post(
            f"{self.url}/{self.ready['tenant_id']}/oauth2/v2.0/token",
            data={"grant_type": "client_credentials", "client_id": self.ready["client_id"],
                  "client_secret": self.ready["client_secret"], "scope": scope},
        )
        answer.raise_for_status()
        return answer.json()["access_token"]

    def query(self, text, **body):
        """Rows of the first table as dictionaries."""
        answer = self.session.post(
            f"{self.url}/v1/workspaces/{self.ready['workspace_id']}/query",
            json={"query": text, **body}, headers={"Authorization": f"Bearer {self.token()}"},
        )
        assert answer.status_code == 200, f"{answer.status_code} {answer.text}"
        table = answer.json()["tables"][0]
        names = [column["name"] for column in table["columns"]]
        return [dict(zip(names, row)) for row in table["rows"]]

    def query_or_none(self, text):
        """As `query`, but a table that does not exist yet gives None."""
        try:
            return self.query(text)
        except AssertionError:
            return None


@pytest.fixture(scope="session")
def shared_cases():
    """The folder with the language cases; tests that use it skip where it is not there."""
    folder = Path(os.environ.get("WATCHKEEPER_KQL_CASES", ROOT.parent / "shared" / "kql"))
    if not folder.is_dir():
        pytest.skip(f"no language cases at {folder}")
    return folder


@pytest.fixture(scope="session")
def product(tmp_path_factory):
    """One product for all tests that only add to it and look at it."""
    running = Product(tmp_path_factory.mktemp("product") / "data").start()
    yield running
    code = running.stop()
    assert code == 0, f"watchkeeper ended with {code}:\n{running.log_tail()}"


@pytest.fixture(scope="session")
def tracker(tmp_path_factory):
    """A real Request Tracker, for all tests of connections to it: each uses a queue of its own."""
    from request_tracker import RequestTracker
    running = RequestTracker(tmp_path_factory.mktemp("rt") / "rt").start()
    yield running
    running.stop()


@pytest.fixture
def own_product(tmp_path):
    """A product of the test's own, to be stopped and started as it likes."""
    running = Product(tmp_path / "data")
    yield running
    running.stop(signal.SIGKILL)
