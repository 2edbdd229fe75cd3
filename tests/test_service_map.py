"""The map: rows that agents send become one graph, at any time; the Service Map REST API over it."""

import json
import os
import subprocess

import pytest

from conftest import ROOT, Product
from service_map_world import shop


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
        window = dict(zip(("from", "to"), world.window(start, end)))
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
    refused = get(product, "/api/map", 400, params=dict(zip(("from", "to"), world.window(1, 2))))
    assert "it has to end later" in refused["error"]["message"]
    assert product.session.get(f"{product.url}/api/map").status_code == 401


def test_a_map_of_a_group_has_its_machines_and_what_they_talk_to(shop_product):
    """A computer group of any kind and a machine group: by id, name or alias."""
    product, world = shop_product

    def made(method, path, body=None):
        answer = product.session.request(method, f"{product.url}{path}", json=body, headers={"Authorization": f"Bearer {product.token()}"})
        assert answer.ok, answer.text
        return answer.json() if answer.content else None
    by_hand = made("POST", "/api/computer-groups", {"name": "Front", "alias": "front", "computers": ["WEB", "nobody"]})
    asked = made("POST", "/api/computer-groups", {"name": "Back", "query": 'VMComputer | where Computer startswith "db." | distinct Computer'})
    whole = get(product, "/api/map")
    names = lambda answer: {one["name"] for one in answer["machines"]} & set(world.machines)  # noqa: E731
    assert {"web", "app2", "db"} <= names(whole)
    for group in ("front", "Front", by_hand["id"]):
        answer = get(product, "/api/map", params={"group": group})
        assert names(answer) == {"web", "app2"}
        assert set(picture(answer, world)) == {"2 clients -> web/nginx:443", "web/nginx -> app2/java:8080"}
        assert [one["port"] for one in answer["clientGroups"]] == [443] and answer["portGroups"] == []
    answer = get(product, "/api/map", params={"group": "Back"})
    assert names(answer) == {"app2", "db"}
    assert set(picture(answer, world)) == {"app2/java -> db/postgres:5432", "app2/backup -> db/port 4475:4475"}
    workspace = (f"/subscriptions/x/resourceGroups/x/providers/Microsoft.OperationalInsights/workspaces/{product.ready['workspace_id']}"
                 "/features/serviceMap/machineGroups?api-version=2015-11-01-preview")
    machines = made("POST", workspace, {"kind": "machineGroup", "properties": {"displayName": "Data", "machines": [
        {"kind": "ref:machine", "id": world.machines["db"]["id"]}]}})
    answer = get(product, "/api/map", params={"group": machines["name"]})
    assert names(answer) == {"app2", "db"} and "Data" in [one["name"] for one in answer["machineGroups"]]
    made("PATCH", f"/api/computer-groups/{by_hand['id']}", {"computers": []})
    assert get(product, "/api/map", params={"group": "front"})["machines"] == []
    assert "no group" in get(product, "/api/map", 404, params={"group": "nothing"})["error"]["message"]
    for group in (by_hand, asked):
        made("DELETE", f"/api/computer-groups/{group['id']}")
    made("DELETE", workspace.replace("machineGroups?", f"machineGroups/{machines['name']}?"))


# The Service Map REST API. What has to be there in each answer is what its specification (2015-11-01-preview) requires.

REQUIRED = {
    "machine": ("id", "type", "name", "kind"),
    "process": ("id", "type", "name", "kind"),
    "port": ("id", "type", "name", "kind"),
    "clientGroup": ("id", "type", "name", "kind", "properties.clientsOf"),
    "machineGroup": ("id", "type", "name", "kind", "etag", "properties.displayName"),
    "rel:connection": ("id", "type", "name", "kind", "properties.source", "properties.destination"),
    "rel:acceptor": ("id", "type", "name", "kind", "properties.source", "properties.destination"),
    "ref:machine": ("id", "kind"), "ref:machinewithhints": ("id", "kind"), "ref:process": ("id", "kind"),
    "ref:port": ("id", "kind"), "ref:clientgroup": ("id", "kind"),
}
VALUES = {
    "monitoringState": {"monitored", "discovered"}, "virtualizationState": {"unknown", "physical", "virtual", "hypervisor"},
    "failureState": {"ok", "failed", "mixed"}, "family": {"unknown", "windows", "linux", "solaris", "aix"},
    "bitness": {"32bit", "64bit"}, "role": {"webServer", "appServer", "databaseServer", "ldapServer", "smbServer"},
    "virtualMachineType": {"unknown", "hyperv", "ldom", "lpar", "vmware", "virtualPc", "xen"},
    "osFamilyHint": {"unknown", "windows", "linux", "solaris", "aix"}, "cpuSpeedAccuracy": {"actual", "estimated"},
    "rebootStatus": {"unknown", "rebooted", "notRebooted"}, "accuracy": {"actual", "estimated"},
}


