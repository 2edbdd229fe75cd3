"""What the shipped packs watch with systemd, caused for real on a machine with a real systemd; and its journal.

Intervals are seconds instead of minutes, by overrides; the conditions, the scripts and the states are the packs' own.
"""

import json
import os
import re
import signal
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest
import requests

from conftest import BINARIES, ROOT, wait_until
from systemd_machine import SystemdMachine, skip_without_systemd
from test_failover import Agent, cluster, free_port
from test_shipped_packs import (
    DISK, FIRST_RUN, LINUX_PACK, SYSTEM, alerts, done, get, import_quick, monitors, named, need, objects, one_object, override, turn_red_and_back,
    turns_red_and_back)
from test_systemd import INSTALLED, UNIT, connected, install_words, main_process, program, server_for  # noqa: F401

LIBRARY = "Microsoft.Linux.Library!Microsoft.Linux"
COMPUTER = f"{LIBRARY}.Computer"
DAEMON = "Watchkeeper.Linux!Watchkeeper.Linux.Daemon"
COMPONENT = "Watchkeeper.Self!Watchkeeper.Self.Component"
SERVER = "Watchkeeper.Self!Watchkeeper.Self.Server"
QUICK = [
    (f"{LINUX_PACK}.Discovery", COMPUTER),
    (f"{LINUX_PACK}.Daemons.Discovery", COMPUTER),
    ("Watchkeeper.Self!Watchkeeper.Self.Component.Discovery", COMPUTER),
    (f"{LINUX_PACK}.FailedUnits", SYSTEM),
    (f"{LINUX_PACK}.PendingReboot", SYSTEM),
    (f"{LINUX_PACK}.TimeDrift", SYSTEM),
    (f"{LINUX_PACK}.Daemon.Running", DAEMON),
    ("Watchkeeper.Self!Watchkeeper.Self.Component.Running", COMPONENT),
    ("Watchkeeper.Self!Watchkeeper.Self.Component.Restarts", COMPONENT),
    (f"{SERVER}.Discovery", COMPUTER),
    (f"{SERVER}.Answers", SERVER),
    (f"{SERVER}.Store", SERVER),
    (f"{SERVER}.State", SERVER),
    (f"{SERVER}.Agents", SERVER),
]


# the packs need none: it has another name here
WITHOUT_PYTHON = """
for folder in /usr/local/bin /usr/bin; do [ ! -e $folder/python3 ] || mv $folder/python3 $folder/other-python3; done
! command -v python3
"""


@pytest.fixture(scope="module")
def joined(tmp_path_factory, program):  # noqa: F811
    """A machine whose installed agent reports to a server with the shipped packs; `machine.server` is that."""
    skip_without_systemd()
    folder = tmp_path_factory.mktemp("systemd")
    machine = SystemdMachine(folder)
    try:
        machine.start()
        with server_for(machine, folder, "true") as server:
            for element, context in QUICK:
                override(server, element, context, "IntervalSeconds", 2)
            server.lists = folder
            machine.server = server
            machine.run("systemctl", "enable", "--now", "rsyslog.service")
            machine.run("sh", "-euc", WITHOUT_PYTHON)
            # the unit's own five seconds are proven elsewhere
            machine.put(f"/etc/systemd/system/{UNIT}.d/test.conf", "[Unit]\nStartLimitIntervalSec=0\n[Service]\nRestartSec=200ms\n")
            machine.put("/root/watchkeeper-agent", program, 0o755)
            words, token = install_words(server, machine)
            machine.run("/root/watchkeeper-agent", *words, text=token)
            wait_until(lambda: connected(server) == ["machine"], 60, "the agent is connected")
            yield machine
    finally:
        machine.stop()


def test_a_machine_without_python_is_found_with_its_parts(joined):
    server = joined.server
    system = one_object(server, SYSTEM)
    wait_until(lambda: objects(server, DISK), FIRST_RUN, "its file systems")
    properties = get(server, f"/api/objects/{system}")["properties"]
    release = dict(line.split("=", 1) for line in joined.run("cat", "/etc/os-release").stdout.splitlines() if "=" in line)
    assert properties["OSVersion"] == release["VERSION_ID"].strip('"') and properties["Version"] == os.uname().release
    assert {one["name"] for one in objects(server, f"{LIBRARY}.Processor")} == {f"Processor {number}" for number in range(os.cpu_count())}
    [root] = [one for one in objects(server, DISK) if one["name"] == "/"]
    size = int(get(server, f"/api/objects/{root['id']}")["properties"]["Size"])
    assert size == int(joined.run("df", "--block-size=1", "--output=size", "/").stdout.split()[1])


