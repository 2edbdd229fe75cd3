"""The agent's connection probe: rows of this machine's connections, of their processes and ports, through the product."""

import json
import os
import shutil
import socket
import subprocess
import sys

import pytest

from conftest import BINARIES, product_environment, wait_until
from test_management_group import watchkeeper

SHORT, REFUSED = 25, 5
ASKED, ANSWERED = b"question" * 10, b"answer" * 100
COMPUTER = "probed.example.com"

SERVER = """
import socket, sys
server = socket.create_server((sys.argv[1], 0), family=socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET)
print(server.getsockname()[1], flush=True)
while True:
    client, _ = server.accept()
    asked = b""
    while len(asked) < %d:
        asked += client.recv(1000)
    client.sendall(b"%s")
    client.close()
""" % (len(ASKED), ANSWERED.decode())


class Agent:
    """An agent with the probe alone."""

    def __init__(self, product, folder, probe):
        folder.mkdir()
        made = watchkeeper(product, "tokens", "create", "--uses", "1", "--format", "json")
        assert made.returncode == 0, made.stderr
        (folder / "token").write_text(json.loads(made.stdout)["token"])
        config = folder / "agent.toml"
        config.write_text(
            f'servers = ["{product.ready["agent_endpoint"]}"]\ndata = "{folder}/data"\ncomputer = "{COMPUTER}"\n'
            f'ca_file = "{product.ready["ca_file"]}"\ntoken_file = "{folder / "token"}"\n'
            "[collect.performance]\nenabled = false\n[collect.syslog]\nenabled = false\n"
            "[collect.inventory]\nports_interval_seconds = 3\n"
            f'[collect.connections]\nprobe = "{probe}"\npoll_seconds = 1\n')
        self.config, self.log = config, folder / "agent.log"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [BINARIES / "watchkeeper-agent", "run", "--config", config, "--stop-with-stdin"],
                stdin=subprocess.PIPE, stdout=log, stderr=log, env=product_environment())

    def stop(self):
        if self.process.poll() is None:
            self.process.stdin.close()
            self.process.wait(timeout=30)

    def status(self):
        done = subprocess.run([BINARIES / "watchkeeper-agent", "status", "--config", self.config],
                              env=product_environment(), capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture
def probed(own_product, tmp_path, request):
    """A product and an agent whose probe runs."""
    own_product.start()
    agent = Agent(own_product, tmp_path / "agent", request.param)
    try:
        rows = wait_until(lambda: own_product.query_or_none(
            f'Operation | where Computer == "{COMPUTER}" and OperationCategory == "Connection probe"'), 60, "the probe's row")
        if rows[0]["Detail"].startswith("connection probe: none"):
            pytest.skip(f"the probe cannot run here: {rows[0]['Detail']}")
        assert f"connection probe: {request.param}" in rows[0]["Detail"], rows
        yield own_product, agent, request.param
    finally:
        agent.stop()


def serve(folder, address, name):
    script = folder / name
    script.write_text(SERVER)
    server = subprocess.Popen([sys.executable, script, address], stdout=subprocess.PIPE, text=True)
    return server, int(server.stdout.readline())


def exchange(address, port):
    with socket.create_connection((address, port)) as client:
        client.sendall(ASKED)
        got = b""
        while part := client.recv(10_000):
            got += part
    assert got == ANSWERED


def sums(product, port, direction):
    rows = product.query_or_none(f"""
        VMConnection | where Computer == "{COMPUTER}" and DestinationPort == {port} and Direction == "{direction}"
        | summarize Established=sum(LinksEstablished), Terminated=sum(LinksTerminated), Failed=sum(LinksFailed),
            Sent=sum(BytesSent), Received=sum(BytesReceived), Responses=sum(Responses), Slowest=max(ResponseTimeMax),
            Live=arg_max(TimeGenerated, LinksLive), Process=take_any(Process), Processes=dcount(Process),
            Connections=dcount(ConnectionId), Remote=take_any(RemoteIp), Class=take_any(RemoteClassification)""")
    return rows[0] if rows else None


@pytest.mark.skipif(os.geteuid() != 0, reason="the probes see other processes' sockets as root alone")
@pytest.mark.parametrize("probed", ["ebpf", "netlink"], indirect=True)
def test_connections_of_this_machine_become_rows_that_are_right(probed, tmp_path):
    product, agent, probe = probed
    for address in ("127.0.0.1", "::1"):
        name = f"shop-{'six' if ':' in address else 'four'}.py"
        server, port = serve(tmp_path, address, name)
        try:
            # a listener that netlink has seen is known as the one that accepts
            bound = wait_until(lambda: product.query_or_none(
                f'VMBoundPort | where Computer == "{COMPUTER}" and Port == {port} | take 1'), 60, "the port's row")[0]
            assert (bound["Ip"], bound["IsWildcardBind"], bound["LinksEstablished"]) == (address, False, 0)
            for _ in range(SHORT):
                exchange(address, port)
            for direction, sent, received in (("outbound", ASKED, ANSWERED), ("inbound", ANSWERED, ASKED)):
                found = wait_until(lambda: (row := sums(product, port, direction)) and row["Terminated"] >= SHORT and row,
                                   60, f"{direction} rows")
                assert (found["Established"], found["Terminated"], found["Failed"]) == (SHORT, SHORT, 0), found
                # whether the end of a stream was counted as a byte is told in the kernel alone
                doubtful = SHORT if probe == "netlink" else 0
                assert found["Sent"] == SHORT * len(sent), found
                assert SHORT * len(received) - doubtful <= found["Received"] <= SHORT * len(received), found
                assert found["Responses"] >= SHORT // 2 and 0 <= found["Slowest"] < 10_000, found
                assert (found["Connections"], found["Processes"]) == (1, 1), found
                assert (found["Remote"], found["Class"]) == (address, "private"), found
                if direction == "inbound":
                    process = product.query(
                        f'VMProcess | where Computer == "{COMPUTER}" and Process == "{found["Process"]}" | take 1')[0]
                    assert process["DisplayName"] == name, process
                    assert process["FirstPid"] == server.pid, process
            ports = product.query(f"""VMBoundPort | where Computer == "{COMPUTER}" and Port == {port}
                | summarize sum(LinksEstablished), sum(BytesSent), sum(Responses)""")[0]
            assert (ports["sum_LinksEstablished"], ports["sum_BytesSent"]) == (SHORT, SHORT * len(ANSWERED)), ports
        finally:
            server.kill()
            server.wait()
    if probe == "ebpf":
        refused_ones_and_those_of_a_namespace(product)
    agent.stop()
    assert f"connection probe: {probe}" in agent.status()


NAMESPACE = """
import socket, subprocess
subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
server = socket.create_server(("127.0.0.1", 0))
port = server.getsockname()[1]
for _ in range(%d):
    client = socket.create_connection(("127.0.0.1", port))
    accepted, _ = server.accept()
    client.sendall(b"x")
    accepted.recv(1)
    accepted.close()
    client.close()
print(port, flush=True)
input()
""" % SHORT


def refused_ones_and_those_of_a_namespace(product):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    for _ in range(REFUSED):
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port))
    found = wait_until(lambda: (row := sums(product, port, "outbound")) and row["Failed"] >= REFUSED and row, 60, "refusals")
    assert (found["Failed"], found["Established"], found["Sent"]) == (REFUSED, 0, 0), found

    if not shutil.which("unshare") or not shutil.which("ip"):
        pytest.skip("no unshare or no ip to make a network namespace")
    inside = subprocess.Popen(["unshare", "--net", sys.executable, "-c", NAMESPACE], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, text=True)
    try:
        port = int(inside.stdout.readline())
        for direction in ("inbound", "outbound"):
            found = wait_until(lambda: (row := sums(product, port, direction)) and row["Terminated"] >= SHORT and row,
                               60, f"{direction} rows of the namespace")
            assert (found["Established"], found["Terminated"]) == (SHORT, SHORT), found
            assert found["Process"], found
    finally:
        inside.communicate("\n")