def check_shape(value, where="answer"):
    """Every resource, reference and relationship in an answer has what it has to have."""
    if isinstance(value, list):
        for index, item in enumerate(value):
            check_shape(item, f"{where}[{index}]")
    if not isinstance(value, dict):
        return
    for path in REQUIRED.get(value.get("kind"), ()):
        found = value
        for part in path.split("."):
            assert part in found, f"{where} has no {path}: {value}"
            found = found[part]
    if "kind" in value:
        assert value["kind"] in REQUIRED, f"{where}: {value['kind']}"
    for name, item in value.items():
        if name in VALUES:
            assert item in VALUES[name], f"{where}.{name} is {item!r}"
        if name in ("operatingSystem",):
            assert {"family", "fullName", "bitness"} <= set(item)
        check_shape(item, f"{where}.{name}")


class ServiceMap:
    """A caller of the API."""

    def __init__(self, product, world):
        self.product = product
        self.before, self.lately = (
            dict(zip(("startTime", "endTime"), world.window(start, end))) for start, end in ((180, 120), (60, 0)))
        self.base = (
            "/subscriptions/63be4e24-fdf0-4e9c-9342-6a5d5a359722/resourceGroups/rg-sm/providers/"
            f"Microsoft.OperationalInsights/workspaces/{product.ready['workspace_id']}/features/serviceMap")
        self.headers = {"Authorization": f"Bearer {product.token('https://management.azure.com/.default')}"}

    def call(self, method, path, status, headers=None, json=None, **parameters):
        url = path if path.startswith("http") else f"{self.product.url}{self.base}{path}"
        if not path.startswith("http"):
            parameters = {"api-version": "2015-11-01-preview", **parameters}
        answer = self.product.session.request(
            method, url, params=parameters, headers={**self.headers, **(headers or {})}, json=json)
        assert answer.status_code == status, f"{method} {path}: {answer.status_code} {answer.text}"
        if status == 204:
            return None
        body = answer.json()
        if status >= 400:
            assert body["error"]["code"] and body["error"]["message"]
            return body["error"]
        check_shape(body)
        return body

    def get(self, path, status=200, **parameters):
        return self.call("GET", path, status, **parameters)


@pytest.fixture(scope="module")
def service_map(shop_product):
    return ServiceMap(*shop_product)


def names(body, world):
    """Machines of the world by name, others by their resource name."""
    ours = {known["id"]: name for name, known in world.machines.items()}
    return {ours.get(item["name"], item["name"]) for item in body["value"]}


def test_machines_are_listed_as_they_were(shop_product, service_map):
    product, world = shop_product
    before, lately = names(service_map.get("/machines", **service_map.before), world), names(service_map.get("/machines", **service_map.lately), world)
    assert before == {"web", "app1", "db", "t-c6336419"}
    # this machine's own agent is there too
    assert {"web", "app2", "db", "t-c6336419"} <= lately and "app1" not in lately
    inventory = service_map.get("/machines", live="false", timestamp=service_map.before["endTime"])
    assert names(inventory, world) == {"web", "app1", "db"}
    assert {"web", "app1", "app2", "db"} <= names(service_map.get("/machines", live="false"), world)

    app2 = world.machines["app2"]["id"]
    machine = service_map.get(f"/machines/{app2}")
    assert machine["id"] == f"{service_map.base}/machines/{app2}" and machine["name"] == app2 and machine["kind"] == "machine"
    properties = machine["properties"]
    assert (properties["monitoringState"], properties["displayName"], properties["fullyQualifiedDomainName"]) == ("monitored", "app2", "app2.example.com")
    assert [one["ipAddress"] for one in properties["networking"]["ipv4Interfaces"]] == ["10.0.0.3", "10.1.0.3"]
    assert (properties["resources"]["physicalMemory"], properties["agent"]["agentId"]) == (4096, app2[2:])
    assert service_map.get(f"/machines/{app2}", 404, timestamp=service_map.before["endTime"])["code"] == "ResourceNotFound"
    for window, live in ((service_map.before, False), (service_map.lately, True)):
        body = service_map.get(f"/machines/{app2}/liveness", **window)
        assert body == {"startTime": window["startTime"], "endTime": window["endTime"], "live": live}
    mail = service_map.get("/machines/t-c6336419", timestamp=service_map.lately["endTime"])
    assert (mail["properties"]["monitoringState"], mail["properties"]["displayName"]) == ("discovered", "mail.example.net")