def test_a_unit_that_fails_is_named_until_it_is_reset(joined):
    system = one_object(joined.server, SYSTEM)
    joined.put("/etc/systemd/system/broken.service", "[Service]\nExecStart=/bin/false\n")
    joined.run("systemctl", "daemon-reload")

    def fail():
        joined.run("systemctl", "start", "broken.service")
        wait_until(lambda: joined.show("broken.service", "ActiveState") == "failed", 30, "the unit has failed")

    looked = {}

    def reset():
        # not before somebody has looked at it while it was failed
        looked.update(diagnosed(joined, system, f"{LINUX_PACK}.FailedUnits.Warning.Status"))
        joined.run("systemctl", "reset-failed", "broken.service")

    alert = turns_red_and_back(
        joined.server, system, "Watchkeeper.Linux.FailedUnits", "Units of systemd have failed", fail, reset, health="Warning")
    assert alert["description"].split("have failed:")[1].split() == ["broken.service"]
    assert "broken.service" in looked["output"] and "code=exited, status=1/FAILURE" in looked["output"], looked


def diagnosed(machine, object_id, diagnostic):
    """The latest run of a diagnostic, with its output."""
    runs = lambda: [one for one in get(machine.server, f"/api/tasks?object={object_id}") if (one["task"], one["status"]) == (diagnostic, "Succeeded")]
    latest = max(wait_until(runs, 60, diagnostic), key=lambda one: one["finishedAt"])
    return get(machine.server, f"/api/tasks/{latest['run']}")


def daemon(machine, name):
    return named(machine.server, DAEMON, name)


def test_an_enabled_daemon_is_red_while_it_is_stopped_and_gone_when_it_is_disabled(joined):
    found = daemon(joined, "rsyslog")
    assert {"dbus", "systemd-journald"} <= {one["name"] for one in objects(joined.server, DAEMON)}
    assert "cron" not in {one["name"] for one in objects(joined.server, DAEMON)}, "it is not installed in the machine"
    looked = {}

    def start():
        # not before somebody has looked at it while it was stopped
        looked.update(diagnosed(joined, found, f"{LINUX_PACK}.Daemon.Status"))
        joined.run("systemctl", "start", "rsyslog.service")

    # its socket would start it again
    alert = turns_red_and_back(
        joined.server, found, "Watchkeeper.Linux.Daemon.Running", "A daemon does not run",
        lambda: joined.run("systemctl", "stop", "syslog.socket", "rsyslog.service"), start)
    assert alert["description"].endswith("rsyslog on machine is inactive (dead).") and alert["priority"] == "High"
    assert "Active: inactive (dead)" in looked["output"] and "Stopped rsyslog.service" in looked["output"], looked
    here = lambda: any(one["name"] == "rsyslog" for one in objects(joined.server, DAEMON))
    joined.run("systemctl", "disable", "rsyslog.service")
    wait_until(lambda: not here(), FIRST_RUN, "a daemon that is disabled is nobody's concern")
    joined.run("systemctl", "enable", "rsyslog.service")
    wait_until(here, FIRST_RUN, "it is found again")


def test_a_daemon_that_ended_and_waits_for_its_next_start_does_not_run(joined):
    joined.put("/etc/systemd/system/rsyslog.service.d/test.conf", "[Service]\nRestart=always\nRestartSec=3600\n")
    joined.run("systemctl", "daemon-reload")

    def die():
        joined.run("systemctl", "stop", "syslog.socket")
        joined.run("systemctl", "restart", "rsyslog.service")
        joined.run("systemctl", "kill", "--signal=KILL", "rsyslog.service")
        wait_until(lambda: joined.show("rsyslog.service", "SubState") == "auto-restart", 30, "systemd waits for an hour")

    alert = turns_red_and_back(
        joined.server, daemon(joined, "rsyslog"), "Watchkeeper.Linux.Daemon.Running", "A daemon does not run", die,
        lambda: joined.run("systemctl", "restart", "rsyslog.service"))
    assert alert["description"].endswith("rsyslog on machine is activating (auto-restart).")
    joined.path("/etc/systemd/system/rsyslog.service.d/test.conf").unlink()
    joined.run("systemctl", "daemon-reload")


