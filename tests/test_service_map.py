"""The map: rows that agents send become one graph, at any time."""

import pytest

from conftest import Product
from service_map_world import at, shop, text


@pytest.fixture(scope="module")
def shop_product(tmp_path_factory):
    """A product with the shop's rows, and the shop."""
    running = Product(tmp_path_factory.mktemp("map") / "data").start()
    world = shop()
    world.send(running)
    yield running, world
    running.stop()


def get(product, path, status=200, **arguments):
    answer = product.session.get(f"{product.url}{path}", headers={"Authorization": f"Bearer {product.token()}"}, **arguments)
    assert answer.status_code == status, f"{answer.status_code} {answer.text}"
    return answer.json()


def picture(answer, world):
    """The edges of a map among the shop's machines, as text."""
    ours = {known["id"]: name for name, known in world.machines.items()}
    nodes = {}
    for process in answer["processes"]:
        if process["machine"] in ours:
            nodes[process["id"]] = f"{ours[process['machine']]}/{process['displayName'].lower()}"
    for group in answer["clientGroups"]:
        nodes[group["id"]] = f"{group['members']} clients"
    for group in answer["portGroups"]:
        nodes[group["id"]] = f"{group['members']} servers"
    edges = [edge for edge in answer["edges"] if edge["sourceMachine"] in ours or edge["targetMachine"] in ours]
    return {f"{nodes[edge['source']]} -> {nodes[edge['target']]}:{edge['port']}": edge for edge in edges}


def test_a_map_of_any_window_joins_both_ends(shop_product):
    product, world = shop_product
    shop_of = {
        name: {
            "2 clients -> web/nginx:443", f"web/nginx -> {name}/java:8080", f"{name}/java -> db/postgres:5432",
            f"{name}/java -> 1 servers:25", f"{name}/redis-cli -> {name}/redis:6379",
        }
        for name in ("app1", "app2")
    }
    shop_of["app2"].add("app2/backup -> db/port 4475:4475")
    for name, start, end in [("app1", 180, 120), ("app2", 60, 0)]:
        window = {"from": text(at(start)), "to": text(at(end))}
        answer = get(product, "/api/map", params=window)
        assert answer["window"] == window
        edges = picture(answer, world)
        assert set(edges) == shop_of[name]
        # three minutes, as the client counts them
        calls = edges[f"web/nginx -> {name}/java:8080"]
        assert (calls["links"], calls["bytes"]) == (
            {"established": 3, "terminated": 0, "failed": 0, "live": 1}, {"sent": 3000, "received": 15000})
        assert (calls["responses"], calls["responseTimeAverage"], calls["responseTimeMax"]) == (6, 15.0, 20)
        # without an agent at the client, the server's figures from the client's side
        clients = edges["2 clients -> web/nginx:443"]
        assert clients["bytes"] == {"sent": 30000, "received": 6000}
        [group] = [group for group in answer["portGroups"] if group["port"] == 25]
        assert (group["addresses"], group["dnsNames"]) == (["198.51.100.25"], ["mail.example.net"])
        [clients] = [group for group in answer["clientGroups"] if group["port"] == 443]
        assert clients["addresses"] == ["203.0.113.7", "203.0.113.8"]
    failing = edges["app2/backup -> db/port 4475:4475"]
    assert failing["links"]["failed"] == 3
    [app2] = [machine for machine in answer["machines"] if machine["id"] == world.machines["app2"]["id"]]
    assert (app2["name"], app2["fullName"], app2["os"]) == ("app2", "app2.example.com", "linux")
    assert app2["addresses"] == ["10.0.0.3", "10.1.0.3"] and app2["monitored"]
    [java] = [process for process in answer["processes"] if process["machine"] == app2["id"] and process["name"] == "java"]
    assert (java["process"], java["user"], java["path"]) == ("p-java", "www", "/usr/bin/java")
    assert [port["port"] for port in answer["ports"] if port["process"] == java["id"]] == [8080]


def test_a_map_is_of_the_last_hour_and_refuses_what_is_no_window(shop_product):
    product, world = shop_product
    assert "web/nginx -> app2/java:8080" in picture(get(product, "/api/map"), world)
    refused = get(product, "/api/map", 400, params={"from": "yesterday"})
    assert "yesterday" in refused["error"]["message"]
    refused = get(product, "/api/map", 400, params={"from": text(at(1)), "to": text(at(2))})
    assert "it has to end later" in refused["error"]["message"]
    assert product.session.get(f"{product.url}/api/map").status_code == 401