def test_machines_come_in_pages_of_one_time(service_map):
    whole = [item["name"] for item in service_map.get("/machines", **service_map.before)["value"]]
    seen, page = [], service_map.get("/machines", **service_map.before, **{"$top": "3"})
    while True:
        assert len(page["value"]) <= 3
        seen += [item["name"] for item in page["value"]]
        if "nextLink" not in page:
            break
        assert page["nextLink"].startswith(service_map.product.url)
        page = service_map.get(page["nextLink"])
    assert seen == whole and len(whole) == 4


def test_processes_ports_and_connections_of_a_machine(shop_product, service_map):
    _, world = shop_product
    app, database, web = (world.machines[name]["id"] for name in ("app2", "db", "web"))
    processes = service_map.get(f"/machines/{app}/processes", **service_map.lately)["value"]
    assert {one["name"] for one in processes} == {"p-java", "p-redis", "p-redis-cli", "p-backup"}
    [java] = [one["properties"] for one in processes if one["name"] == "p-java"]
    assert (java["role"], java["executableName"], java["details"]["commandLine"]) == ("appServer", "java", "/usr/bin/java --serve")
    assert java["machine"]["name"] == app and java["user"] == {"userName": "www"}
    assert [one["name"] for one in service_map.get(f"/machines/{app}/processes", live="false")["value"]] == ["p-java"]
    assert service_map.get(f"/machines/{app}/processes", 404, **service_map.before)["code"] == "ResourceNotFound"

    ports = {one["name"] for one in service_map.get(f"/machines/{app}/ports", **service_map.lately)["value"]}
    assert ports == {"b-0a000003_8080", "b-7f000001_6379"}
    connections = service_map.get(f"/machines/{app}/connections", **service_map.lately)["value"]
    ends = {(one["properties"]["source"]["name"], one["properties"]["destination"]["name"]): one["properties"] for one in connections}
    assert set(ends) == {
        ("p-nginx", "p-java"), ("p-java", "p-postgres"), ("p-java", "ts-m@t-c6336419@b@b-c6336419_25"), ("p-redis-cli", "p-redis"),
        ("p-backup", f"ts-m@{database}@b@b-0a000004_4475")}
    assert ends["p-java", "p-postgres"]["serverPort"]["name"] == "b-0a000004_5432" and ends["p-java", "p-postgres"]["failureState"] == "ok"
    assert ends["p-backup", f"ts-m@{database}@b@b-0a000004_4475"]["failureState"] == "failed"

    process = f"/machines/{app}/processes/p-java"
    assert service_map.get(process)["properties"]["displayName"] == "Java"
    assert service_map.get(f"{process}/liveness", **service_map.lately)["live"] and not service_map.get(f"{process}/liveness", **service_map.before)["live"]
    assert [one["name"] for one in service_map.get(f"{process}/acceptingPorts", **service_map.lately)["value"]] == ["b-0a000003_8080"]
    assert len(service_map.get(f"{process}/connections", **service_map.lately)["value"]) == 3
    assert service_map.get(f"/machines/{app}/processes/p-nothing", 404)["code"] == "ResourceNotFound"
    assert service_map.get("/machines/m-%22%20or%201/processes/p-1", 404)["code"] == "ResourceNotFound"

    port = f"/machines/{web}/ports/b-0a000001_443"
    assert service_map.get(port, **service_map.lately)["properties"]["portNumber"] == 443
    assert service_map.get(f"{port}/liveness", **service_map.lately)["live"]
    assert [one["name"] for one in service_map.get(f"{port}/acceptingProcesses", **service_map.lately)["value"]] == ["p-nginx"]
    [connection] = service_map.get(f"{port}/connections", **service_map.lately)["value"]
    assert connection["properties"]["source"]["kind"] == "ref:clientgroup"
    assert connection["properties"]["source"]["name"] == f"m!{web}!b!b-0a000001_443"
    assert service_map.get(f"/machines/{web}/ports/b-0a000001_444", 404, **service_map.lately)["code"] == "ResourceNotFound"


