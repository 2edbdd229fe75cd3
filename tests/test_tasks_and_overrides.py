"""Tasks on demand and overrides, over the API and on the command line, with the real agent."""

import csv
import json
import re
from urllib.parse import quote

import requests

from conftest import ROOT, wait_until
from map_page_world import small_shop
from test_management_group import alerts, health_of, pack_file, tanks, write_level
from test_responses import pumps  # noqa: F401
from test_run_as import call, done, get, run, the_computer, watchkeeper

ECHO = "Test.Tasks!Test.Tasks.Echo"
WAIT = "Test.Tasks!Test.Tasks.Wait"
MONITOR = "Test.Level!Test.Level.Monitor"
TANK = "Test.Level!Test.Level.Tank"
PUMP, PRESSURE = "Test.Responses!Test.Responses.Pump", "Test.Responses!Test.Responses.Pressure"


def import_tasks(product):
    imported = watchkeeper(product, "pack", "import", str(ROOT / "tests" / "packs" / "Test.Tasks.xml"))
    assert imported.returncode == 0, imported.stderr
    return the_computer(product)


def test_a_task_runs_with_parameters_and_its_output_time_out_and_audit_row_are_kept(product):
    agent = import_tasks(product)
    plain = run(product, ECHO, agent)
    assert plain["status"] == "Succeeded" and "said: nothing" in plain["output"] and "complained: nothing" in plain["output"]
    told = run(product, ECHO, agent, parameters={"Arguments": "'$(id) two words'"})
    assert "said: $(id) two words\n" in told["output"], "a parameter is no shell's text"

    listed = done(product, "tasks", "list", agent["object"])
    [echo] = [one for one in listed if one["task"] == ECHO]
    assert echo["name"] == "Say something" and echo["timeoutSeconds"] == 60
    [submitted] = done(product, "tasks", "run", ECHO, agent["object"], "--parameter", "Arguments=command-line")
    result = wait_until(
        lambda: (lambda one: one if one["status"] == "Succeeded" else None)(done(product, "tasks", "result", submitted["run"])),
        60, "the result on the command line")
    assert "said: command-line" in result["output"]
    assert submitted["run"] in [one["run"] for one in done(product, "tasks", "runs", "--object", agent["object"])]

    late = run(product, WAIT, agent, timeoutSeconds=1)
    assert late["status"] == "Failed" and "1 s" in late["error"], late
    steps = {(ECHO, "Submitted"), (ECHO, "Succeeded"), (WAIT, "Submitted"), (WAIT, "Failed")}
    wait_until(
        lambda: steps <= {
            (row["Action"].removeprefix("task "), row["Result"])
            for row in product.query_or_none("Audit | where Action startswith 'task ' | project Action, Result") or []},
        60, "the audit rows of each step")

    unknown = call(product, "POST", "/api/tasks", json={"task": "Test.Tasks!No.Such", "objects": [agent["object"]]})
    assert unknown.status_code == 404 and "Pack!Task" in unknown.text


def test_a_task_that_runs_while_the_server_is_away_gives_its_result_afterwards_once(own_product, tmp_path):
    product = own_product.start()
    agent = import_tasks(product)
    run(product, ECHO, agent)
    flag = tmp_path / "flag"
    answer = call(product, "POST", "/api/tasks", json={
        "task": WAIT, "objects": [agent["object"]], "parameters": {"Arguments": str(flag)}})
    [submitted] = answer.json()
    wait_until((tmp_path / "flag.started").exists, 60, "the task has started")
    product.stop()
    flag.write_text("")
    product.start()
    ended = wait_until(
        lambda: (lambda one: one if one["status"] in ("Succeeded", "Failed") else None)(
            get(product, f"/api/tasks/{submitted['run']}")), 120, "the result after the restart")
    # the local agent ends with its server, so what the task did is not known, and that is said
    assert ended["status"] == "Succeeded" or ended["error"], ended
    assert [one["run"] for one in get(product, "/api/tasks")].count(submitted["run"]) == 1


