"""Dependency views: one product holds a workspace with a map, another the management group with agents; between them TLS,
and a proxy that can cut it. The tests run one after the other on the same two products."""

import contextlib
import json
import select
import socket
import sqlite3
import subprocess
import threading

import pytest

from conftest import BINARIES, ROOT, Product, product_environment, wait_until
from service_map_world import shop
from test_management_group import call, get, health_of, watchkeeper, write_level

PACK = "Microsoft.SystemCenter.ServiceMap"
PATH = "/api/service-map-connections"
COMPUTERS = ("web.example.com", "db.example.com")


class Proxy:
    """A TCP proxy that counts what the far side sends, and can cut off after some of it."""

    def __init__(self, host, port):
        self.target = (host, port)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.sent, self.limit, self.open = 0, None, set()
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client = self.listener.accept()[0]
            except OSError:
                return
            threading.Thread(target=self.carry, args=(client,), daemon=True).start()

    def carry(self, client):
        with client, contextlib.suppress(OSError):
            if self.is_cut():
                return
            with socket.create_connection(self.target) as server:
                other = {client: server, server: client}
                while True:
                    for ready in select.select([client, server], [], [], 1)[0]:
                        data = ready.recv(4096)
                        if ready is server:
                            self.sent += len(data)
                        if not data or self.is_cut():
                            return
                        other[ready].sendall(data)
                    if self.is_cut():
                        return

    def is_cut(self):
        return self.limit is not None and self.sent >= self.limit

    def close(self):
        self.listener.close()


class Agent:
    """An agent that watches nothing of itself, by the name of a computer of the shop."""

    def __init__(self, product, folder, computer):
        folder.mkdir()
        made = watchkeeper(product, "tokens", "create", "--uses", "1", "--format", "json")
        assert made.returncode == 0, made.stderr
        (folder / "token").write_text(json.loads(made.stdout)["token"])
        config = folder / "agent.toml"
        config.write_text(
            f'servers = ["{product.ready["agent_endpoint"]}"]\ndata = "{folder}/data"\ncomputer = "{computer}"\n'
            f'ca_file = "{product.ready["ca_file"]}"\ntoken_file = "{folder / "token"}"\n'
            "[collect.performance]\nenabled = false\n[collect.syslog]\nenabled = false\n"
            '[collect.connections]\nprobe = "off"\n')
        with (folder / "agent.log").open("ab") as log:
            self.process = subprocess.Popen(
                [BINARIES / "watchkeeper-agent", "run", "--config", config, "--stop-with-stdin"],
                stdin=subprocess.PIPE, stdout=log, stderr=log, env=product_environment())

    def stop(self):
        self.process.stdin.close()
        self.process.wait(timeout=30)


