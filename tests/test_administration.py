"""Commands that administrators live in: heartbeat settings, groups, resolution states."""

import json
import subprocess

from conftest import BINARIES, product_environment, wait_until
from test_agent_install import command, make_token
from test_management_group import get, watchkeeper


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