def test_overrides_for_class_and_object_change_the_thresholds_and_the_view_says_which_wins(own_product, tmp_path):
    product = own_product.start()
    level = tmp_path / "level"
    write_level(level, 60)
    imported = watchkeeper(product, "pack", "import", str(pack_file(tmp_path, level)))
    assert imported.returncode == 0, imported.stderr
    [tank] = wait_until(lambda: tanks(product), 60, "the tank is found")
    wait_until(lambda: health_of(product, tank["id"]) == "Warning", 60, "60 is above the warning of 50")

    of_class = done(product, "overrides", "set", MONITOR, "Critical=55", "--parameter", "--class", TANK)
    wait_until(lambda: health_of(product, tank["id"]) == "Error", 60, "60 is above the critical 55 of the class")
    of_object = done(product, "overrides", "set", MONITOR, "Critical=99", "--parameter", "--object", tank["id"])
    wait_until(lambda: health_of(product, tank["id"]) == "Warning", 60, "the object's override beats the class's")
    enforced = done(product, "overrides", "set", MONITOR, "Critical=56", "--parameter", "--object", tank["id"], "--enforced")
    wait_until(lambda: health_of(product, tank["id"]) == "Error", 60, "an enforced one beats one that is not")

    [effective] = [one for one in done(product, "overrides", "effective", MONITOR, tank["id"]) if one["name"] == "Critical"]
    assert effective["value"] == "56" and effective["override"] == enforced["id"]
    assert effective["loses"] == [of_object["id"], of_class["id"]]
    listed = {one["id"]: one for one in done(product, "overrides", "list")}
    assert listed[enforced["id"]]["enforced"] and listed[of_class["id"]]["context"] == TANK
    for one in (of_class, of_object, enforced):
        assert watchkeeper(product, "overrides", "remove", one["id"]).returncode == 0
    wait_until(lambda: health_of(product, tank["id"]) == "Warning", 60, "the pack's own threshold holds again")

    # reset sets it healthy whatever it found; recalculate looks again
    done(product, "monitors", "reset", MONITOR, tank["id"])
    write_level(level, 10)
    wait_until(lambda: health_of(product, tank["id"]) == "Success", 60, "it is green")
    done(product, "overrides", "set", MONITOR, "Enabled=false", "--object", tank["id"])
    wait_until(lambda: health_of(product, tank["id"]) == "Uninitialized", 60, "a monitor that is off has no state")


def test_elements_of_packs_are_listed_in_every_form(product):
    import_tasks(product)
    classes = done(product, "classes", "--pack", "Microsoft.Unix.Library")
    assert "Microsoft.Unix.Library!Microsoft.Unix.Computer" in [one["element"] for one in classes]
    for command in ("rules", "discoveries", "diagnostics", "recoveries"):
        assert isinstance(done(product, command), list)
    assert isinstance(done(product, "monitors", "list"), list)
    table = watchkeeper(product, "classes", "--pack", "Microsoft.Unix.Library", "--format", "csv")
    assert table.stdout.splitlines()[0] == "element,name,target,enabled,problem", table.stderr
    refused = call(product, "GET", "/api/elements?kind=Gizmo")
    assert refused.status_code == 400 and "monitor" in json.dumps(refused.json())


def test_overrides_for_a_group_stand_between_class_and_object_whether_enforced_or_not(own_product, pumps, tmp_path):  # noqa: F811
    product, first, second = own_product, pumps["first"], pumps["second"]
    made = watchkeeper(product, "groups", "add", "Watched closely", "--class", PUMP, "--where", "Name=^first$")
    assert made.returncode == 0, made.stderr
    [group] = wait_until(
        lambda: [one for one in get(product, "/api/groups") if one["name"] == "Watched closely" and one["members"] == 1], 60, "the group")
    write = lambda *more: done(product, "overrides", "set", PRESSURE, "--parameter", *more)
    health = lambda: (health_of(product, first), health_of(product, second))

    def critical(of):
        [found] = [one for one in done(product, "overrides", "effective", PRESSURE, of) if one["name"] == "Critical"]
        return found["value"], found["override"], found["loses"]

    assert critical(first)[0] == "90", "the pack's own"
    product.level("first", 60)
    product.level("second", 60)
    wait_until(lambda: health() == ("Warning", "Warning"), 60, "60 is above the warning of both")
    of_class = write("Critical=55", "--class", PUMP, "--enforced")["id"]
    wait_until(lambda: health() == ("Error", "Error"), 60, "60 is above the critical 55 of the class")
    of_group = write("Critical=80", "--class", group["classes"][0])["id"]
    wait_until(lambda: health() == ("Warning", "Error"), 60, "the group beats the class for its member, an enforced one too")
    assert critical(first) == ("80", of_group, [of_class]) and critical(second) == ("55", of_class, [])
    enforced = write("Critical=59", "--class", group["classes"][0], "--enforced")["id"]
    wait_until(lambda: health() == ("Error", "Error"), 60, "of two for the group the enforced one wins")
    of_object = write("Critical=70", "--object", first)["id"]
    wait_until(lambda: health() == ("Warning", "Error"), 60, "the object beats the group, an enforced one too")
    assert critical(first) == ("70", of_object, [enforced, of_group, of_class])

    # who leaves the group loses its overrides
    assert watchkeeper(product, "overrides", "remove", of_object).returncode == 0
    wait_until(lambda: health() == ("Error", "Error"), 60, "the enforced one of the group again")
    left = watchkeeper(product, "groups", "set", "Watched closely", "--class", PUMP, "--where", "Name=^second$")
    assert left.returncode == 0, left.stderr
    product.level("first", 57)
    product.level("second", 57)
    wait_until(lambda: health() == ("Error", "Warning"), 60, "57 is above 55 for the first, and below 59 for the second")
    assert critical(first) == ("55", of_class, []) and critical(second)[:2] == ("59", enforced)
    check_operators_of_groups(product, tmp_path, first, second)