def test_the_recovery_of_a_daemon_starts_it_where_an_override_allows_that(joined):
    found = daemon(joined, "rsyslog")
    wait_until(lambda: monitors(joined.server, found).get("Watchkeeper.Linux.Daemon.Running") == "Success", 60, "it runs")
    before = joined.show("rsyslog.service", "MainPID")
    recovery = f"{LINUX_PACK}.Daemon.Start"
    made = json.loads(done(joined.server, "overrides", "set", recovery, "Enabled=true", "--object", found, "--format", "json"))
    joined.run("systemctl", "stop", "syslog.socket", "rsyslog.service")
    wait_until(lambda: joined.show("rsyslog.service", "MainPID") not in ("0", before), 90, "it was started by nobody")
    wait_until(lambda: monitors(joined.server, found)["Watchkeeper.Linux.Daemon.Running"] == "Success", 60, "and is green")
    runs = lambda: [(one["task"], one["status"]) for one in get(joined.server, f"/api/tasks?object={found}") if one["task"] == recovery]
    wait_until(lambda: runs() == [(recovery, "Succeeded")], 30, "its result")
    [made] = made if isinstance(made, list) else [made]
    done(joined.server, "overrides", "remove", made["id"])


@pytest.fixture
def database(joined):
    """A PostgreSQL outside of the machine that the machine's server keeps its state in: its address, and its main process."""
    port = free_port()
    with cluster(joined.outside, port) as folder:
        main = int((folder / "data" / "postmaster.pid").read_text().split()[0])
        try:
            yield SimpleNamespace(url=f"postgres://watchkeeper@{joined.outside}:{port}/postgres", main=main)
        finally:
            hold(main, signal.SIGCONT)


def hold(main, how):
    """Stops a PostgreSQL where it is, or lets it go on."""
    for process in (main, *map(int, Path(f"/proc/{main}/task/{main}/children").read_text().split())):
        os.kill(process, how)