class Both:
    """The two products, and what the tests ask of them."""

    def __init__(self, folder):
        self.folder = folder
        self.far, self.near = Product(folder / "far").start(), Product(folder / "near").start()
        for product in (self.far, self.near):
            token = product.token()
            product.token = lambda scope=None, token=token: token
        self.world = shop()
        self.world.send(self.far)
        self.level = folder / "level"
        write_level(self.level, 10)
        pack = folder / "Test.Level.xml"
        pack.write_text((ROOT / "tests" / "packs" / "Test.Level.xml").read_text().replace("LEVEL_FILE", str(self.level)))
        self.done("pack", "import", str(pack))
        self.agents = [Agent(self.near, folder / name, name) for name in COMPUTERS]
        port = int(self.far.url.rsplit(":", 1)[1])
        self.proxy = Proxy("127.0.0.1", port)
        self.url = self.far.url.replace(str(port), str(self.proxy.port))
        self.group = self.map_api("POST", "machineGroups", json={
            "kind": "machineGroup", "properties": {"displayName": "Back", "machines": [
                {"kind": "ref:machine", "id": self.machine(name)} for name in ("app2", "db")]}})
        self.principal = self.far_call("POST", "/api/principals", json={"name": "operations", "role": "Reader"})
        self.client = self.principal["clientId"]
        self.secret = folder / "secret"
        self.secret.write_text(self.principal["clientSecret"] + "\n")
        wait_until(lambda: set(COMPUTERS) <= {one["name"] for one in self.computers()}, 60, "the computers of the agents")

    def stop(self):
        for agent in self.agents:
            agent.stop()
        self.proxy.close()
        for product in (self.near, self.far):
            product.stop()

    def far_call(self, method, path, **more):
        answer = call(self.far, method, path, **more)
        assert answer.ok, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.text else None

    def map_base(self):
        return ("/subscriptions/any/resourceGroups/any/providers/Microsoft.OperationalInsights/workspaces/"
                f"{self.far.ready['workspace_id']}/features/serviceMap")

    def machine(self, name):
        return f"{self.map_base()}/machines/{self.world.machines[name]['id']}"

    def map_api(self, method, path, **more):
        return self.far_call(method, f"{self.map_base()}/{path}", params={"api-version": "2015-11-01-preview"}, **more)

    def computers(self):
        return get(self.near, "/api/objects?class=Microsoft.Unix.Library!Microsoft.Unix.Computer")

    def done(self, *arguments):
        command = watchkeeper(self.near, *arguments)
        assert command.returncode == 0, f"{arguments}: {command.stderr}"
        return command.stdout

    def service_map(self, *arguments):
        return json.loads(self.done("service-map", *arguments, "--format", "json") or "null")

    def place(self):
        return ["--authority", self.url, "--ca-file", self.far.ready["ca_file"], "--tenant", self.far.ready["tenant_id"],
                "--application-id", self.client]

    def connection(self, name="Shop"):
        return get(self.near, f"{PATH}/{name}")

    def synchronized(self, name="Shop"):
        return json.loads(self.done("service-map", "sync", name, "--wait", "--format", "json"))

    def fails(self, part, name="Shop"):
        command = watchkeeper(self.near, "service-map", "sync", name, "--wait")
        assert command.returncode == 1 and part in command.stderr, command.stderr

    def views(self):
        views = get(self.near, f"{PATH}/views")
        return {view["name"]: view for kind in ("serverViews", "machineGroupViews") for view in views[kind]}

    def view(self, name):
        return get(self.near, f"{PATH}/views/{self.views()[name]['object']}")

    def members(self, name):
        return {member["name"]: member for member in self.view(name)["members"]}

    def alerts(self, part=""):
        return [one for one in get(self.near, "/api/alerts?state=open") if part in one["name"] and "Service Map" in one["name"]]

    def wait_for_alert(self, part):
        return wait_until(lambda: self.alerts(part), 60, f"an alert with {part!r}")[0]

    def wait_for_quiet(self):
        wait_until(lambda: not self.alerts(), 60, "no alert is open")


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    running = Both(tmp_path_factory.mktemp("operations"))
    yield running
    running.stop()


