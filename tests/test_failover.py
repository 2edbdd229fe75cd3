"""Two servers over one PostgreSQL: agents move when either is killed under load, and every row is stored once."""

import contextlib
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from conftest import BINARIES, Product, product_environment, wait_until
from test_management_group import alerts, call, get, health_of, pack_file, tanks, watchkeeper, write_level
from test_pools import Endpoint, done, import_pack, the_alerts, the_sites, write_sites

NOBODY = 65534


def postgresql_programs():
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), reverse=True)
    return found[0].parent if found else None


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def postgresql():
    """A cluster of the test's own on a unix socket; gives its address."""
    with cluster() as folder:
        yield f"postgres://watchkeeper@localhost/postgres?host={folder}"


@contextlib.contextmanager
def cluster(address="", port=5432):
    """A cluster of the test's own on a unix socket, and at an address where one is given; gives the socket's folder."""
    programs = postgresql_programs()
    if programs is None:
        pytest.skip("PostgreSQL is not installed (package postgresql)")
    import tempfile
    folder = Path(tempfile.mkdtemp(prefix="wk-pg-"))
    who = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}
    if who:
        os.chown(folder, NOBODY, NOBODY)
    data = folder / "data"
    subprocess.run([programs / "initdb", "--no-sync", "--auth=trust", "--username=watchkeeper", "--encoding=UTF8", "--locale=C", "-D", data],
                   check=True, capture_output=True, cwd=folder, **who)
    if address:
        with (data / "pg_hba.conf").open("a") as rules:
            rules.write(f"host all all {address}/29 trust\n")
    log = (folder / "log").open("wb")
    server = subprocess.Popen([programs / "postgres", "-D", data, "-k", folder, "-c", f"listen_addresses={address}", "-p", str(port),
                               "-c", "max_connections=100"],
                              stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=folder, **who)
    try:
        wait_until(lambda: server.poll() is not None or "ready" in (data / "postmaster.pid").read_text(), 60, "PostgreSQL")
        assert server.poll() is None, (folder / "log").read_text()
        yield folder
    finally:
        server.send_signal(signal.SIGQUIT)
        server.wait(timeout=30)
        log.close()
        shutil.rmtree(folder, ignore_errors=True)


class Serve(Product):
    """A running `watchkeeper serve` of a group; agents find it at the same port after a restart."""

    # a command that runs it somewhere else
    within = ()

    def __init__(self, data, url):
        super().__init__(data)
        data.mkdir(parents=True)
        self.agent_port = free_port()
        self.config = data.parent / f"{data.name}.toml"
        self.config.write_text(
            f'[data]\ndir = "{data}"\n[listen]\nport = 0\nagent_port = {self.agent_port}\nnames = ["localhost"]\n'
            f'[state]\nurl = "{url}"\n')
        self.ready_file = data / "connection.json"

    def start(self, seconds=90.0):
        self.ready_file.unlink(missing_ok=True)
        with self.log_file.open("ab") as log:
            self.process = subprocess.Popen(
                [*self.within, BINARIES / "watchkeeper", "serve", "--config", self.config], stdin=subprocess.DEVNULL, stdout=log,
                stderr=log, start_new_session=True, env=product_environment())

        def is_ready():
            assert self.process.poll() is None, f"serve ended:\n{self.log_tail()}"
            return self.ready_file.exists()

        wait_until(is_ready, seconds, f"the connection file of {self.data}")
        self.keys_were_replaced()
        import requests
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.verify = self.ready["ca_file"]
        return self

    def connected(self):
        return sum(agent["connected"] for agent in get(self, "/api/agents"))

    def numbers(self):
        rows = self.query_or_none("Load_CL | project RawData") or []
        return [row["RawData"] for row in rows]


class Writer(threading.Thread):
    """Appends numbered lines to a file until it is told to end."""

    def __init__(self, file, name):
        super().__init__(daemon=True)
        self.file, self.label, self.count, self.ending = file, name, 0, threading.Event()

    def run(self):
        with self.file.open("a") as out:
            while not self.ending.wait(0.02):
                for _ in range(5):
                    out.write(f"{self.label} {self.count}\n")
                    self.count += 1
                out.flush()

    def end(self):
        self.ending.set()
        self.join()
        return [f"{self.label} {number}" for number in range(self.count)]


