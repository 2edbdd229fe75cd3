"""The life of an agent as administrators see it: it waits, is rejected or approved, is revoked, and is removed."""

import subprocess

import pytest

from conftest import BINARIES, product_environment, wait_until
from test_agent_install import command, make_token
from test_management_group import get


@pytest.fixture
def newcomer(own_product, tmp_path):
    """Starts an agent that asks to join a product of its own (the shared one counts its machines); ends it afterwards."""
    product = own_product.start()
    token, fingerprint = make_token(product)
    running = []

    def start(name):
        config = tmp_path / f"{name}.toml"
        config.write_text(
            f'servers = ["{product.ready["agent_endpoint"]}"]\ndata = "{tmp_path}/{name}"\ncomputer = "{name}"\n'
            f'ca_fingerprint = "{fingerprint}"\ntoken = "{token}"\n')
        log = (tmp_path / f"{name}.log").open("w")
        running.append(subprocess.Popen(
            [BINARIES / "watchkeeper-agent", "run", "--config", config], env=product_environment(),
            stdin=subprocess.DEVNULL, stdout=log, stderr=log))
        return tmp_path / f"{name}.log"

    command(product, "agents", "approval", "pending")
    yield start
    for process in running:
        process.kill()
        process.wait()


def agent_of(product, name):
    found = [agent for agent in get(product, "/api/agents") if agent["computer"] == name]
    return found[0] if found else None


def test_an_agent_waits_is_approved_revoked_and_removed(own_product, newcomer):
    product = own_product
    newcomer("life.example")
    waiting = wait_until(lambda: agent_of(product, "life.example"), 60, "the agent that waits")
    assert waiting["status"] == "pending" and not waiting["connected"]
    assert "life.example" in command(product, "agents", "pending").stdout
    assert not product.query_or_none("Heartbeat | where Computer == 'life.example'"), "it sends nothing before"

    assert command(product, "agents", "approve", "life.example").returncode == 0
    wait_until(lambda: product.query_or_none("Heartbeat | where Computer == 'life.example' | take 1"), 90, "its heartbeat")
    assert agent_of(product, "life.example")["connected"]

    assert command(product, "agents", "revoke", "life.example").returncode == 0
    wait_until(lambda: not agent_of(product, "life.example")["connected"], 30, "its session ends")
    assert agent_of(product, "life.example")["status"] == "revoked"

    assert command(product, "agents", "remove", "life.example").returncode == 0
    assert agent_of(product, "life.example") is None
    gone = command(product, "agents", "approve", "life.example")
    assert gone.returncode == 1 and "`watchkeeper agents` lists them" in gone.stderr
    actions = wait_until(
        lambda: (lambda rows: rows if len(rows) >= 3 else None)(
            [row["Action"] for row in product.query_or_none("Audit | where Action endswith ' agent' | project Action") or []]),
        60, "the audit rows")
    assert {"approve agent", "revoke agent", "remove agent"} <= set(actions)


def test_a_rejected_agent_stays_out(own_product, newcomer):
    product = own_product
    log = newcomer("rejected.example")
    wait_until(lambda: agent_of(product, "rejected.example"), 60, "the agent that waits")
    assert command(product, "agents", "reject", "rejected.example").returncode == 0
    wait_until(lambda: "reject" in log.read_text(), 60, "the agent says that it was rejected")
    assert agent_of(product, "rejected.example")["status"] == "rejected"
    assert not product.query_or_none("Heartbeat | where Computer == 'rejected.example'")
    assert command(product, "agents", "remove", "rejected.example").returncode == 0