def test_clients_without_an_agent_are_groups_with_members(shop_product, service_map):
    _, world = shop_product
    web = world.machines["web"]["id"]
    for name, of in [(f"m!{web}", web), (f"m!{web}!p!p-nginx", "p-nginx"), (f"m!{web}!b!b-0a000001_443", "b-0a000001_443")]:
        group = f"/clientGroups/{name}"
        assert service_map.get(group, **service_map.lately)["properties"]["clientsOf"]["name"] == of
        count = service_map.get(f"{group}/membersCount", **service_map.lately)
        assert (count["count"], count["accuracy"], count["groupId"]) == (2, "actual", f"{service_map.base}{group}")
        members = service_map.get(f"{group}/members", **service_map.lately)["value"]
        assert {one["properties"]["ipAddress"] for one in members} == {"203.0.113.7", "203.0.113.8"}
        assert members[0]["properties"]["port"]["name"] == "b-0a000001_443"
        assert [one["name"] for one in members[0]["properties"]["processes"]] == ["p-nginx"]
        first = service_map.get(f"{group}/members", **service_map.lately, **{"$top": "1"})
        assert len(first["value"]) == 1 and len(service_map.get(first["nextLink"])["value"]) == 1
    assert service_map.get(f"/clientGroups/m!{web}!p!p-other", 404, **service_map.lately)["code"] == "ResourceNotFound"


def test_machine_groups_are_made_changed_and_removed(shop_product, service_map):
    _, world = shop_product
    ids = {name: f"{service_map.base}/machines/{known['id']}" for name, known in world.machines.items()}
    sent = {"kind": "machineGroup", "properties": {"displayName": "Shop", "machines": [
        {"kind": "ref:machinewithhints", "id": ids["web"]}, {"kind": "ref:machinewithhints", "id": ids["db"]}]}}
    made = service_map.call("POST", "/machineGroups", 201, json=sent)
    assert made["properties"]["count"] == 2 and made["etag"]
    hints = {one["properties"]["displayNameHint"]: one["properties"]["osFamilyHint"] for one in made["properties"]["machines"]}
    assert hints == {"web": "linux", "db": "windows"}
    path = f"/machineGroups/{made['name']}"
    assert service_map.get(path) == made and made in service_map.get("/machineGroups")["value"]
    of_web = service_map.get(f"/machines/{world.machines['web']['id']}/machineGroups")["value"]
    assert [group["name"] for group in of_web] == [made["name"]]
    assert service_map.get(f"/machines/{world.machines['app2']['id']}/machineGroups")["value"] == []

    sent = {**sent, "etag": made["etag"], "properties": {"displayName": "Store", "machines": [{"kind": "ref:machine", "id": ids["app2"]}]}}
    changed = service_map.call("PUT", path, 200, json=sent)
    assert changed["properties"]["displayName"] == "Store" and changed["etag"] != made["etag"] and changed["properties"]["count"] == 1
    assert service_map.call("PUT", path, 412, json=sent)["code"] == "PreconditionFailed"
    assert service_map.call("PUT", path, 412, json={**sent, "etag": None}, headers={"If-Match": made["etag"]})["code"] == "PreconditionFailed"
    assert service_map.call("PUT", path, 200, json={**sent, "etag": None}, headers={"If-Match": "*"})["properties"]["displayName"] == "Store"
    service_map.call("DELETE", path, 204)
    for method in ("GET", "DELETE"):
        assert service_map.call(method, path, 404)["code"] == "ResourceNotFound"