class Agent:
    def __init__(self, folder, name, server, token, address="localhost"):
        folder.mkdir()
        self.lines, self.log = folder / "load.log", (folder / "agent.out").open("ab")
        self.lines.touch()
        config = folder / "agent.toml"
        config.write_text(
            f'servers = ["{address}:{server.agent_port}"]\ndata = "{folder / "data"}"\nca_file = "{server.ready["ca_file"]}"\n'
            f'token = "{token}"\ncomputer = "{name}"\n[collect.performance]\nenabled = false\n[collect.syslog]\n'
            f'enabled = false\n[collect.inventory]\nenabled = false\n[[collect.text_logs]]\npaths = ["{self.lines}"]\n'
            'table = "Load_CL"\nfrom_beginning = true\n')
        self.process = subprocess.Popen([BINARIES / "watchkeeper-agent", "run", "--config", config], stdin=subprocess.DEVNULL,
                                        stdout=self.log, stderr=self.log, env=product_environment())

    def stop(self):
        self.process.terminate()
        self.process.wait(timeout=30)
        self.log.close()


def second(one, folder, url):
    """Another server of the group."""
    two = Serve(folder, url)
    shutil.copy(one.data / "state.key", two.data / "state.key")
    return two.start()


def token_for(server, uses=1):
    made = watchkeeper(server, "tokens", "create", "--uses", str(uses), "--format", "json")
    assert made.returncode == 0, made.stderr
    return made.stdout.split('"token": "')[1].split('"')[0]


def test_what_one_server_changes_shows_on_the_other_within_seconds(postgresql, tmp_path):
    one = Serve(tmp_path / "one", postgresql).start()
    two = second(one, tmp_path / "two", postgresql)
    agent, lags = None, {}

    def shows_on(server, what, condition):
        began = time.monotonic()
        found = wait_until(condition, 30, f"{what} on {server.data.name}")
        lags[what] = time.monotonic() - began
        return found

    try:
        agent = Agent(tmp_path / "red", "red", one, token_for(one))
        wait_until(lambda: one.connected() == 1 and get(one, "/api/objects"), 60, "the agent")
        shows_on(two, "agent's objects", lambda: [found for found in get(two, "/api/objects") if found["name"] == "red"])

        # a pack at one, what it finds, and how that is
        level = tmp_path / "level"
        write_level(level, 10)
        assert watchkeeper(one, "pack", "import", str(pack_file(tmp_path, level))).returncode == 0
        shows_on(two, "pack", lambda: "Test.Level.Tank" in str(get(two, "/api/classes")))
        [tank] = wait_until(lambda: tanks(one), 60, "the tank is found")
        [same] = shows_on(two, "object", lambda: tanks(two))
        assert same["id"] == tank["id"]
        wait_until(lambda: health_of(one, tank["id"]) == "Success", 60, "the tank is green")
        write_level(level, 95)
        wait_until(lambda: health_of(one, tank["id"]) == "Error", 60, "the tank is red")
        shows_on(two, "health", lambda: health_of(two, tank["id"]) == "Error")
        [alert] = shows_on(two, "alert", lambda: alerts(two))
        [computer] = [found["object"] for found in get(two, "/api/agents")]
        shows_on(two, "rolled-up health", lambda: health_of(two, computer) == "Error")

        # an override at the other takes effect in the agent of the first
        made = watchkeeper(two, "overrides", "set", "Test.Level!Test.Level.Monitor", "Critical=99", "--parameter",
                           "--object", tank["id"])
        assert made.returncode == 0, made.stderr
        shows_on(one, "override", lambda: any("Test.Level.Monitor" in str(found) for found in get(one, "/api/overrides")))
        wait_until(lambda: health_of(two, tank["id"]) == "Warning", 60, "the tank is yellow: the agent has the override")
        shows_on(one, "health", lambda: health_of(one, tank["id"]) == "Warning")

        # maintenance at the other
        started = watchkeeper(two, "maintenance", "start", tank["id"], "--minutes", "10")
        assert started.returncode == 0, started.stderr
        shows_on(one, "maintenance", lambda: tank["id"] in str(get(one, "/api/maintenance")))

        # and what goes
        assert watchkeeper(two, "pack", "remove", "Test.Level").returncode == 0
        shows_on(one, "removal of the pack", lambda: call(one, "GET", "/api/packs/Test.Level").status_code == 404
                 and "Test.Level.Tank" not in str(get(one, "/api/objects")))
        wait_until(lambda: alerts(one) == [] and alerts(two) == [], 60, "the alert of what is gone is closed")
        assert [closed["id"] for closed in alerts(two, "all")] == [alert["id"]]
        print({what: round(lag, 2) for what, lag in lags.items()})
    finally:
        if agent is not None:
            agent.stop()
        codes = [server.stop(seconds=60) for server in (one, two)]
    assert codes == [0, 0], one.log_tail() + two.log_tail()


