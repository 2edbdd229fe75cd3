"""A gateway in a network of its own between server and agent: links are cut, it is killed, every row is stored once."""

import os
import subprocess
import uuid

import pytest

from conftest import BINARIES, product_environment, wait_until
from test_failover import Serve, Writer
from test_management_group import get, watchkeeper

SERVER, GATEWAY_UP, GATEWAY_DOWN, AGENT = "10.231.77.1", "10.231.77.2", "10.232.77.1", "10.232.77.2"


def ip(*arguments, check=True):
    return subprocess.run(["ip", *arguments], check=check, capture_output=True, text=True)


class Network:
    """The server is here; gateway and agent are in networks of their own, and there is no way past the gateway."""

    def __init__(self):
        tag = uuid.uuid4().hex[:6]
        self.gateway, self.agent = f"wk-g-{tag}", f"wk-a-{tag}"
        self.outer, self.inner = f"wko{tag}", f"wki{tag}"

    def build(self):
        for space in (self.gateway, self.agent):
            ip("netns", "add", space)
            ip("-n", space, "link", "set", "lo", "up")
        ip("link", "add", self.outer, "type", "veth", "peer", "name", "up0", "netns", self.gateway)
        ip("-n", self.gateway, "link", "add", self.inner, "type", "veth", "peer", "name", "up0", "netns", self.agent)
        ip("address", "add", f"{SERVER}/30", "dev", self.outer)
        ip("-n", self.gateway, "address", "add", f"{GATEWAY_UP}/30", "dev", "up0")
        ip("-n", self.gateway, "address", "add", f"{GATEWAY_DOWN}/30", "dev", self.inner)
        ip("-n", self.agent, "address", "add", f"{AGENT}/30", "dev", "up0")
        for space, link in ((self.gateway, "up0"), (self.gateway, self.inner), (self.agent, "up0")):
            ip("-n", space, "link", "set", link, "up")
        ip("link", "set", self.outer, "up")

    def server_link(self, state):
        ip("link", "set", self.outer, state)

    def agent_link(self, state):
        ip("-n", self.gateway, "link", "set", self.inner, state)

    def remove(self):
        ip("link", "del", self.outer, check=False)
        for space in (self.gateway, self.agent):
            ip("netns", "del", space, check=False)


@pytest.fixture
def network():
    if os.geteuid() != 0:
        pytest.skip("networks of its own need root")
    network = Network()
    try:
        try:
            network.build()
        except (subprocess.CalledProcessError, FileNotFoundError) as error:
            pytest.skip(f"this machine lets nobody make networks: {getattr(error, 'stderr', error)}")
        yield network
    finally:
        network.remove()


def start(space, program, log, *arguments):
    with log.open("ab") as out:
        return subprocess.Popen(["ip", "netns", "exec", space, BINARIES / program, *arguments], stdin=subprocess.DEVNULL,
                                stdout=out, stderr=out, env=product_environment())


def token(server):
    made = watchkeeper(server, "tokens", "create", "--uses", "1", "--format", "json")
    assert made.returncode == 0, made.stderr
    return made.stdout.split('"token": "')[1].split('"')[0]


def waiting(folder):
    return sum(file.stat().st_size for file in folder.glob("queue/*/*_*/*") if file.name in ("bulk", "urgent"))


def test_links_are_cut_and_the_gateway_is_killed_and_every_row_is_stored_once(network, tmp_path):
    server = Serve(tmp_path / "server", "")
    server.config.write_text(
        f'[data]\ndir = "{server.data}"\n[listen]\naddress = "0.0.0.0"\nport = 0\nagent_port = {server.agent_port}\n'
        f'names = ["localhost", "{SERVER}"]\n[packs]\nshipped = false\n')
    server.start()
    processes, writer = [], None
    gateway_log, agent_log = tmp_path / "gateway.out", tmp_path / "agent.out"
    try:
        (tmp_path / "token").write_text(token(server))
        config = tmp_path / "gateway.toml"
        data = tmp_path / "gateway"
        config.write_text(
            f'server = "{SERVER}:{server.agent_port}"\nnames = ["{GATEWAY_DOWN}"]\ndata = "{data}"\n'
            f'ca_file = "{server.ready["ca_file"]}"\ntoken_file = "{tmp_path / "token"}"\n')
        gateway = start(network.gateway, "watchkeeper", gateway_log, "gateway", "--config", config)
        processes.append(gateway)
        wait_until(lambda: get(server, "/api/gateways"), 60, "the gateway waits for approval")
        assert get(server, "/api/gateways")[0]["status"] == "pending"
        approved = watchkeeper(server, "gateways", "approve", GATEWAY_DOWN)
        assert approved.returncode == 0, approved.stderr

        lines = tmp_path / "load.log"
        lines.touch()
        agent_config = tmp_path / "agent.toml"
        agent_config.write_text(
            f'servers = ["{GATEWAY_DOWN}"]\ndata = "{tmp_path / "agent"}"\nca_file = "{server.ready["ca_file"]}"\n'
            f'token = "{token(server)}"\ncomputer = "behind"\n[collect.performance]\nenabled = false\n[collect.syslog]\n'
            f'enabled = false\n[collect.inventory]\nenabled = false\n[[collect.text_logs]]\npaths = ["{lines}"]\n'
            'table = "Load_CL"\nfrom_beginning = true\n')
        agent = start(network.agent, "watchkeeper-agent", agent_log, "run", "--config", agent_config)
        processes.append(agent)
        writer = Writer(lines, "line")
        writer.start()
        wait_until(lambda: server.connected() == 1 and len(server.numbers()) > 100, 90, "rows through the gateway")
        [listed] = get(server, "/api/gateways")
        assert (listed["status"], listed["agents"], listed["names"]) == ("approved", 1, [GATEWAY_DOWN])

        network.server_link("down")
        before = waiting(data)
        wait_until(lambda: waiting(data) > before + 5000, 60, "the gateway takes rows without its server")
        gateway.kill()
        gateway.wait()
        gateway = start(network.gateway, "watchkeeper", gateway_log, "gateway", "--config", config)
        processes.append(gateway)
        before = waiting(data)
        wait_until(lambda: waiting(data) > before + 2000, 120, "rows from the agent after the gateway's death")
        stored = len(server.numbers())
        network.server_link("up")
        wait_until(lambda: len(server.numbers()) > stored + 100, 90, "rows after the cut")

        network.agent_link("down")
        wait_until(lambda: waiting(data) == 0, 60, "everything has gone on")
        [listed] = get(server, "/api/gateways")
        assert listed["queue"]["limitBytes"] == 1024 << 20 and listed["queue"]["reportedAt"] and listed["queue"]["batches"] >= 0
        network.agent_link("up")
        wait_until(lambda: waiting(data) > 0 or server.connected() == 1, 120, "the agent is back")

        written = sorted(writer.end())
        stored = wait_until(lambda: (found := server.numbers()) and len(found) >= len(written) and found, 180, f"{len(written)} rows")
        assert sorted(stored) == written, "rows were lost or doubled"

        removed = watchkeeper(server, "gateways", "remove", GATEWAY_DOWN)
        assert removed.returncode == 0, removed.stderr
        wait_until(lambda: server.connected() == 0, 60, "no session through a gateway that was removed")
    except AssertionError:
        for log in (gateway_log, agent_log):
            if log.exists():
                print(log.name, log.read_text(errors="replace")[-3000:])
        raise
    finally:
        if writer:
            writer.ending.set()
        for process in processes:
            process.kill()
            process.wait()
        code = server.stop(seconds=60)
    assert code == 0, server.log_tail()