def test_maps_of_one_machine_of_several_and_of_a_group(shop_product, service_map):
    _, world = shop_product
    ours = {known["id"]: name for name, known in world.machines.items()}
    ids = {name: f"{service_map.base}/machines/{machine}" for machine, name in ours.items()}
    window = {"startTime": service_map.lately["startTime"], "endTime": service_map.lately["endTime"]}

    def generate(**request):
        body = service_map.call("POST", "/generateMap", 200, json={**window, **request})
        assert (body["startTime"], body["endTime"]) == (window["startTime"], window["endTime"])
        nodes, edges = body["map"]["nodes"], body["map"]["edges"]
        machines = {ours.get(one["name"], one["name"]) for one in nodes["machines"]}
        links = {(one["properties"]["source"]["name"].split("!")[-1], one["properties"]["destination"]["name"].split("@")[-1]) for one in edges["connections"]}
        known = {one["id"] for group in nodes.values() for one in group}
        for one in edges["connections"] + edges["acceptors"]:
            assert one["properties"]["source"]["id"] in known and one["properties"]["destination"]["id"] in known
        return machines, links, nodes, edges

    machines, links, nodes, edges = generate(kind="map:single-machine-dependency", machineId=ids["web"])
    assert machines == {"web", "app2"} and links == {("p-nginx", "p-nginx"), ("p-nginx", "p-java")}
    assert {one["name"] for one in nodes["ports"]} == {"b-0a000001_443", "b-0a000003_8080"}
    assert [one["name"] for one in nodes["clientGroups"]] == [f"m!{world.machines['web']['id']}!p!p-nginx"]
    assert {one["properties"]["destination"]["name"] for one in edges["acceptors"]} == {"p-nginx", "p-java"}

    machines, links, _, _ = generate(kind="map:machine-list-dependency", machineIds=[ids["app2"], ids["db"]])
    everything = {
        ("p-nginx", "p-java"), ("p-java", "p-postgres"), ("p-redis-cli", "p-redis"), ("p-java", "b-c6336419_25"), ("p-backup", "b-0a000004_4475")}
    assert machines == {"web", "app2", "db", "t-c6336419"} and links == everything
    # the processes between the two, with all that these talk to
    _, links, nodes, _ = generate(kind="map:machine-list-dependency", machineIds=[ids["app2"], ids["db"]], filterProcesses=True)
    assert links == everything - {("p-redis-cli", "p-redis")}
    assert not {"p-redis", "p-redis-cli"} & {one["name"] for one in nodes["processes"]}

    group = service_map.call("POST", "/machineGroups", 201, json={
        "kind": "machineGroup", "properties": {"displayName": "Back", "machines": [{"kind": "ref:machine", "id": ids["db"]}]}})
    machines, links, _, _ = generate(kind="map:machine-group-dependency", machineGroupId=group["id"], filterProcesses=False)
    assert machines == {"app2", "db"} and links == {("p-java", "p-postgres"), ("p-backup", "b-0a000004_4475")}
    service_map.call("DELETE", f"/machineGroups/{group['name']}", 204)


def test_the_summary_counts_machines(service_map):
    summary = service_map.get("/summaries/machines", **service_map.before)
    assert summary["properties"] == {
        "startTime": service_map.before["startTime"], "endTime": service_map.before["endTime"], "total": 3, "live": 3, "os": {"windows": 1, "linux": 2}}


@pytest.mark.parametrize("path, parameters, code, named", [
    ("/machines", {"api-version": ""}, "InvalidApiVersionParameter", "2015-11-01-preview"),
    ("/machines", {"api-version": "2030-01-01"}, "InvalidApiVersionParameter", "2030-01-01"),
    ("/machines", {"live": "maybe"}, "BadArgumentError", "maybe"),
    ("/machines", {"$top": "0"}, "BadArgumentError", "1 to 200"),
    ("/machines", {"$top": "201"}, "BadArgumentError", "1 to 200"),
    ("/machines", {"startTime": "noon"}, "BadArgumentError", "noon"),
    ("/machines", {"live": "false", "timestamp": "noon"}, "BadArgumentError", "noon"),
    ("/machines", {"startTime": "2026-01-02T00:00:00Z", "endTime": "2026-01-01T00:00:00Z"}, "BadArgumentError", "later"),
    ("/machines/m/liveness", {}, "BadArgumentError", "3 to 64"),
    ("/machines/m-1/ports/443", {}, "BadArgumentError", "b-0a000001_443"),
    ("/clientGroups/everybody", {}, "BadArgumentError", "m!MACHINE"),
])
def test_a_wrong_request_says_what_is_wrong(service_map, path, parameters, code, named):
    error = service_map.get(path, 400, **parameters)
    assert error["code"] == code and named in error["message"]