def test_a_workspace_is_chosen_and_its_maps_become_views_with_their_members(both):
    seen = both.service_map("discover", *both.place(), "--secret-file", str(both.secret))
    [subscription] = seen["subscriptions"]
    [group] = subscription["resourceGroups"]
    [workspace] = group["workspaces"]
    assert workspace["customerId"] == both.far.ready["workspace_id"]
    inside = both.service_map(
        "discover", *both.place(), "--secret-file", str(both.secret), "--subscription", subscription["subscriptionId"],
        "--resource-group", group["name"], "--log-workspace", workspace["name"])
    assert [one["displayName"] for one in inside["machineGroups"]] == ["Back"]
    machines = {one["name"]: one for one in inside["machines"]}
    assert machines["web"]["computer"] == "web.example.com" and not machines["app2"]["monitored"]

    made = both.service_map(
        "add", "Shop", *both.place(), "--secret-file", str(both.secret), "--machine-group", "Back", "--server", "web")
    assert (made["workspace"], made["servers"], made["secretSet"]) == (workspace["name"], ["web.example.com"], True)
    assert made["rule"] == {"enabled": True, "intervalMinutes": 60, "timeoutSeconds": 300, "timeWindowMinutes": 60}
    # monitors that look each second, for this test's sake
    for monitor in ("Reached", "Secret", "Role", "Found"):
        both.done("overrides", "set", f"{PACK}!{PACK}.Workspace.{monitor}", "IntervalSeconds=1", "--parameter", "--class", f"{PACK}!{PACK}.Workspace")
    # nobody asked for a synchronization: the first comes by itself
    wait_until(lambda: (both.connection()["lastSync"] or {}).get("outcome") == "succeeded", 60, "the first synchronization")
    last = both.connection()["lastSync"]
    assert (last["servers"], last["machineGroups"]) == (1, 1) and last["processes"] >= 4
    assert set(both.views()) == {"web.example.com", "Back"}

    web = both.view("web.example.com")
    members = {member["name"]: member for member in web["members"]}
    assert set(members) == {"web.example.com", "app2", "Nginx (web)", "Java (app2)", "Clients of Nginx (web)"}
    [computer] = [one for one in both.computers() if one["name"] == "web.example.com"]
    assert members["web.example.com"]["object"] == computer["id"]
    assert members["Nginx (web)"]["parents"] == [computer["id"]] and members["Java (app2)"]["parents"] == [members["app2"]["object"]]
    assert {member["from"] for member in members.values()} == {"map"}
    names = {member["object"]: name for name, member in members.items()}
    calls = {(names[edge["source"]], names[edge["target"]], *edge["ports"]) for edge in web["edges"]}
    assert calls == {("Clients of Nginx (web)", "Nginx (web)", 443), ("Nginx (web)", "Java (app2)", 8080)}
    failed = [edge for edge in both.view("Back")["edges"] if edge["failed"]]
    assert [edge["ports"] for edge in failed] == [[4475]]
    assert [(one["machine"], one["lacks"]) for one in both.connection()["missing"]] == [("app2", ["agent"])]
    # the computers of the Servers group are members of a group like any other
    assert both.service_map("views")["servers"][0]["name"] == "web.example.com"
    assert "web.example.com" in both.done("groups", "members", "Service Map Servers Group", "--format", "csv")
    for form in ("table", "csv"):
        assert "Shop" in both.done("service-map", "list", "--format", form)
    shown = both.done("service-map", "show", "Shop")
    assert "no agent of this management group" in shown and "app2" in shown


def test_the_health_of_a_view_is_the_worst_of_its_members(both):
    view = both.views()["web.example.com"]["object"]
    wait_until(lambda: health_of(both.near, view) == "Success", 60, "the view is green")
    write_level(both.level, 95)
    wait_until(lambda: both.views()["web.example.com"]["health"] == "Error", 60, "the view is red")
    explained = both.done("health", view)
    assert "web.example.com" in explained and "tank" in explained
    write_level(both.level, 10)
    wait_until(lambda: health_of(both.near, view) == "Success", 60, "the view is green again")


def test_a_secret_is_nowhere_to_be_seen(both):
    secret = both.secret.read_text().strip()
    assert secret not in json.dumps(both.connection())
    files = [file for file in both.near.data.rglob("*") if file.is_file() and file.stat().st_size < 64 << 20]
    assert both.near.data / "state.db" in files
    for file in [*files, both.near.log_file]:
        with contextlib.suppress(FileNotFoundError):
            assert secret.encode() not in file.read_bytes(), file


def test_a_server_added_by_hand_is_synchronized_at_once_and_edits_of_people_stay(both):
    both.service_map("set", "Shop", "--add-server", "db")
    wait_until(lambda: "db.example.com" in both.views(), 30, "the view of the new server")
    before = set(both.members("web.example.com"))
    [db] = [one["id"] for one in both.computers() if one["name"] == "db.example.com"]
    both.done("service-map", "views", "web.example.com", "--add", db, "--remove", both.members("web.example.com")["app2"]["object"])
    both.synchronized()
    members = both.members("web.example.com")
    assert set(members) == before - {"app2"} | {"db.example.com"}
    assert (members["db.example.com"]["from"], members["Nginx (web)"]["from"]) == ("person", "map")
    assert [one["name"] for one in both.view("web.example.com")["removed"]] == ["app2"]
    # and back again
    view = both.views()["web.example.com"]["object"]
    [removed] = both.view("web.example.com")["removed"]
    assert call(both.near, "POST", f"{PATH}/views/{view}/members", json={"object": removed["object"]}).status_code == 200
    assert call(both.near, "DELETE", f"{PATH}/views/{view}/members/{db}").status_code == 204
    assert set(both.members("web.example.com")) == before
    both.synchronized()
    assert set(both.members("web.example.com")) == before
    assert call(both.near, "POST", f"{PATH}/views/{view}/members", json={"object": view}).status_code == 400


