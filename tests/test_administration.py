"""Commands that administrators live in: heartbeat settings, groups, resolution states."""

import contextlib
import json
import subprocess

from conftest import BINARIES, product_environment, wait_until
from test_agent_install import command, make_token
from test_management_group import alerts, get, pack_file, tanks, watchkeeper, write_level


def recent(product, computer):
    rows = product.query_or_none(f"Heartbeat | where Computer == '{computer}' and TimeGenerated > ago(15s) | count")
    return rows[0]["Count"] if rows else 0


def test_settings_reach_agents_at_once_and_decide_when_silence_is_a_failure(own_product, tmp_path):
    own_product.start()
    token, fingerprint = make_token(own_product)
    config, log = tmp_path / "beat.toml", tmp_path / "beat.log"
    config.write_text(
        f'servers = ["{own_product.ready["agent_endpoint"]}"]\ndata = "{tmp_path}/beat"\ncomputer = "beat.example"\n'
        f'ca_fingerprint = "{fingerprint}"\ntoken = "{token}"\n')
    with log.open("w") as out:
        agent = subprocess.Popen([BINARIES / "watchkeeper-agent", "run", "--config", config], env=product_environment(),
                                 stdin=subprocess.DEVNULL, stdout=out, stderr=out)
    try:
        wait_until(lambda: recent(own_product, "beat.example"), 90, "the first heartbeat")
        listed = json.loads(command(own_product, "heartbeats", "list", "--format", "json").stdout)
        assert listed == [{"computer": "(all others)", "intervalSeconds": 60, "allowedMisses": 3, "failureAfterSeconds": 240,
                           "agent": ""}]
        assert recent(own_product, "beat.example") <= 2, "one a minute"

        done = command(own_product, "heartbeats", "set", "--interval", "1", "--agent", "beat.example", "--misses", "4")
        assert done.returncode == 0, done.stderr
        wait_until(lambda: recent(own_product, "beat.example") > 8, 60, "a heartbeat a second, in the same session")
        assert sum("connected" in line for line in log.read_text().splitlines()) == 1, log.read_text()
        assert "beat.example,1,4,5" in command(own_product, "heartbeats", "--format", "csv").stdout
        others = [one["computer"] for one in get(own_product, "/api/agents") if one["computer"] != "beat.example"]
        assert all(recent(own_product, other) <= 2 for other in others), "the others keep theirs"

        agent.kill()
        agent.wait()
        wait_until(lambda: [alert for alert in get(own_product, "/api/alerts") if "Heartbeat" in alert["name"]], 60,
                   "the alert of missed heartbeats, long before four minutes")
    finally:
        agent.kill()
        agent.wait()
    reset = command(own_product, "heartbeats", "reset", "beat.example")
    assert reset.returncode == 0, reset.stderr
    assert len(json.loads(command(own_product, "heartbeats", "--format", "json").stdout)) == 1
    for arguments, part in ((["--interval", "0"], "1 to 3600"), (["--misses", "0"], "1 to 100"), ([], "--interval")):
        refused = watchkeeper(own_product, "heartbeats", "set", *arguments)
        assert refused.returncode != 0 and part in refused.stderr, refused.stderr


def test_a_group_is_made_changed_and_removed(own_product):
    own_product.start()
    computer = wait_until(lambda: [agent["computer"] for agent in get(own_product, "/api/agents") if agent["connected"]], 90,
                          "the product's own agent")[0]

    def members():
        listed = watchkeeper(own_product, "groups", "members", "Web & more", "--format", "json")
        assert listed.returncode == 0, listed.stderr
        return [member["name"] for member in json.loads(listed.stdout)]

    linux = "Microsoft.Unix.Library!Microsoft.Unix.Computer"
    made = watchkeeper(own_product, "groups", "add", "Web & more", "--class", linux)
    assert made.returncode == 0, made.stderr
    wait_until(lambda: members() == [computer], 30, "the computer is a member")
    assert "Web & more,1" in watchkeeper(own_product, "groups", "--format", "csv").stdout
    again = watchkeeper(own_product, "groups", "add", "Web & more", "--class", linux)
    assert again.returncode == 1 and "groups set" in again.stderr
    changed = watchkeeper(own_product, "groups", "set", "Web & more", "--class", linux, "--where", "PrincipalName=^no such$")
    assert changed.returncode == 0, changed.stderr
    wait_until(lambda: members() == [], 30, "nobody matches")
    changed = watchkeeper(own_product, "groups", "set", "Web & more", "--class", linux, "--where", "PrincipalName=.",
                          "--where", f"PrincipalName=^{computer}$")
    assert changed.returncode == 0, changed.stderr
    wait_until(lambda: members() == [computer], 30, "both conditions hold")
    assert watchkeeper(own_product, "groups", "remove", "Web & more").returncode == 0
    assert "Web & more" not in watchkeeper(own_product, "groups", "--format", "csv").stdout
    for arguments, part in ((["add", "x", "--class", "nothing"], "Pack!Class"), (["add", "x", "--class", "No.Pack!C"], "no management pack"),
                            (["remove", "x"], "no group")):
        refused = watchkeeper(own_product, "groups", *arguments)
        assert refused.returncode == 1 and part in refused.stderr, refused.stderr