def test_a_server_runs_as_the_service_that_the_documentation_describes_and_is_watched(joined, database, tmp_path):
    [unit] = re.findall(r"(?ms)^```ini\n(.*?)^```$", (ROOT / "docs" / "operate.md").read_text())
    [user] = re.findall(r"(?m)^sudo (useradd .*)$", (ROOT / "docs" / "operate.md").read_text())
    subprocess.run(["strip", "-o", tmp_path / "watchkeeper", BINARIES / "watchkeeper"], check=True)
    joined.put("/usr/bin/watchkeeper", tmp_path / "watchkeeper", 0o755)
    joined.put("/etc/systemd/system/watchkeeper.service", unit)
    configure = lambda more: joined.put(
        "/etc/watchkeeper/server.toml",
        f'[data]\ndir = "/var/lib/watchkeeper"\n[listen]\naddress = "0.0.0.0"\nnames = ["{joined.address}"]\n'
        f'[state]\nurl = "{database.url}"\n{more}')
    configure("")
    joined.run(*user.split())
    assert joined.run("systemd-analyze", "verify", "--man=no", "watchkeeper.service").stderr == ""
    joined.run("systemctl", "enable", "--now", "watchkeeper.service")
    session = requests.Session()
    session.trust_env = False
    answers = lambda: session.get(
        f"https://{joined.address}:8443/", verify=str(joined.path("/var/lib/watchkeeper/ca.pem")), timeout=10).status_code == 200
    wait_until(answers, 90, "the server answers")
    assert joined.run("stat", "--format=%U %a", "/var/lib/watchkeeper").stdout.split() == ["watchkeeper", "750"]
    first = joined.show("watchkeeper.service", "MainPID")
    joined.run("systemctl", "kill", "--signal=KILL", "watchkeeper.service")
    wait_until(lambda: joined.show("watchkeeper.service", "MainPID") not in ("0", first) and answers(), 90, "it is back")

    server = one_object(joined.server, SERVER)
    stopped, silent = turn_red_and_back(
        joined.server,
        [(named(joined.server, COMPONENT, "watchkeeper.service"), "Watchkeeper.Self.Component.Running",
          "A part of Watchkeeper does not run", "Error"),
         (server, "Watchkeeper.Self.Server.Answers", "A Watchkeeper server does not answer", "Error")],
        lambda: joined.run("systemctl", "stop", "watchkeeper.service", seconds=150),
        lambda: joined.run("systemctl", "start", "watchkeeper.service"))
    assert stopped["description"] == "watchkeeper.service on machine is inactive (dead)."
    assert silent["description"].endswith("does not answer: 0 ") or "refused" in silent["description"], silent

    def restart(more):
        configure(more)
        joined.run("systemctl", "restart", "watchkeeper.service", seconds=150)

    # all that is free is less than what has to stay free
    full = turns_red_and_back(
        joined.server, server, "Watchkeeper.Self.Server.Store", "The store of a Watchkeeper server takes no rows",
        lambda: restart("[store]\nreserve_mb = 99999999\n"), lambda: restart(""))
    assert ":8443 on machine is full or behind" in full["description"]
    # PostgreSQL takes connections and says nothing
    away = turns_red_and_back(
        joined.server, server, "Watchkeeper.Self.Server.State", "The operational store of a Watchkeeper server does not answer",
        lambda: hold(database.main, signal.SIGSTOP), lambda: hold(database.main, signal.SIGCONT))
    assert away["description"].endswith(":8443 on machine has no answer from its operational store.")
    its = ("env", "WATCHKEEPER_CONNECTION=/var/lib/watchkeeper/connection.json", "watchkeeper")
    joined.run(*its, "heartbeats", "set", "--interval", "1", "--misses", "3")
    token = json.loads(joined.run(*its, "tokens", "create", "--uses", "3", "--format", "json").stdout)["token"]
    reached = SimpleNamespace(agent_port=5723, ready={"ca_file": str(joined.path("/var/lib/watchkeeper/ca.pem"))})
    agents = [Agent(tmp_path / name, name, reached, token, joined.address) for name in ("red", "green", "blue")]
    try:
        listed = lambda: json.loads(joined.run(*its, "agents", "--format", "json").stdout)
        wait_until(lambda: [one["connected"] for one in listed()] == [True] * 3, 60, "three agents are connected")
        lost = turns_red_and_back(
            joined.server, server, "Watchkeeper.Self.Server.Agents", "Most agents of a Watchkeeper server are away",
            lambda: [agent.process.send_signal(signal.SIGSTOP) for agent in agents[1:]],
            lambda: [agent.process.send_signal(signal.SIGCONT) for agent in agents[1:]])
        assert ":8443 on machine." in lost["description"]
    finally:
        for agent in agents:
            agent.process.send_signal(signal.SIGCONT)
            agent.stop()
    joined.run("systemctl", "stop", "watchkeeper.service", seconds=150)
    assert joined.show("watchkeeper.service", "Result") == "success", "its stop was clean"
    joined.run("systemctl", "disable", "--now", "watchkeeper.service", seconds=150)


@pytest.mark.parametrize(("pack", "unit", "name", "what"), [
    ("Watchkeeper.Nginx", "nginx.service", "nginx (/etc/nginx/nginx.conf)", "nginx"),
    ("Watchkeeper.Redis", "redis-server.service", "Redis on port 6379", "Redis"),
], ids=["nginx", "redis"])
def test_a_server_that_systemd_starts_is_known_by_its_unit_and_red_while_that_is_stopped(joined, pack, unit, name, what):
    need(unit.removesuffix(".service"))
    joined.run("systemctl", "enable", "--now", unit)
    import_quick(joined.server, pack)
    found = named(joined.server, f"{pack}!{pack}.UnitServer", name)
    assert get(joined.server, f"/api/objects/{found}")["properties"]["UnitName"] == unit

    def start():
        assert named(joined.server, f"{pack}!{pack}.UnitServer", name) == found, "it is down, not gone"
        joined.run("systemctl", "start", unit)

    alert = turns_red_and_back(
        joined.server, found, f"{pack}.Server.Running", f"{what} does not run", lambda: joined.run("systemctl", "stop", unit), start)
    assert alert["description"] == f"{unit} on machine is inactive (dead)."
    joined.run("systemctl", "disable", "--now", unit)
    done(joined.server, "pack", "remove", pack)


def test_a_restart_that_updates_ask_for_is_a_warning(joined):
    system = one_object(joined.server, SYSTEM)
    alert = turns_red_and_back(
        joined.server, system, "Watchkeeper.Linux.PendingReboot", "A restart is pending",
        lambda: joined.run("touch", "/run/reboot-required"), lambda: joined.run("rm", "/run/reboot-required"), health="Warning")
    assert "machine should be restarted: updates ask for it" in alert["description"]