def test_the_work_of_a_pool_goes_on_when_the_server_that_does_it_is_killed(postgresql, tmp_path):
    one = Serve(tmp_path / "one", postgresql).start()
    endpoint, sites = Endpoint().open(), tmp_path / "sites"
    write_sites(sites, endpoint.port)
    two = second(one, tmp_path / "two", postgresql)
    both = {(server.data / "server-id").read_text().strip(): server for server in (one, two)}
    left = None
    try:
        import_pack(one, tmp_path, sites)
        [site] = wait_until(lambda: the_sites(two), 60, "the site is found, and both know it")

        def holder(server):
            [held] = [found for found in done(server, "pools", "objects") if found["id"] == site["id"]]
            return held["serverId"]

        # the shares settle between the two
        wait_until(lambda: all(member["shares"] for member in done(one, "pools", "members", "All Management Servers Resource Pool")),
                   60, "both have shares")
        wait_until(lambda: health_of(one, site["id"]) == "Success", 60, "the site is green")
        endpoint.close()
        wait_until(lambda: health_of(one, site["id"]) == health_of(two, site["id"]) == "Error", 60, "the site is red on both")
        [alert] = wait_until(lambda: the_alerts(one), 30, "the alert")

        dead_id = wait_until(lambda: holder(one), 30, "one of them has the site")
        dead, left = both[dead_id], next(server for server in (one, two) if server is not both[dead_id])
        dead.kill()
        died = time.monotonic()
        wait_until(lambda: holder(left) not in (None, dead_id), 90, "the other has the site")
        print(f"taken over after {time.monotonic() - died:.1f} s")
        samples = "Perf | where ObjectName == 'Site' | count"
        before = (left.query_or_none(samples) or [{"Count": 0}])[0]["Count"]
        wait_until(lambda: (left.query_or_none(samples) or [{"Count": 0}])[0]["Count"] > before, 60, "it watches the site")
        assert health_of(left, site["id"]) == "Error"
        [same] = the_alerts(left, "all")
        assert same["id"] == alert["id"] and same["repeatCount"] == alert["repeatCount"], "the move says nothing"

        endpoint.open()
        wait_until(lambda: health_of(left, site["id"]) == "Success", 60, "the site is green again")
        wait_until(lambda: the_alerts(left) == [], 30, "the alert is closed")

        # the first comes back, has its share again, and neither raises anything
        dead.start()
        wait_until(lambda: holder(left) == dead_id, 90, "the first has the site again")
        endpoint.close()
        wait_until(lambda: health_of(left, site["id"]) == "Error", 90, "the site is red again")
        [again] = wait_until(lambda: the_alerts(left), 30, "a new alert")
        endpoint.open()
        wait_until(lambda: health_of(left, site["id"]) == health_of(dead, site["id"]) == "Success", 90, "green on both")
        assert sorted(found["id"] for found in the_alerts(dead, "all")) == sorted([alert["id"], again["id"]])
    finally:
        codes = [server.stop(seconds=60) for server in (one, two)]
        endpoint.close()
    assert codes == [0, 0], one.log_tail() + two.log_tail()