def test_resolution_states_are_named_and_removed(own_product):
    own_product.start()

    def states():
        return {one["code"]: one["name"] for one in json.loads(watchkeeper(own_product, "alerts", "states", "--format", "json").stdout)}

    before = states()
    assert before[0] == "New" and before[255] == "Closed" and 42 not in before
    assert watchkeeper(own_product, "alerts", "states", "set", "42", "Waits for vendor").returncode == 0
    assert states() == {**before, 42: "Waits for vendor"}
    for code, name, part in (("0", "Fresh", "built in"), ("43", "waits FOR vendor", "already"), ("43", "44", "no number")):
        refused = watchkeeper(own_product, "alerts", "states", "set", code, name)
        assert refused.returncode == 1 and part in refused.stderr, refused.stderr
    assert watchkeeper(own_product, "alerts", "states", "remove", "42").returncode == 0
    assert states() == before
    assert watchkeeper(own_product, "alerts", "states", "remove", "255").returncode == 1


def test_what_administrators_ask_of_the_group_itself(own_product, tmp_path):
    product = own_product.start()
    asked = lambda *arguments: json.loads(command(product, *arguments, "--format", "json").stdout)
    refused = lambda *arguments: (lambda done: done.returncode == 1 and done.stderr)(watchkeeper(product, *arguments))

    [server] = wait_until(lambda: [one for one in asked("servers") if one["pools"]], 60, "the server is in its pools")
    assert (server["alive"], server["answers"], server["kind"]) == (True, True, "management")
    assert "All Management Servers Resource Pool" in server["pools"] and server["agentEndpoint"].endswith(product.ready["agent_endpoint"].split(":")[1])
    assert command(product, "servers", "--format", "csv").stdout.startswith("name,kind,alive,agentEndpoint,pools,answers,id\n")

    days = lambda: {one["setting"]: one["days"] for one in asked("settings")}
    assert days() == {"resolveAlerts": 30, "resolveHealthyAlerts": 7, "keepClosedAlerts": 7, "keepStateChanges": 7, "keepTasks": 7,
                      "keepMaintenance": 7, "keepObjectHistory": 7}
    command(product, "settings", "set", "keepTasks=30", "resolveAlerts=0")
    assert (days()["keepTasks"], days()["resolveAlerts"], days()["keepClosedAlerts"]) == (30, 0, 7)
    for wrong, part in (("keepTasks=0", "1 day is the least"), ("keepTask=5", "keepTasks"), ("keepTasks=9999", "3650"), ("keepTasks=x", "NAME=DAYS")):
        assert part in refused("settings", "set", wrong), wrong
    assert days()["keepTasks"] == 30

    computer = wait_until(lambda: [agent for agent in get(product, "/api/agents") if agent["connected"]], 90, "the product's own agent")[0]
    assert asked("agents", "proxy", computer["computer"])["proxy"] is False
    assert asked("agents", "proxy", computer["computer"], "on")["proxy"] is True
    assert asked("agents", "proxy", computer["computer"])["proxy"] is True
    assert "agents" in refused("agents", "proxy", "nobody", "on")

    # an object that a discovery has found, hosted by the computer, with an alert
    level = tmp_path / "level"
    write_level(level, 95)
    command(product, "pack", "import", str(pack_file(tmp_path, level)))
    [tank] = wait_until(lambda: tanks(product), 60, "the tank")
    kinds = asked("relationships")
    assert all(kind["instances"] >= 0 and "!" in kind["relationship"] for kind in kinds)
    mine = asked("relationships", "--object", tank["id"])
    assert [one["sourceId"] for one in mine if one["targetId"] == tank["id"]] == [computer["object"]], mine
    assert {one["relationship"] for one in mine} <= {kind["relationship"] for kind in kinds if kind["instances"]}
    [alert] = wait_until(lambda: alerts(product), 60, "the alert")
    listed = lambda *arguments: [one["id"] for one in asked("alerts", *arguments)]
    command(product, "alerts", "set", alert["id"], "--owner", "somebody")
    for some, none in (("--name", alert["name"]), "nothing"), (("--priority", alert["priority"]), "nothing"):
        assert listed(*some) == [alert["id"]] and listed(some[0], none) == []
    changer = asked("alerts", "history", alert["id"])[-1]["by"]
    assert listed("--modified-by", changer) == [alert["id"]] and listed("--resolved-by", changer) == []

    discovery = next(one["element"] for one in asked("discoveries") if one["element"].startswith("Test.Level!"))
    row = lambda of: {(one["element"], one["name"]): (one["value"], one.get("scope")) for one in asked("overrides", "export", of)}
    before = row(tank["id"])
    assert before[("Test.Level!Test.Level.Monitor", "Enabled")] == ("true", None)
    command(product, "overrides", "set", "Test.Level!Test.Level.Monitor", "Critical=99", "--parameter", "--object", tank["id"])
    assert row(tank["id"])[("Test.Level!Test.Level.Monitor", "Critical")] == ("99", "object")
    assert asked("discoveries", "remove-disabled") == {"removed": 0}
    command(product, "overrides", "set", discovery, "Enabled=false", "--object", computer["object"])
    assert tanks(product), "what was found stays"
    assert asked("discoveries", "remove-disabled") == {"removed": 1}
    assert tanks(product) == []