# A time server on port 123 of the machine's own network, whose clock is as far away as the file says.
TIME_SERVER = """
import socket, struct, time
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("127.0.0.1", 123))
stamp = lambda at: struct.pack("!II", int(at) + 2208988800, int(at % 1 * 2**32))
while True:
    asked, who = server.recvfrom(512)
    now = time.time() + float(open("/run/away").read())
    # leap 0, version 4, mode 4 (server), stratum 1
    server.sendto(struct.pack("!BBbb", 0x24, 1, 6, -20) + bytes(8) + b"TEST" + stamp(now) + asked[40:48] + stamp(now) + stamp(now), who)
"""
# It may not set the clock, which is that of the whole computer; what it measures it says all the same.
MEASURES_ONLY = """[Unit]
ConditionVirtualization=
ConditionCapability=
[Service]
AmbientCapabilities=
CapabilityBoundingSet=
"""


def test_a_clock_far_from_its_time_servers_is_red(joined):
    system = one_object(joined.server, SYSTEM)
    joined.put("/run/away", "0")
    joined.put("/root/time_server.py", TIME_SERVER)
    joined.put("/etc/systemd/system/systemd-timesyncd.service.d/test.conf", MEASURES_ONLY)
    joined.put("/etc/systemd/timesyncd.conf.d/test.conf", "[Time]\nNTP=127.0.0.1\nFallbackNTP=\nConnectionRetrySec=1\n")
    joined.run("systemd-run", "--unit=time-server", "other-python3", "/root/time_server.py")

    def away(seconds):
        joined.put("/run/away", str(seconds))
        joined.run("systemctl", "restart", "systemd-timesyncd.service")

    joined.run("systemctl", "daemon-reload")
    joined.run("systemctl", "enable", "systemd-timesyncd.service")
    away(0)
    alert = turns_red_and_back(
        joined.server, system, "Watchkeeper.Linux.TimeDrift", "The clock is wrong", lambda: away(75.5), lambda: away(0))
    # between a restart of the service and its first answer nothing keeps the clock: then the same alert began with that
    assert re.search(r"7[5-6]\.\d+ s away from its time servers|nothing keeps it", alert["description"]), alert
    joined.run("systemctl", "stop", "time-server.service", "systemd-timesyncd.service")


def test_an_adapter_that_cannot_send_is_red_until_it_can(joined):
    """A tunnel (VXLAN) whose other end is no longer reached: its packets are errors, as those of a card without a cable.
    It has no hardware of its own: an override names it."""
    adapters, far = "Microsoft.Linux.Library!Microsoft.Linux.NetworkAdapter", "192.0.2.9"
    if joined.run("ip", "link", "add", "tunnel0", "type", "vxlan", "id", "7", "remote", far, "dstport", "4789", check=False).returncode != 0:
        pytest.skip("this kernel has no VXLAN")
    route = lambda what: joined.run("ip", "route", what, far, "via", joined.outside)
    for words in ("address add 198.51.100.1/24 dev tunnel0", "link set tunnel0 up", "neighbour add 198.51.100.2 lladdr 02:00:00:00:00:02 dev tunnel0"):
        joined.run("ip", *words.split())
    route("add")
    joined.run("systemd-run", "--unit=sender", "bash", "-c", "while :; do echo packet >/dev/udp/198.51.100.2/9; sleep 0.05; done")
    override(joined.server, f"{LINUX_PACK}.Discovery", COMPUTER, "AlsoDevices", "tunnel?")
    for parameter, value in (("IntervalSeconds", 2), ("PeriodSeconds", 1)):
        override(joined.server, f"{LINUX_PACK}.Network.Errors", adapters, parameter, value)
    found = named(joined.server, adapters, "tunnel0")
    assert {one["name"] for one in objects(joined.server, adapters)} == {"tunnel0"}, "the machine's own link is nobody's concern"
    alert = turns_red_and_back(
        joined.server, found, "Watchkeeper.Linux.Network.Errors", "A network adapter has errors",
        lambda: route("delete"), lambda: route("add"))
    assert "of the packets of tunnel0 on machine had errors" in alert["description"]
    joined.run("systemctl", "stop", "sender.service")
    joined.run("ip", "link", "delete", "tunnel0")
    wait_until(lambda: objects(joined.server, adapters) == [], FIRST_RUN, "the adapter is gone")