@pytest.mark.parametrize("path, body, named", [
    ("/generateMap", {"kind": "map:everything"}, "map:everything"),
    ("/generateMap", {"kind": "map:single-machine-dependency"}, "machineId"),
    ("/generateMap", {"kind": "map:machine-list-dependency"}, "machineIds"),
    ("/generateMap", {"kind": "map:machine-group-dependency"}, "machineGroupId"),
    ("/generateMap", {"kind": "map:single-machine-dependency", "machineId": "/somewhere/else"}, "/somewhere/else"),
    ("/machineGroups", {"kind": "machineGroup", "properties": {"displayName": ""}}, "displayName"),
    ("/machineGroups", {"kind": "machine", "properties": {"displayName": "x"}}, "machineGroup"),
    ("/machineGroups", {"kind": "machineGroup", "properties": {}}, "displayName"),
    ("/machineGroups", {"kind": "machineGroup", "properties": {"displayName": "x" * 257}}, "256"),
])
def test_a_wrong_body_says_what_is_wrong(service_map, path, body, named):
    assert named in service_map.call("POST", path, 400, json=body)["message"]


def test_who_may_see_and_change_the_map(shop_product, service_map):
    product, _ = shop_product
    address = f"{product.url}{service_map.base}"
    version = {"api-version": "2015-11-01-preview"}
    assert product.session.get(f"{address}/machines", params=version).status_code == 401
    assert service_map.get("/machines", 400, **{"api-version": ""})["code"] == "InvalidApiVersionParameter"
    other = address.replace(product.ready["workspace_id"], "another")
    answer = product.session.get(f"{other}/machines", params=version, headers=service_map.headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "ResourceNotFound")


def test_rows_that_come_late_are_in_the_next_map(shop_product):
    product, world = shop_product
    window = dict(zip(("from", "to"), world.window(180, 120)))
    before = picture(get(product, "/api/map", params=window), world)["web/nginx -> app1/java:8080"]
    # an agent that was cut off sends what it had kept: more of a connection that is known, and a new one
    world.connection("web", "nginx", "outbound", "10.0.0.1", "10.0.0.2", 8080, world.at(160), sent=500, received=100)
    world.connection("web", "cron", "outbound", "10.0.0.1", "10.0.0.4", 5432, world.at(159))
    world.send(product)
    after = picture(get(product, "/api/map", params=window), world)
    assert after["web/nginx -> app1/java:8080"]["bytes"] == {
        "sent": before["bytes"]["sent"] + 500, "received": before["bytes"]["received"] + 100}
    assert "web/cron -> db/postgres:5432" in after
    assert picture(get(product, "/api/map", params=window), world) == after


def test_the_azure_sdk_for_javascript_reads_maps_and_keeps_groups(shop_product):
    product, world = shop_product
    ready, (start, end) = product.ready, world.window(60, 0)
    settings = {
        "url": product.url, "tenant": ready["tenant_id"], "client": ready["client_id"], "secret": ready["client_secret"],
        "subscription": "63be4e24-fdf0-4e9c-9342-6a5d5a359722", "group": "rg-sm", "workspace": ready["workspace_id"], "start": start, "end": end}
    done = subprocess.run(
        ["node", ROOT / "tests" / "clients" / "service_map.mjs"], input=json.dumps(settings), capture_output=True, text=True, timeout=120,
        env={**os.environ, "NODE_EXTRA_CA_CERTS": ready["ca_file"]})
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    machines = found.pop("machines")
    assert {"app1", "app2", "db", "web"} <= set(machines)
    assert found == {
        "machine": ["10.0.0.3", "10.1.0.3"], "live": True, "processes": ["Java"], "ports": [6379, 8080], "connections": 5,
        "process": "java", "processLive": True, "accepting": 8080, "processConnections": 3, "portLive": True, "acceptors": ["Java"],
        "summary": found["summary"], "group": "Shop", "groups": ["Shop"], "membership": ["Shop"], "changed": "The shop",
        "edges": 5, "kinds": ["clientGroups", "machines", "ports", "processes"], "all": 4, "ofGroup": 4,
        "clients": 2, "members": ["203.0.113.7", "203.0.113.8"], "gone": [404, "ResourceNotFound"]}
    assert found["summary"] >= 4