def test_a_schedule_rests_while_it_is_disabled(own_product):
    product = own_product.start()
    computer = wait_until(lambda: [agent["object"] for agent in get(product, "/api/agents") if agent["connected"]], 90, "the agent")[0]
    added = command(product, "maintenance", "schedule", "add", "nightly", computer, "--start", "2020-01-01T00:00", "--minutes", "1440",
                    "--every", "daily", "--format", "json")
    assert json.loads(added.stdout)["enabled"] is True
    wait_until(lambda: get(product, "/api/maintenance"), 60, "its window")
    disabled = json.loads(command(product, "maintenance", "schedule", "disable", "nightly", "--format", "json").stdout)
    assert disabled["enabled"] is False
    command(product, "maintenance", "stop", computer)
    wait_until(lambda: not get(product, "/api/maintenance"), 60, "no window")
    enabled = json.loads(command(product, "maintenance", "schedule", "enable", "nightly", "--format", "json").stdout)
    assert enabled["enabled"] is True
    wait_until(lambda: get(product, "/api/maintenance"), 60, "its window again")
    missing = watchkeeper(product, "maintenance", "schedule", "enable", "weekly")
    assert missing.returncode == 1 and "schedule list" in missing.stderr


def test_a_machine_asks_for_its_own_maintenance_also_while_its_server_is_away(own_product, tmp_path):
    product = own_product.start()
    token, fingerprint = make_token(product)
    config = tmp_path / "agent.toml"
    write = lambda: config.write_text(
        f'servers = ["{product.ready["agent_endpoint"]}"]\ndata = "{tmp_path}/agent"\ncomputer = "quiet.example"\n'
        f'ca_fingerprint = "{fingerprint}"\ntoken = "{token}"\n')
    write()
    ask = lambda *arguments: agent_command("maintenance", "--config", config, *arguments)
    computers = lambda: [one["object"] for one in get(product, "/api/agents") if one["computer"] == "quiet.example" and one["object"]]
    windows = lambda: [one for one in get(product, "/api/maintenance") if one["object"] in computers()]
    with agent_process(config, tmp_path / "agent.log"):
        wait_until(computers, 90, "the agent's computer")
        for arguments, part in ((["--minutes", "4"], "5 to 1051200"), (["--minutes", "5", "--reason", "Tired"], "PlannedOther")):
            refused = ask(*arguments)
            assert refused.returncode == 1 and part in refused.stderr, refused.stderr
        asked = ask("--minutes", "10", "--reason", "PlannedHardwareMaintenance", "--comment", "a new disk")
        assert asked.returncode == 0, asked.stderr
        [first] = wait_until(windows, 30, "its maintenance")
        assert (first["reason"], first["comments"], first["startedBy"]) == ("PlannedHardwareMaintenance", "a new disk", "quiet.example")
        row = wait_until(lambda: product.query_or_none("Audit | where Action == 'start maintenance'"), 60, "the row of Audit")[0]
        assert row["CallerType"] == "Agent" and row["Result"] == "Succeeded", row
        product.stop()
        assert ask("--minutes", "30").returncode == 0, "it waits in the queue"
    product.start()
    write()
    with agent_process(config, tmp_path / "agent.log"):
        wait_until(lambda: len(windows()) == 2 or max(one["endsAt"] for one in windows()) > first["endsAt"], 90, "the second, once the server is back")


def agent_command(*arguments):
    return subprocess.run([BINARIES / "watchkeeper-agent", *map(str, arguments)], env=product_environment(), capture_output=True,
                          text=True, timeout=60)


@contextlib.contextmanager
def agent_process(config, log):
    with log.open("ab") as out:
        process = subprocess.Popen([BINARIES / "watchkeeper-agent", "run", "--config", config], env=product_environment(),
                                   stdin=subprocess.DEVNULL, stdout=out, stderr=out)
    try:
        yield process
    finally:
        process.kill()
        process.wait()
