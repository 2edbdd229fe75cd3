"""Alert rules on two servers over one PostgreSQL: each rule is evaluated by one of them, each alert is told once, also when
the server that is telling is killed."""

import itertools
import os
import shutil
import threading
import time

from conftest import wait_until
from test_alert_rules import Receiver, group, rule
from test_failover import Serve, postgresql  # noqa: F401 (a fixture)
from test_management_group import get

RULES = 8


def serve_alerts(server):
    """Rules may run every second; the server's own agent has no part in it."""
    server.config.write_text(server.config.read_text() + "[alerts]\nshortest_frequency_seconds = 1\n[packs]\nshipped = false\n")
    return server


def pid_at(port, pids):
    """Which of these processes has the connection from a port of this machine."""
    sockets = {fields[9] for line in open("/proc/net/tcp").read().splitlines()[1:]
               if (fields := line.split())[1].endswith(f":{port:04X}")}
    for pid in pids:
        for handle in os.listdir(f"/proc/{pid}/fd"):
            try:
                name = os.readlink(f"/proc/{pid}/fd/{handle}")
            except FileNotFoundError:
                continue
            if name.removeprefix("socket:[").removesuffix("]") in sockets:
                return pid
    return None


def test_rules_are_evaluated_once_and_told_once_also_when_a_server_is_killed(postgresql, tmp_path):  # noqa: F811
    receiver = Receiver()
    entered, released = itertools.count(1), threading.Event()
    pids, killed = [], []
    handle = receiver.server.RequestHandlerClass.do_POST

    def do_post(handler):
        # the third call is not answered: whoever makes it is killed
        if next(entered) == 3:
            handler.rfile.read(int(handler.headers["Content-Length"]))
            killed.extend([pid_at(handler.client_address[1], pids), handler.headers["Idempotency-Key"]])
            released.wait(60)
            return
        handle(handler)

    receiver.server.RequestHandlerClass.do_POST = do_post
    one = serve_alerts(Serve(tmp_path / "one", postgresql)).start()
    two = second_with_alerts(one, tmp_path / "two", postgresql)
    servers = {server.process.pid: server for server in (one, two)}
    pids.extend(servers)
    try:
        told = group(one, "told", webhookReceivers=[{"name": "hook", "serviceUri": f"{receiver.url}/told", "useCommonAlertSchema": True}])
        for number in range(RULES):
            # of no table: it says the same wherever it runs
            rule(one, f"always{number}", "print TimeGenerated = now() - 1s, Level = 'error'", [told])
        wait_until(lambda: len(killed) == 2, 90, "a call that is not answered")
        pid, key = killed
        servers[pid].kill()
        released.set()
        at = time.time()
        [left] = [server for server in (one, two) if server.process.pid != pid]
        wait_until(lambda: len(receiver.told("/told")) == RULES, 90, "a call for every rule")

        def evaluated():
            """Every rule runs where there is still a server."""
            runs = [one["health"]["lastRun"] for one in get(left, "/api/alert-rules")]
            return len(runs) == RULES and all(run and moment(run) > at for run in runs)
        wait_until(evaluated, 90, "the rules of the other server")
        keys = [call["headers"]["idempotency-key"] for call in receiver.told("/told")]
        rules = {call["body"]["data"]["essentials"]["alertRule"] for call in receiver.told("/told")}
        assert len(set(keys)) == len(keys) == RULES and len(rules) == RULES and key in keys
        alerts = get(left, "/subscriptions/s/providers/Microsoft.AlertsManagement/alerts?api-version=2019-03-01&pageCount=250")["value"]
        assert len([alert for alert in alerts if "always" in alert["properties"]["essentials"]["alertRule"]]) == RULES
    finally:
        released.set()
        receiver.server.shutdown()
        for server in (one, two):
            server.stop(seconds=60)


def second_with_alerts(one, folder, url):
    two = serve_alerts(Serve(folder, url))
    shutil.copy(one.data / "state.key", two.data / "state.key")
    return two.start()


def moment(text):
    from datetime import datetime
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()