def test_agents_move_when_either_server_is_killed_under_load_and_every_row_is_stored_once(postgresql, tmp_path):
    one = Serve(tmp_path / "one", postgresql).start()
    two = second(one, tmp_path / "two", postgresql)
    agents, writers = [], []
    try:
        token = token_for(one, uses=2)
        assert one.ready["ca_file"] != two.ready["ca_file"]
        assert Path(one.ready["ca_file"]).read_text() == Path(two.ready["ca_file"]).read_text()
        agents = [Agent(tmp_path / name, name, one, token) for name in ("red", "blue")]
        writers = [Writer(agent.lines, f"agent{number}") for number, agent in enumerate(agents)]
        for writer in writers:
            writer.start()
        wait_until(lambda: one.connected() == 2 and len(one.numbers()) > 100, 60, "both agents send to their primary")
        assert two.connected() == 0

        one.kill()
        died = time.monotonic()
        wait_until(lambda: two.connected() == 2, 60, "both agents are with the other server within a minute")
        print(f"moved after {time.monotonic() - died:.1f} s")
        wait_until(lambda: len(two.numbers()) > 100, 60, "rows at the other server")
        one.start()
        wait_until(lambda: one.connected() == 2, 90, "both agents are back")

        # the other way round: an administrator gives them the second server
        for name in ("red", "blue"):
            moved = watchkeeper(one, "agents", "servers", name, "--primary", f"localhost:{two.agent_port}")
            assert moved.returncode == 0, moved.stderr
        wait_until(lambda: two.connected() == 2, 90, "both agents are with their new primary")
        two.kill()
        wait_until(lambda: one.connected() == 2, 60, "both agents are with the first server within a minute")
        two.start()

        written = sorted(line for writer in writers for line in writer.end())
        stored = wait_until(lambda: (found := one.numbers() + two.numbers()) and len(found) >= len(written) and found, 120,
                            f"{len(written)} rows on both servers")
        assert sorted(stored) == written, "rows were lost or doubled"
        assert one.numbers() and two.numbers()
    finally:
        for writer in writers:
            writer.ending.set()
        for agent in agents:
            agent.stop()
        codes = [server.stop(seconds=60) for server in (one, two)]
    assert codes == [0, 0], one.log_tail() + two.log_tail()


HEALTH = """
import ssl, sys, urllib.error, urllib.request
context = ssl._create_unverified_context()
try:
    answer = urllib.request.urlopen(f"{sys.argv[1].rstrip('/')}/api/health", context=context, timeout=20)
except urllib.error.HTTPError as error:
    answer = error
print(answer.status, answer.read().decode())
"""


class Away(Serve):
    """A server in a network of its own, with one link to all others, which can be cut."""

    def __init__(self, data, url):
        super().__init__(data, url)
        tag = f"{random.randrange(1 << 24):06x}"
        self.space, self.link = f"wk-f-{tag}", f"wkf{tag}"
        network = f"10.230.{random.randrange(256)}.{8 * random.randrange(32)}".rpartition(".")
        self.outside, self.address = (f"{network[0]}.{int(network[2]) + number}" for number in (1, 2))
        self.within = ("ip", "netns", "exec", self.space)

    def build(self):
        for words in (f"netns add {self.space}", f"-n {self.space} link set lo up",
                      f"link add {self.link} type veth peer name up0 netns {self.space}",
                      f"address add {self.outside}/29 dev {self.link}", f"-n {self.space} address add {self.address}/29 dev up0",
                      f"-n {self.space} link set up0 up", f"link set {self.link} up"):
            self.ip(words)

    @staticmethod
    def ip(words, check=True):
        subprocess.run(["ip", *words.split()], check=check, capture_output=True, text=True)

    def cut(self):
        self.ip(f"link set {self.link} down")

    def mend(self):
        self.ip(f"link set {self.link} up")

    def remove(self):
        self.ip(f"link del {self.link}", check=False)
        self.ip(f"netns del {self.space}", check=False)

    @property
    def url(self):
        return f"https://{self.address}:{self.ready['url'].rstrip('/').rpartition(':')[2]}"


@pytest.fixture
def away(tmp_path):
    if os.geteuid() != 0:
        pytest.skip("a network of its own needs root")
    server = Away(tmp_path / "one", "")
    try:
        try:
            server.build()
        except (subprocess.CalledProcessError, FileNotFoundError) as error:
            pytest.skip(f"this machine lets nobody make networks: {getattr(error, 'stderr', error)}")
        yield server
    finally:
        server.remove()