def numbers(machine):
    rows = machine.server.query_or_none("Syslog | where ProcessName == 'wk-count' | project SyslogMessage") or []
    return sorted(int(row["SyslogMessage"].removeprefix("number ")) for row in rows)


def test_entries_of_the_journal_are_stored_once_whatever_happens_to_the_agent(joined):
    joined.put("/root/count.sh", "#!/bin/sh\nfor number in $(seq $1 $2); do echo \"number $number\"; done | systemd-cat -t wk-count -p warning\n", 0o755)
    joined.run("/root/count.sh", "1", "500")
    wait_until(lambda: len(numbers(joined)) >= 500, 60, "the first rows")
    # killed while entries come
    joined.run("systemd-run", "--unit=count", "sh", "-c", "for part in $(seq 0 49); do /root/count.sh $((501 + part * 20)) $((520 + part * 20)); sleep 0.1; done")
    for _ in range(2):
        wait_until(lambda: main_process(joined), 60, "the agent runs")
        joined.run("systemctl", "kill", "--signal=KILL", UNIT)
    # entries of the time in which there is no agent
    joined.run("systemctl", "stop", UNIT)
    wait_until(lambda: joined.show("count.service", "ActiveState") != "active", 60, "all are written")
    joined.run("/root/count.sh", "1501", "3500")
    joined.run("systemctl", "start", UNIT)
    wait_until(lambda: len(numbers(joined)) >= 3500, 90, "all rows")
    # the journal goes on in a new file, and what the agent had read of the old one is deleted while it is away
    joined.run("systemctl", "stop", UNIT)
    joined.run("journalctl", "--rotate")
    joined.run("journalctl", "--vacuum-files=1")
    joined.run("/root/count.sh", "3501", "3600")
    joined.run("systemctl", "start", UNIT)
    wait_until(lambda: len(numbers(joined)) >= 3600, 90, "the rows of the new file")
    # the journal's own service starts again while the agent reads
    joined.run("systemctl", "restart", "systemd-journald.service")
    joined.run("/root/count.sh", "3601", "3700")
    wait_until(lambda: len(numbers(joined)) >= 3700, 90, "the rows after the restart")
    assert numbers(joined) == list(range(1, 3701)), "rows were lost or doubled"


def test_an_entry_of_the_journal_raises_an_alert_through_the_rule_of_a_pack(joined):
    server = joined.server
    say = lambda what, priority="err": joined.run("systemd-cat", "-t", "wk-alarm", "-p", priority, "echo", what)
    say("fire in the cellar, last week")
    joined.run("journalctl", "--sync")
    done(server, "pack", "import", str(ROOT / "tests" / "packs" / "Test.Journal.yaml"))
    [computer] = [agent["object"] for agent in get(server, "/api/agents")]
    found = lambda: alerts(server, "Something burns", computer)
    wait_until(lambda: say("fire in the attic") and found(), 60, "the alert")
    say("fire in the attic, so they say", "info")
    joined.run("systemctl", "stop", UNIT)
    say("fire in the kitchen")
    joined.run("systemctl", "start", UNIT)
    wait_until(lambda: len(found()) >= 2, 60, "what was said without the agent")
    texts = sorted(alert["description"] for alert in found())
    assert texts == ["wk-alarm on machine said: fire in the attic", "wk-alarm on machine said: fire in the kitchen"], texts
    [kitchen] = [alert for alert in found() if "kitchen" in alert["description"]]
    assert kitchen["repeatCount"] == 0 and kitchen["severity"] == "Error"


def test_an_agent_that_dies_again_and_again_is_a_warning(joined):
    component = named(joined.server, COMPONENT, UNIT)
    joined.run("systemctl", "reset-failed", UNIT)

    def die():
        for _ in range(3):
            before = wait_until(lambda: main_process(joined), 60, "it runs")
            joined.run("kill", "-KILL", str(before))
            wait_until(lambda: main_process(joined) not in (0, before), 60, "systemd starts it again")

    turns_red_and_back(
        joined.server, component, "Watchkeeper.Self.Component.Restarts", "A part of Watchkeeper was restarted often",
        die, lambda: joined.run("systemctl", "reset-failed", UNIT), health="Warning")