def test_a_connection_that_is_cut_in_the_middle_leaves_the_views_and_an_alert_that_closes_by_itself(both):
    before = {name: both.members(name) for name in both.views()}
    both.proxy.sent = 0
    both.synchronized()
    whole = both.proxy.sent
    # what is new there must not be seen before it is there as a whole
    both.world.call(("web", "curl"), ("db", "postgres"), "10.0.0.1", "10.0.0.4", 5432, both.world.at(5))
    both.world.send(both.far)
    both.proxy.sent, both.proxy.limit = 0, whole - 1500
    both.fails("cannot be reached")
    assert both.proxy.sent >= whole - 1500, "it was cut in the middle, not before"
    assert {name: both.members(name) for name in both.views()} == before
    alert = both.wait_for_alert("cannot be reached")
    assert "Shop: " in alert["description"] and both.url in alert["description"], alert
    assert both.connection()["health"] == "Error"
    both.proxy.limit = None
    both.wait_for_quiet()
    assert "Curl (web)" in both.members("web.example.com") or "curl (web)" in both.members("web.example.com")


def test_a_secret_that_ended_and_a_role_that_was_taken_away_are_told_apart(both):
    with contextlib.closing(sqlite3.connect(both.far.data / "state.db", timeout=30)) as state, state:
        state.execute("UPDATE principal_secrets SET expires_at = 1 WHERE client_id = ?", (both.client,))
    both.fails("has expired")
    assert "has expired" in both.wait_for_alert("secret")["description"]
    assert both.connection()["lastSync"]["code"] == "SecretExpired"
    renewed = both.far_call("POST", f"/api/principals/{both.client}/secrets", json={})
    both.secret.write_text(renewed["clientSecret"])
    both.service_map("set", "Shop", "--secret-file", str(both.secret), "--secret-expires", "2999-01-31")
    both.wait_for_quiet()
    both.service_map("set", "Shop", "--secret-expires", "2020-01-31")
    assert "ends on 2020-01-31" in both.wait_for_alert("ends soon")["description"]
    both.service_map("set", "Shop", "--secret-expires", "")
    both.wait_for_quiet()

    role = f"/api/principals/{both.client}/role"
    both.far_call("PUT", role, json={"role": None})
    both.fails("has no role")
    assert "has no role" in both.wait_for_alert("no role")["description"]
    assert len(both.alerts()) == 1, "what is not known raises no alert"
    both.far_call("PUT", role, json={"role": "Reader"})
    both.synchronized()
    both.wait_for_quiet()


def test_several_workspaces_at_once_and_one_is_removed_with_its_views(both):
    # the management group's own workspace, by the same machines: each connection has views of its own
    both.world = shop()
    both.world.send(both.near)
    own = both.near.ready
    both.secret.write_text(own["client_secret"])
    made = both.service_map(
        "add", "Own", "--authority", "own", "--tenant", own["tenant_id"], "--application-id", own["client_id"],
        "--secret-file", str(both.secret), "--server", "web.example.com")
    assert made["cloud"] == "own"
    both.synchronized("Own")
    servers = [(one["name"], one["connection"]) for one in get(both.near, f"{PATH}/views")["serverViews"]]
    assert sorted(servers) == [("db.example.com", "Shop"), ("web.example.com", "Own"), ("web.example.com", "Shop")]
    both.done("service-map", "remove", "Own")
    servers = [(one["name"], one["connection"]) for one in get(both.near, f"{PATH}/views")["serverViews"]]
    assert sorted(servers) == [("db.example.com", "Shop"), ("web.example.com", "Shop")]
    assert [one["name"] for one in get(both.near, PATH)["value"]] == ["Shop"]