class OfGroup:
    """A service principal whose only role is at one group."""

    def __init__(self, product, role, group):
        self.product = product
        made = call(product, "POST", "/api/principals", json={"name": f"{role} of {group}", "role": "Reader"}).json()
        self.scope = f"{made['roles'][0]['scope']}/groups/{group}"
        assert call(product, "PUT", f"/api/principals/{made['clientId']}/role", json={"role": None}).status_code == 200
        given = call(product, "POST", "/api/role-assignments", json={"principalId": made["clientId"], "role": role, "scope": self.scope})
        assert given.status_code == 201 and given.json()["scopeName"] == group, given.text
        self.session = requests.Session()
        self.session.trust_env, self.session.verify = False, product.ready["ca_file"]
        token = self.session.post(f"{product.url}/{product.ready['tenant_id']}/oauth2/v2.0/token", data={
            "grant_type": "client_credentials", "client_id": made["clientId"], "client_secret": made["clientSecret"],
            "scope": "https://api.loganalytics.io/.default"}).json()["access_token"]
        self.session.headers["Authorization"] = f"Bearer {token}"

    def ask(self, method, path, **more):
        return self.session.request(method, f"{self.product.url}{path}", **more)

    def see(self, path):
        answer = self.ask("GET", path)
        assert answer.status_code == 200, f"{path}: {answer.status_code} {answer.text}"
        return answer.json()


def check_azures_alerts(product, looking, advanced, alert, is_ours):
    """Azure's API has the alerts of the groups alone, and changes no other."""
    at, version = f"/subscriptions/{product.ready['tenant_id']}/providers/Microsoft.AlertsManagement", "api-version=2019-03-01"
    ours, there = ([alert["id"]], 200) if is_ours else ([], 404)
    assert [one["id"].rpartition("/")[2] for one in looking.see(f"{at}/alerts?{version}")["value"]] == ours
    assert looking.see(f"{at}/alertsSummary?{version}&groupby=severity")["properties"]["total"] == len(ours)
    of_alert = lambda who, method, rest: who.ask(method, f"{at}/alerts/{alert['id']}{rest}").status_code
    assert [of_alert(looking, "GET", f"{rest}?{version}") for rest in ("", "/history")] == [there, there]
    change = f"/changestate?{version}&newState=Acknowledged"
    assert (of_alert(looking, "POST", change), of_alert(advanced, "POST", change)) == (403, there)
    assert looking.ask("GET", f"{at}/actionRules?{version}").status_code == 403


