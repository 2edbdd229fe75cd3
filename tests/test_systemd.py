"""The agent as a service under a real systemd: it is installed, started, killed, upgraded and taken away."""

import contextlib
import signal
import subprocess

import pytest

from conftest import BINARIES, ROOT, wait_until
from systemd_machine import SystemdMachine, skip_without_systemd
from test_agent_install import make_token
from test_failover import Serve
from test_management_group import get

UNIT = "watchkeeper-agent.service"
INSTALLED = "/usr/bin/watchkeeper-agent"


@contextlib.contextmanager
def server_for(machine, folder, shipped="false"):
    """A server without an agent of its own that the machine reaches over its network."""
    server = Serve(folder / "server", "")
    server.config.write_text(
        f'[data]\ndir = "{server.data}"\n[listen]\naddress = "0.0.0.0"\nport = 0\nagent_port = {server.agent_port}\n'
        f'names = ["localhost", "{machine.outside}"]\n[packs]\nshipped = {shipped}\n')
    server.start()
    try:
        yield server
    finally:
        code = server.stop(seconds=60)
        assert code == 0, server.log_tail()


def install_words(server, machine):
    """The arguments of `install`, and the token for its standard input."""
    token, fingerprint = make_token(server)
    return ["install", "--server", f"{machine.outside}:{server.agent_port}", "--ca-fingerprint", fingerprint, "--token-file", "-"], token


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    """The agent without its debugging information: the machine's disk is memory."""
    stripped = tmp_path_factory.mktemp("program") / "watchkeeper-agent"
    subprocess.run(["strip", "-o", stripped, BINARIES / "watchkeeper-agent"], check=True)
    return stripped


@pytest.fixture
def machine(tmp_path):
    skip_without_systemd()
    machine = SystemdMachine(tmp_path)
    try:
        yield machine.start()
    finally:
        machine.stop()


def connected(server):
    return [agent["computer"] for agent in get(server, "/api/agents") if agent["connected"]]


def main_process(machine):
    return int(machine.show(UNIT, "MainPID"))


def test_an_installed_agent_is_a_service_that_outlives_its_death_and_goes_without_a_trace(machine, program, tmp_path):
    with server_for(machine, tmp_path) as server:
        machine.put("/root/watchkeeper-agent", program, 0o755)
        words, token = install_words(server, machine)
        installed = machine.run("/root/watchkeeper-agent", *words, text=token)
        assert f"{UNIT} runs" in installed.stdout
        assert machine.show(UNIT, "ActiveState") == "active" and machine.show(UNIT, "UnitFileState") == "enabled"
        wait_until(lambda: connected(server) == ["machine"], 60, "the agent is connected")

        # the kernel ends it, systemd starts it again, and the server has it back
        first = main_process(machine)
        machine.run("kill", "-KILL", str(first))
        second = wait_until(lambda: (now := main_process(machine)) not in (0, first) and now, 60, "systemd starts it again")
        assert machine.show(UNIT, "NRestarts") == "1"
        wait_until(lambda: "connected" in journal(machine, second), 60, "the new process is connected")

        # a stop is clean and stays, until the next boot
        machine.run("systemctl", "stop", UNIT)
        assert (machine.show(UNIT, "ActiveState"), machine.show(UNIT, "Result")) == ("inactive", "success")
        wait_until(lambda: connected(server) == [], 60, "its session ended")
        machine.reboot()
        wait_until(lambda: connected(server) == ["machine"], 60, "the boot starts it")
        verified = machine.run("systemd-analyze", "verify", "--man=no", UNIT)
        assert UNIT not in verified.stdout + verified.stderr, "systemd has nothing to complain about in the unit"

        third = main_process(machine)
        upgraded = machine.run("/root/watchkeeper-agent", "upgrade")
        assert "is version" in upgraded.stdout and main_process(machine) not in (0, third), "the new program runs"
        wait_until(lambda: connected(server) == ["machine"], 60, "it is the same agent")
        again = machine.run("/root/watchkeeper-agent", *words, text=token, check=False)
        assert again.returncode == 1 and "/etc/watchkeeper/agent.toml is there already" in again.stderr

        machine.run("/root/watchkeeper-agent", "uninstall", "--purge")
        assert machine.show(UNIT, "LoadState") == "not-found" and machine.show(UNIT, "ActiveState") == "inactive"
        for gone in (INSTALLED, f"/etc/systemd/system/{UNIT}", f"/etc/systemd/system/multi-user.target.wants/{UNIT}",
                     "/etc/watchkeeper/agent.toml", "/var/lib/watchkeeper-agent"):
            assert machine.run("ls", "-d", gone, check=False).returncode != 0, f"{gone} is left"
        wait_until(lambda: connected(server) == [], 60, "nobody reports any more")


def journal(machine, process):
    return machine.run("journalctl", "--no-pager", f"_PID={process}", "--output=cat").stdout


def test_the_debian_package_starts_follows_an_upgrade_and_goes(machine, tmp_path):
    built = subprocess.run([ROOT / "scripts" / "deb.sh", BINARIES / "watchkeeper-agent", tmp_path], capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    [package] = tmp_path.glob("watchkeeper-agent_*.deb")
    with server_for(machine, tmp_path) as server:
        machine.put("/root/agent.deb", package)
        machine.run("dpkg", "-i", "/root/agent.deb")
        # known to systemd and without a management group: nothing to start
        machine.run("systemctl", "start", UNIT)
        assert (machine.show(UNIT, "ActiveState"), machine.show(UNIT, "ConditionResult")) == ("inactive", "no")
        words, token = install_words(server, machine)
        machine.run(INSTALLED, *words, text=token)
        wait_until(lambda: connected(server) == ["machine"], 60, "the agent is connected")

        first = main_process(machine)
        machine.run("dpkg", "-i", "/root/agent.deb")
        assert main_process(machine) not in (0, first), "the package's new program runs"
        wait_until(lambda: connected(server) == ["machine"], 60, "with its old identity")

        machine.run("dpkg", "-r", "watchkeeper-agent")
        assert machine.show(UNIT, "ActiveState") == "inactive"
        wait_until(lambda: connected(server) == [], 60, "nobody reports any more")
        machine.run("dpkg", "-P", "watchkeeper-agent")
        assert machine.run("ls", "/etc/watchkeeper/agent.toml", check=False).returncode != 0