def test_a_machine_group_that_is_gone_is_named_and_the_rest_goes_on(both):
    both.map_api("DELETE", f"machineGroups/{both.group['name']}")
    both.fails("machine group")
    both.wait_for_alert("not where it was")
    assert set(both.views()) == {"web.example.com", "db.example.com"}
    both.service_map("set", "Shop", "--no-machine-groups")
    both.wait_for_quiet()


def test_what_is_wrong_is_said_by_its_field(both):
    good = {
        "name": "Other", "authority": both.url, "trustedCertificates": open(both.far.ready["ca_file"]).read(),
        "tenant": both.far.ready["tenant_id"], "applicationId": both.far.ready["client_id"],
        "secret": both.far.ready["client_secret"], "subscription": "any", "resourceGroup": "any",
        "workspace": both.far.ready["workspace_id"]}
    for change, target, code in [
        ({"authority": "http://localhost"}, "endpoint", "AddressNotReached"),
        ({"authority": "https://127.0.0.1:1"}, "endpoint", "AddressNotReached"),
        ({"trustedCertificates": ""}, "trustedCertificates", "CertificateNotTrusted"),
        ({"tenant": "nobody"}, "tenant", "TenantNotFound"),
        ({"applicationId": "nobody"}, "applicationId", "ApplicationNotFound"),
        ({"secret": "wrong"}, "secret", "SecretWrong"),
        ({"workspace": "nowhere"}, "workspace", "WorkspaceNotFound"),
        ({"machineGroups": ["None"]}, "machineGroups", "MachineGroupNotFound"),
        ({"servers": ["nobody"]}, "servers", "BadArgumentError"),
        ({"resourcePool": "None"}, "resourcePool", "BadArgumentError"),
        ({"secretExpires": "soon"}, "secretExpires", "BadArgumentError"),
        ({"name": " "}, "name", "BadArgumentError"),
        ({"name": "Shop"}, "name", "Conflict"),
    ]:
        answer = call(both.near, "POST", PATH, json={**good, **change})
        assert answer.status_code == (409 if code == "Conflict" else 400), f"{change}: {answer.status_code} {answer.text}"
        error = answer.json()["error"]
        assert (error["target"], error["code"]) == (target, code), f"{change}: {error}"
        assert good["secret"] not in error["message"]
    answer = call(both.near, "POST", PATH, json={**good, "secret": 5})
    assert answer.status_code == 400 and "5" not in answer.json()["error"]["message"]
    refused = watchkeeper(both.near, "service-map", "show", "Nothing")
    assert refused.returncode == 1 and "service-map list" in refused.stderr
    # a stored secret goes nowhere else than where it was meant for
    # a stored secret goes to no other address
    for elsewhere in ({"authority": "https://127.0.0.1:1"}, {"endpoint": "https://127.0.0.1:1"}):
        answer = call(both.near, "PATCH", f"{PATH}/Shop", json=elsewhere)
        assert (answer.status_code, answer.json()["error"]["target"]) == (400, "secret"), answer.text
    answer = call(both.near, "POST", f"{PATH}/discover", json={"connection": "Shop", "authority": "https://127.0.0.1:1"})
    assert (answer.status_code, answer.json()["error"]["target"]) == (400, "secret")
    assert [one["name"] for one in get(both.near, PATH)["value"]] == ["Shop"]


def test_a_connection_that_is_removed_takes_its_views_and_alerts_along(both):
    both.done("service-map", "remove", "Shop")
    assert both.views() == {} and get(both.near, PATH) == {"value": []}
    assert get(both.near, f"/api/objects?class={PACK}!{PACK}.Process") == []
    assert {one["name"] for one in both.computers()} >= set(COMPUTERS), "the computers stay"
    audit = wait_until(lambda: both.near.query_or_none(
        "Audit | where Action has 'Service Map' | distinct Action"), 30, "the audit")
    assert {"add Service Map connection", "change Service Map connection", "remove Service Map connection"} <= {row["Action"] for row in audit}