@pytest.mark.skipif("WATCHKEEPER_TEST_HEAVY" not in os.environ, reason="takes minutes: `make test-release` runs it")
def test_a_server_that_is_cut_off_is_replaced_and_comes_back_and_nothing_is_lost_or_said_twice(away, tmp_path):
    """Its link is dead in both directions, without a word to anybody: to agents, PostgreSQL and what its pool watches."""
    one, port = away, free_port()
    endpoints, sites, agents, writers = [], tmp_path / "sites", [], []
    with cluster(one.outside, port) as folder:
        url = f"postgres://watchkeeper@{one.outside}:{port}/postgres"
        one.config.write_text(
            f'[data]\ndir = "{one.data}"\n[listen]\naddress = "0.0.0.0"\nport = 0\nagent_port = {one.agent_port}\n'
            f'names = ["{one.address}"]\n[state]\nurl = "{url}"\n[packs]\nshipped = false\n')
        one.start()
        two = second(one, tmp_path / "two", f"postgres://watchkeeper@localhost:{port}/postgres?host={folder}")
        one_id = (one.data / "server-id").read_text().strip()
        try:
            token = token_for(two, uses=2)
            agents = [Agent(tmp_path / name, name, one, token, one.address) for name in ("red", "blue")]
            writers = [Writer(agent.lines, f"agent{number}") for number, agent in enumerate(agents)]
            for writer in writers:
                writer.start()
            # so many that each server has some
            endpoints = [Endpoint(one.outside).open() for _ in range(12)]
            sites.write_text("".join(f"{one.outside} {endpoint.port}\n" for endpoint in endpoints))
            import_pack(two, tmp_path, sites)
            wait_until(lambda: one.connected() == 2 and len(one.numbers()) > 100, 60, "both agents send to their primary")
            wait_until(lambda: len(the_sites(two)) == 12, 60, "all sites are found")
            its = {site["id"] for site in the_sites(two)}
            held_by_one = lambda: {held["id"] for held in done(two, "pools", "objects") if held["serverId"] == one_id} & its
            wait_until(lambda: 0 < len(held_by_one()) < 12, 90, "both servers have sites")
            wait_until(lambda: all(health_of(one, site["id"]) == "Success" for site in the_sites(one)), 60, "all sites are green")
            watched = min(held_by_one())
            [site] = [site for site in the_sites(two) if site["id"] == watched]
            endpoint = next(one_of for one_of in endpoints if site["name"].endswith(f":{one_of.port}"))

            one.cut()
            began = time.monotonic()
            wait_until(lambda: two.connected() == 2, 75, "both agents are with the other server")
            print(f"agents moved after {time.monotonic() - began:.1f} s")
            wait_until(lambda: held_by_one() == set(), 90, "the other server has all sites")
            wait_until(lambda: "leases of this server's pools have ended" in one.log_file.read_text(), 60, "it knows that it has none")
            wait_until(lambda: len(two.numbers()) > 100, 60, "rows at the other server")
            said = lambda: subprocess.run([*one.within, sys.executable, "-c", HEALTH, one.ready["url"]], capture_output=True, text=True).stdout
            wait_until(lambda: "503" in said() and '"state":"silent"' in said(), 60, "it says that its store is away")
            assert the_alerts(two, "all") == [], "what the server cannot see is no news of the sites"
            endpoint.close()
            wait_until(lambda: health_of(two, watched) == "Error", 60, "the site is red")
            [alert] = wait_until(lambda: the_alerts(two), 30, "the alert")

            one.mend()
            began = time.monotonic()
            wait_until(lambda: one.connected() == 2, 120, "both agents are back")
            print(f"agents back after {time.monotonic() - began:.1f} s")
            wait_until(lambda: watched in held_by_one(), 120, "it has its sites again")
            assert health_of(one, watched) == health_of(two, watched) == "Error"
            endpoint.open()
            wait_until(lambda: health_of(one, watched) == health_of(two, watched) == "Success", 60, "green on both")
            wait_until(lambda: the_alerts(one) == [], 30, "the alert is closed")
            assert [(one_of["id"], one_of["repeatCount"]) for one_of in the_alerts(one, "all")] == [(alert["id"], alert["repeatCount"])]

            written = sorted(line for writer in writers for line in writer.end())
            stored = wait_until(lambda: (found := one.numbers() + two.numbers()) and len(found) >= len(written) and found, 120,
                                f"{len(written)} rows on both servers")
            assert sorted(stored) == written, "rows were lost or doubled"
            dead = ("Health Service Heartbeat Failure", "Failed to Connect to Computer")
            assert [found for found in get(one, "/api/alerts?state=all") if found["name"] in dead] == [], "nobody was called dead"
        finally:
            for writer in writers:
                writer.ending.set()
            for agent in agents:
                agent.stop()
            one.mend()
            codes = [server.stop(seconds=60) for server in (one, two)]
            for endpoint in endpoints:
                with contextlib.suppress(OSError):
                    endpoint.close()
    assert codes == [0, 0], one.log_tail() + two.log_tail()