def check_map_and_performance(product, pump):
    """Whoever sees a computer sees its machine, what talks to it, and its counters; without it nothing of them."""
    computer = the_computer(product)["object"]
    call(product, "POST", "/api/groups", json={"name": "Machines", "class": "System.Library!System.Entity", "include": [computer]})
    wait_until(lambda: [one for one in get(product, "/api/groups") if one["name"] == "Machines" and one["members"] == 1], 60, "the group")
    looking, of_pump = OfGroup(product, "Read-only Operator", "Machines"), OfGroup(product, "Read-only Operator", "Ours")
    world = small_shop()
    named = lambda seen: {one["name"]: one for one in seen["machines"]}

    def own():
        seen = get(product, "/api/map")
        machines = [one for one in seen["machines"] if one["object"] == computer]
        ports = [one for one in seen["ports"] if machines and one["machine"] == machines[0]["id"]]
        return (machines[0], ports[0]) if machines and machines[0]["addresses"] and ports else None

    machine, port = wait_until(own, 120, "the product's own machine with a port")
    to = port["address"] if port["address"] not in ("0.0.0.0", "::", "127.0.0.1", "::1", "") else machine["addresses"][0]
    world.connection("web-01", "nginx", "outbound", "10.0.1.1", to, port["port"], world.at(1))
    world.send(product)

    def edges():
        seen = get(product, "/api/map")
        web = named(seen).get("web-01", {}).get("id")
        return [one["id"] for one in seen["edges"] if (one["sourceMachine"], one["targetMachine"]) == (web, machine["id"])]

    wait_until(edges, 60, "who calls the product's own machine")
    seen = looking.see("/api/map")
    names = named(seen)
    assert {"web-01", machine["name"]} <= set(names) and not {"web-02", "app-01", "db-01", "idle-01"} & set(names), set(names)
    assert names[machine["name"]]["object"] == computer and names["web-01"]["object"] is None
    assert set(edges()) <= {one["id"] for one in seen["edges"]} and all(machine["id"] in (one["sourceMachine"], one["targetMachine"]) for one in seen["edges"])
    assert [one["name"] for one in seen["machineGroups"]] == ["Machines"]
    assert set(named(looking.see("/api/map?group=Machines"))) == set(names)
    assert looking.ask("GET", "/api/map?group=Ours").status_code == 404
    assert not {"web-02", "app-01"} & set(named(of_pump.see("/api/map"))) and all(one["object"] is None for one in of_pump.see("/api/map")["machines"])

    counters = lambda who, of: who.see(f"/api/objects/{of}/performance?timespan=PT1H")
    found = lambda: [row for table in counters(looking, computer)["tables"] for row in table["rows"] if row[0] == "Memory"]
    chosen = wait_until(found, 120, "a counter of the computer")[0]
    values = looking.see(f"/api/objects/{computer}/performance/values?timespan=PT1H&object={chosen[0]}&counter={quote(chosen[1])}&instance={quote(chosen[2])}")
    assert values["computers"] == counters(looking, computer)["computers"] and len(values["computers"]) == 1
    assert [column["name"] for column in values["tables"][0]["columns"]] == ["TimeGenerated", "Series", "Value"] and values["tables"][0]["rows"]
    assert all(row[2] == "second" for table in counters(of_pump, pump)["tables"] for row in table["rows"]), "counters of the pump alone"
    assert of_pump.ask("GET", f"/api/objects/{computer}/performance").status_code == 404


def check_operators_of_groups(product, tmp_path, first, second):
    """Every route of the management group, for operators of a group of a tank and one pump: by the table's column `groups`."""
    level = tmp_path / "level"
    write_level(level, 10)
    assert watchkeeper(product, "pack", "import", str(pack_file(tmp_path, level))).returncode == 0
    [tank] = wait_until(lambda: tanks(product), 60, "the tank")
    write_level(level, 99)
    [alert] = wait_until(lambda: alerts(product), 60, "its alert")
    members = {"name": "Ours", "class": "System.Library!System.Entity", "include": [tank["id"], second]}
    made = call(product, "POST", "/api/groups", json=members)
    assert made.status_code in (200, 201), made.text

    def group_of(size):
        return next((one for one in get(product, "/api/groups") if one["name"] == "Ours" and one["members"] == size), None)

    group = wait_until(lambda: group_of(2), 60, "the group with its members")
    others = [one["id"] for one in get(product, "/api/groups") if one["id"] != group["id"]]
    ran = lambda of: wait_until(lambda: [one["run"] for one in get(product, f"/api/tasks?object={of}")], 60, "a run of its diagnostic")[0]
    inside = {"object": second, "group": group["id"], "run": ran(second), "id": alert["id"], "element": PRESSURE}
    outside = {"object": first, "group": others[0], "run": ran(first), "element": "Microsoft.Unix.Library!Microsoft.Unix.Computer"}
    advanced, looking = OfGroup(product, "Advanced Operator", "Ours"), OfGroup(product, "Read-only Operator", "Ours")

    with (ROOT / "tests" / "authorization" / "routes.csv").open() as table:
        routes = [row for row in csv.DictReader(table) if row["needs"] not in ("public", "signed in", "a person")]
    cut = lambda row: row["groups"].partition(" (")[0]
    assert {cut(row) for row in routes} == {"", "the list is cut", "objects of the groups", "the same for all"}
    azure = {"subscription": product.ready["tenant_id"], "group": "watchkeeper", "provider": "Microsoft.AlertsManagement", "name": alert["id"], "action": "history"}
    parameters = {"/api/objects/{object}/performance/values": "?object=Processor&counter=%25%20Processor%20Time"}
    walked = set()
    for row in routes:
        path = row["path"]
        name = path.rpartition("{")[2].partition("}")[0] if "{" in path else ""
        if row["groups"] == "":
            if row["at"] == "management group":
                answer = advanced.ask(row["method"], path.replace("{", "").replace("}", ""))
                assert answer.status_code == 403, f"{row['method']} {path}: {answer.status_code} {answer.text}"
        elif row["method"] == "GET" and path.startswith("/subscriptions/"):
            # a summary is one, whatever follows
            if "/alertsSummary/" not in path:
                assert first not in json.dumps(looking.see(re.sub(r"\{(\w+)\}", lambda part: azure[part[1]], path) + "?api-version=2019-03-01")), path
        elif row["method"] == "GET" and name == "":
            assert first not in json.dumps(looking.see(path)), path
        elif row["method"] == "GET":
            walked.add(path)
            more = parameters.get(path, "")
            looking.see(path.replace(f"{{{name}}}", inside[name]) + more)
            if name in outside:
                answer = looking.ask("GET", path.replace(f"{{{name}}}", outside[name]) + more)
                assert answer.status_code == 404, f"{path}: {answer.status_code} {answer.text}"
    assert len(walked) > 10, walked
    assert {one["id"] for one in looking.see("/api/objects")} >= {second, tank["id"], group["id"]}
    assert [one["id"] for one in looking.see("/api/groups")] == [group["id"]]
    assert [one["id"] for one in looking.see("/api/alerts")] == [alert["id"]]
    assert {one["object"] for one in looking.see("/api/tasks")} == {second}
    counted = {one["class"]: one["objects"] for one in looking.see("/api/classes")}
    assert (counted[PUMP], counted[TANK]) == (1, 1) and "Microsoft.Unix.Library!Microsoft.Unix.Computer" not in counted, counted
    check_azures_alerts(product, looking, advanced, alert, is_ours=True)
    check_map_and_performance(product, second)

    maintenance = lambda who, of: who.ask("POST", "/api/maintenance", json={"objects": of, "minutes": 10}).status_code
    reset = lambda who, of: who.ask("POST", "/api/monitors/reset", json={"object": of, "monitor": PRESSURE}).status_code
    override = lambda **more: advanced.ask("POST", "/api/overrides", json={"element": PRESSURE, "parameter": "Critical", "value": "77", **more})
    change = lambda who: who.ask("PATCH", f"/api/alerts/{alert['id']}", json={"owner": "ours"}).status_code
    assert (maintenance(looking, [second]), reset(looking, second), change(looking)) == (403, 403, 403)
    assert (maintenance(advanced, [second, first]), reset(advanced, first)) == (404, 404)
    assert (maintenance(advanced, [second]), reset(advanced, second), change(advanced)) == (201, 202, 200)
    assert advanced.ask("DELETE", f"/api/maintenance/{first}").status_code == 404
    assert advanced.ask("DELETE", f"/api/maintenance/{second}").status_code == 204
    assert override(object=first).status_code == 404 and override(context=PUMP).status_code == 403
    ours = override(object=second).json()["id"]
    foreign = done(product, "overrides", "set", PRESSURE, "Critical=78", "--parameter", "--object", first)["id"]
    assert [one["id"] for one in advanced.see("/api/overrides")] == [ours]
    assert [advanced.ask("DELETE", f"/api/overrides/{one}").status_code for one in (foreign, ours)] == [404, 204]
    task = advanced.ask("POST", "/api/tasks", json={"task": "No!Such.Task", "objects": [first]})
    assert task.status_code == 404 and "in the groups that your roles are for" in task.text
    scope = call(product, "POST", "/api/role-assignments", json={"principalId": "first", "role": "Operator", "scope": advanced.scope.replace("Ours", "No such group")})
    assert scope.status_code == 400 and "watchkeeper groups list" in scope.text

    # who joins the group is there at once, and who leaves it is not
    assert call(product, "PUT", f"/api/groups/{group['id']}", json={**members, "include": [first]}).status_code in (200, 201)
    wait_until(lambda: group_of(1), 60, "the group with its new member")
    assert looking.ask("GET", f"/api/objects/{second}").status_code == 404 and looking.see(f"/api/objects/{first}")["id"] == first
    assert looking.see("/api/alerts") == [] and looking.ask("GET", f"/api/alerts/{alert['id']}").status_code == 404
    assert change(advanced) == 404
    check_azures_alerts(product, looking, advanced, alert, is_ours=False)
