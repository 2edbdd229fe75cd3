"""Connections to service desks: the form and its test, work items to tables through every fault, over emulators of the
products that cannot be installed."""

import json
import subprocess
from datetime import datetime, timedelta, timezone

import pytest

from conftest import BINARIES, Product, product_environment, wait_until
from emulators.cherwell import Cherwell
from emulators.desk import Answer
from emulators.provance import Provance
from emulators.service_manager import ServiceManager
from emulators.servicenow import HIBERNATING, ServiceNow
from test_agent_install import make_token
from test_alert_rules import ARM, call, delete_rule, group, rows, rule

FAST = {"WATCHKEEPER_ITSM__SYNC_SECONDS": "1", "WATCHKEEPER_ITSM__REQUEST_SECONDS": "5",
        "WATCHKEEPER_ALERTS__SHORTEST_FREQUENCY_SECONDS": "1"}
PATH = "/api/itsm-connections"


@pytest.fixture(scope="module")
def desk_product(tmp_path_factory):
    """A product that reads work items every second."""
    running = Product(tmp_path_factory.mktemp("itsm") / "data", environment=FAST).start()
    yield running
    code = running.stop()
    assert code == 0, f"watchkeeper ended with {code}:\n{running.log_tail()}"


@pytest.fixture
def now(tmp_path):
    desk = ServiceNow(tmp_path / "servicenow")
    yield desk
    desk.close()


def api(product, method, path="", body=None, status=200):
    answer = product.session.request(method, f"{product.url}{PATH}{path}", json=body,
                                     headers={"Authorization": f"Bearer {product.token()}"}, timeout=60)
    assert answer.status_code == status, f"{answer.status_code} {answer.text}"
    return answer.json() if answer.content else None


def form(desk, name, **more):
    return {"name": name, "partner": "ServiceNow", "url": desk.url, "userName": desk.user, "password": desk.password,
            "clientId": desk.client_id, "clientSecret": desk.client_secret, "days": 30, "authority": desk.authority, **more}


def text(at):
    return at.strftime("%Y-%m-%d %H:%M:%S")


def ago(**span):
    return text(datetime.now(timezone.utc) - timedelta(**span))


def latest(product, name, more=""):
    """The last version of every work item of a connection, by number."""
    rows = product.query(f'ServiceDesk_CL | where ServiceDeskConnectionName_s == "{name}" {more}'
                         "| summarize arg_max(LastModifiedDate_t, *), Versions = count() by ServiceDeskId_s")
    return {row["ServiceDeskId_s"]: row for row in rows}


def log(product, name, more=""):
    return product.query(f'ServiceDeskLog_CL | where ServiceDeskConnectionName_s == "{name}" {more} | sort by TimeGenerated asc')


def synchronized(product, name, count):
    """Waits until a connection's first reading is done and the tables have so many items."""
    def done():
        shown = api(product, "GET", f"/{name}")
        found = latest(product, name)
        return shown["imports"] and all(one["complete"] for one in shown["imports"]) and len(found) == count and found
    return wait_until(done, 40, f"{count} items of {name}")


def test_saving_tests_the_connection_and_says_which_part_is_wrong(desk_product, now, tmp_path):
    """Nothing that is wrong is saved; each part that can be wrong is named, with what to do, and no secret is repeated."""
    other = ServiceNow(tmp_path / "other")
    other.client_active = False
    powerless = ServiceNow(tmp_path / "powerless")
    powerless.roles.discard("itil")
    elsewhere = ServiceNow(tmp_path / "elsewhere")
    elsewhere.fault("answer", times=99, answer=Answer(404, "<html><body>nothing here</body></html>", kind="text/html"))
    asleep = ServiceNow(tmp_path / "asleep")
    asleep.fault("answer", times=99, answer=HIBERNATING)
    closed = ServiceNow(tmp_path / "closed")
    closed.close()
    try:
        for wanted, code, said in [
            ({"password": "wrong-password"}, "UserOrPassword", "instance's own page"),
            ({"userName": "nobody"}, "UserOrPassword", "nobody"),
            ({"clientId": "wrong-client"}, "ClientIdOrSecret", "Application Registry"),
            ({"clientSecret": "wrong-secret"}, "ClientIdOrSecret", "Application Registry"),
            (form(other, "x"), "ClientIdOrSecret", "active"),
            (form(powerless, "x"), "Role", "itil"),
            (form(elsewhere, "x"), "Url", "URL"),
            (form(asleep, "x"), "Product", "hibernating"),
            (form(closed, "x"), "Network", "cannot be reached"),
            ({"authority": ""}, "Certificate", "authority"),
            ({"url": now.url.replace("127.0.0.1", "localhost.invalid")}, "Url", "not known"),
            ({"url": now.url.replace("https", "http")}, "Network", "broke"),
            ({"url": "http://desk.example"}, "Url", "not encrypted"),
            ({"days": 121}, "Settings", "1 to 120"),
            ({"password": ""}, "Password", "password"),
        ]:
            answer = api(desk_product, "POST", body={**form(now, "wrong"), **wanted, "name": "wrong"}, status=400)
            assert answer["error"]["code"] == code and said in answer["error"]["message"], (wanted, answer)
            for secret in ("wrong-password", "wrong-secret", now.password, now.client_secret):
                assert secret not in answer["error"]["message"]
    finally:
        for desk in (other, powerless, elsewhere, asleep):
            desk.close()
    assert "wrong" not in [one["name"] for one in api(desk_product, "GET")]
    errors = log(desk_product, "wrong", '| where LogType_s == "Error" and Operation_s == "Test"')
    assert {"URL", "role", "network", "certificate", "product", "client ID or client secret", "user name or password"} <= {
        row["Part_s"] for row in errors} and all(row["Resolution_s"] for row in errors)


def test_work_items_become_rows_and_follow_what_happens_in_the_product(desk_product, now):
    """Every documented field has the value that the product shows, with times in UTC; later changes and removals are seen."""
    ci = now.put("cmdb_ci", name="web01", fqdn="web01.example.com", sys_class_name="cmdb_ci_computer")
    beth, don = now.people["Beth Anglin"], now.people["Don Goodliffe"]
    done = now.incident(
        number="INC0000001", short_description="Disk full", state="7", urgency="1", impact="2", priority="2", escalation="1",
        contact_type="monitoring", category="hardware", opened_by=beth, resolved_by=don, closed_by=don, assigned_to=don, cmdb_ci=ci["sys_id"],
        work_notes="cleaned up", opened_at="2026-01-02 03:04:05", resolved_at="2026-01-03 03:04:05", closed_at="2026-01-04 03:04:05",
        sys_updated_on=ago(days=3))
    plain = now.incident(number="INC0000002", short_description="Mouse", description="it squeaks", sys_updated_on=ago(days=2))
    now.incident(number="INC0000003", short_description="Old", sys_updated_on=ago(days=31))
    # a machine that is known here has its name from here, however the product writes it
    [machine] = wait_until(lambda: [one["computer"] for one in call(desk_product, "GET", "/api/agents") if one["connected"]], 60, "the own agent")
    wait_until(lambda: [one for one in call(desk_product, "GET", "/api/objects") if one["name"] == machine], 30, "its object")
    short = machine.split(".")[0]
    for number, names in {"INC0000005": {"name": machine.upper()}, "INC0000006": {"name": "x", "fqdn": f"{short}.corp.example"}}.items():
        named = now.put("cmdb_ci", sys_class_name="cmdb_ci_computer", **names)
        now.incident(number=number, short_description="Known", cmdb_ci=named["sys_id"], sys_updated_on=ago(days=2))
    now.change_request(
        number="CHG0000001", short_description="New disk", description="swap it", state="-1", type="emergency", category="hardware", risk="2",
        urgency="2", impact="1", priority="2", escalation="2", conflict_status="No Conflict", requested_by=don, closed_by=beth, assigned_to=beth,
        contact_type="phone", opened_at="2026-02-01 00:00:00", closed_at="2026-02-09 00:00:00", requested_by_date="2026-02-02 00:00:00",
        start_date="2026-02-03 00:00:00", end_date="2026-02-04 00:00:00", work_start="2026-02-05 00:00:00", work_end="2026-02-06 00:00:00",
        cmdb_ci=ci["sys_id"], sys_updated_on=ago(days=1))
    made = api(desk_product, "POST", body=form(now, "Desk"), status=201)
    assert "password" not in json.dumps(made).lower() and made["warnings"] == []
    items = synchronized(desk_product, "Desk", 5)
    assert (items["INC0000005"]["Computer"], items["INC0000006"]["Computer"]) == (machine, machine)
    incident = items["INC0000001"]
    assert {name: incident[name] for name in incident if name.endswith("_s") and incident[name]} == {
        "ServiceDeskConnectionName_s": "Desk", "ServiceDeskWorkItemType_s": "Incident", "ServiceDeskId_s": "INC0000001",
        "IncidentState_s": "Closed", "Urgency_s": "1 - High", "Impact_s": "2 - Medium", "Priority_s": "2 - High", "Escalation_s": "Moderate",
        "CreatedBy_s": "Beth Anglin", "ResolvedBy_s": "Don Goodliffe", "ClosedBy_s": "Don Goodliffe", "Source_s": "Monitoring",
        "AssignedTo_s": "Don Goodliffe", "Category_s": "Hardware", "Title_s": "Disk full", "Description_s": "cleaned up"}
    assert (incident["CreatedDate_t"][:19], incident["ResolvedDate_t"][:19], incident["ClosedDate_t"][:19]) == (
        "2026-01-02T03:04:05", "2026-01-03T03:04:05", "2026-01-04T03:04:05")
    assert incident["LastModifiedDate_t"][:19] == done["sys_updated_on"].replace(" ", "T")
    assert incident["Computer"] == "web01.example.com"
    assert items["INC0000002"]["Description_s"] == "it squeaks" and items["INC0000002"]["ClosedDate_t"] is None
    change = items["CHG0000001"]
    assert {name: change[name] for name in change if name.endswith("_s") and change[name]} == {
        "ServiceDeskConnectionName_s": "Desk", "ServiceDeskWorkItemType_s": "ChangeRequest", "ServiceDeskId_s": "CHG0000001",
        "CreatedBy_s": "Don Goodliffe", "ClosedBy_s": "Beth Anglin", "Source_s": "Phone", "AssignedTo_s": "Beth Anglin", "Title_s": "New disk",
        "Type_s": "Emergency", "Category_s": "Hardware", "CRState_s": "Implement", "Escalation_s": "High", "ConflictStatus_s": "No Conflict",
        "Urgency_s": "2 - Medium", "Priority_s": "2 - High", "Risk_s": "High", "Impact_s": "1 - High", "Description_s": "swap it"}
    assert [change[name][8:10] for name in ("CreatedDate_t", "RequestedDate_t", "PlannedStartDate_t", "PlannedEndDate_t", "WorkStartDate_t",
                                            "WorkEndDate_t", "ClosedDate_t")] == ["01", "02", "03", "04", "05", "06", "09"]

    configuration = api(desk_product, "GET", "/Desk/configuration")
    assert configuration["templates"] == [
        {"name": "Disk", "table": "incident", "fields": {"category": "hardware", "impact": "1", "urgency": "1"}}]
    assert {"Beth Anglin", "Don Goodliffe"} < {user["name"] for user in configuration["users"]}
    assert {"value": "1", "label": "1 - High"} in next(field for field in configuration["fields"] if field["name"] == "urgency")["choices"]

    # changes come by themselves, once each; what has not changed does not come again
    now.touch("incident", plain["sys_id"], state="2")
    fresh = now.incident(number="INC0000004", short_description="Fresh")
    wait_until(lambda: latest(desk_product, "Desk").get("INC0000002", {}).get("IncidentState_s") == "In Progress"
               and "INC0000004" in latest(desk_product, "Desk"), 30, "the changes")
    # removals are looked for with Sync
    now.remove("incident", fresh["sys_id"])
    api(desk_product, "POST", "/Desk/sync", status=202)
    wait_until(lambda: latest(desk_product, "Desk")["INC0000004"]["IncidentState_s"] == "Deleted", 30, "the removal")
    assert {number: row["Versions"] for number, row in latest(desk_product, "Desk").items()} == {
        "INC0000001": 1, "INC0000002": 2, "CHG0000001": 1, "INC0000004": 2, "INC0000005": 1, "INC0000006": 1}
    assert now.ignored == []

    # the map counts what is open about a machine
    wait_until(lambda: [found["workItems"] for found in call(desk_product, "GET", "/api/map")["machines"] if found["name"] == short] == [2],
               90, "the machine on the map with its two work items")

    # every exchange is in the connector's log, and its query is the tile's
    shown = api(desk_product, "GET", "/Desk")
    assert shown["status"] in ("connected", "synchronizing") and shown["problem"] is None
    rows = desk_product.query(shown["logQuery"])
    assert {"GET /api/now/table/incident", "POST /oauth_token.do", "Import", "Configuration", "Test"} <= {
        row["Operation_s"] for row in rows if row["LogType_s"] == "Success"}
    assert not [row for row in rows if row["LogType_s"] == "Error"], rows

    # an edit that is wrong changes nothing; secrets do not follow another address
    refused = api(desk_product, "PATCH", "/Desk", {"password": "wrong"}, status=400)
    assert refused["error"]["code"] == "UserOrPassword"
    refused = api(desk_product, "PATCH", "/Desk", {"url": "https://evil.example"}, status=400)
    assert "given again" in refused["error"]["message"]
    assert api(desk_product, "PATCH", "/Desk", {"days": 40, "workItems": ["Incident"]})["days"] == 40
    found = wait_until(lambda: latest(desk_product, "Desk").get("INC0000003"), 30, "the item of 31 days ago")
    assert found["Versions"] == 1 and latest(desk_product, "Desk")["INC0000001"]["Versions"] == 1
    listed = subprocess.run([BINARIES / "watchkeeper", "itsm", "--connection", desk_product.data / "connection.json"], capture_output=True,
                            text=True, env=product_environment(), timeout=60)
    assert listed.returncode == 0 and "Desk" in listed.stdout and "ServiceNow" in listed.stdout, listed
    api(desk_product, "DELETE", "/Desk", status=204)
    api(desk_product, "GET", "/Desk", status=404)


def test_a_computer_that_becomes_known_later_gets_its_work_items(desk_product, now, tmp_path):
    """Items that were read before the machine had an agent: their last row names it as soon as it is known, once."""
    later = now.put("cmdb_ci", name="Late.example", fqdn="late.corp.example", sys_class_name="cmdb_ci_computer")
    for number, when in ("INC0000051", 9), ("INC0000052", 2):
        now.incident(number=number, short_description="Slow", cmdb_ci=later["sys_id"], sys_updated_on=ago(days=when))
    now.incident(number="INC0000053", short_description="Other", sys_updated_on=ago(days=5))
    api(desk_product, "POST", body=form(now, "Later"), status=201)
    items = synchronized(desk_product, "Later", 3)
    assert items["INC0000051"]["Computer"] == "late.corp.example"
    token, fingerprint = make_token(desk_product)
    config = tmp_path / "late.toml"
    config.write_text(f'servers = ["{desk_product.ready["agent_endpoint"]}"]\ndata = "{tmp_path}/late"\ncomputer = "late.example"\n'
                      f'ca_fingerprint = "{fingerprint}"\ntoken = "{token}"\n')
    with (tmp_path / "late.log").open("w") as output:
        agent = subprocess.Popen([BINARIES / "watchkeeper-agent", "run", "--config", config], env=product_environment(),
                                 stdin=subprocess.DEVNULL, stdout=output, stderr=output)
    try:
        def named():
            found = latest(desk_product, "Later", '| where Computer == "late.example"')
            return found if len(found) == 2 else None
        found = wait_until(named, 90, "the rows with the machine's name")
    finally:
        agent.kill()
        agent.wait()
    assert {number: (row["Versions"], row["Title_s"], row["LastModifiedDate_t"]) for number, row in found.items()} == {
        number: (1, "Slow", items[number]["LastModifiedDate_t"]) for number in ("INC0000051", "INC0000052")}
    assert {number: row["Versions"] for number, row in latest(desk_product, "Later").items()} == {
        "INC0000051": 2, "INC0000052": 2, "INC0000053": 1}
    # under another name the items come again, and are over under the old one
    api(desk_product, "PATCH", "/Later", {"name": "Renamed"})
    synchronized(desk_product, "Renamed", 3)
    wait_until(lambda: {row["IncidentState_s"] for row in latest(desk_product, "Later").values()} == {"Deleted"}, 30, "the end of the old name")
    assert {row["Versions"] for row in latest(desk_product, "Renamed").values()} == {1}
    assert now.ignored == []
    api(desk_product, "DELETE", "/Renamed", status=204)


def test_pages_have_no_gap_and_no_double_however_the_product_behaves(desk_product, now):
    """Equal times over a page's end, items that change between pages, an expired token, a limit, failures, a lost and a cut
    answer, hibernation: afterwards every item is there in its last version, and no version twice."""
    same = ago(days=2)
    # two thousand within one second: more than three pages
    many = [now.incident(short_description="same", sys_updated_on=same) for _ in range(1700)]
    later = [now.incident(short_description="later", sys_updated_on=ago(days=1)) for _ in range(300)]

    def drift(desk):
        desk.touch("incident", many[3]["sys_id"], short_description="changed behind")
        desk.touch("incident", later[5]["sys_id"], short_description="changed ahead")
        desk.remove("incident", later[7]["sys_id"])

    page = r"^GET /api/now/table/incident\?.*sysparm_limit=500"
    now.fault("call", page, skip=2, before=drift)
    now.fault("call", page, skip=1, before=lambda desk: desk.end_tokens())
    now.fault("slow", page, skip=1, seconds=0.5)
    now.fault("answer", page, skip=2, answer=Answer(503, {"error": {"message": "Service Unavailable"}}))
    now.fault("lose", page, skip=3)
    now.fault("truncate", page, skip=4)
    now.fault("answer", page, skip=5, answer=Answer(429, {"error": {"message": "Rate limit exceeded"}}, {"Retry-After": "1"}))
    now.fault("answer", page, skip=6, answer=HIBERNATING)
    api(desk_product, "POST", body=form(now, "Rough", workItems=["Incident"]), status=201)
    # the hibernation ends the first try; it says so, and Sync goes on from there
    wait_until(lambda: (api(desk_product, "GET", "/Rough")["problem"] or {}).get("message", "").startswith("the instance is hibernating"),
               40, "the hibernation's message")
    api(desk_product, "POST", "/Rough/sync", status=202)
    synchronized(desk_product, "Rough", 1999)
    wait_until(lambda: latest(desk_product, "Rough")[many[3]["number"]]["Title_s"] == "changed behind", 30, "the change behind")
    items = latest(desk_product, "Rough")
    assert items[later[5]["number"]]["Title_s"] == "changed ahead"
    assert all(fault.hits for fault in now.faults), [(fault.kind, fault.hits) for fault in now.faults]
    doubles = desk_product.query('ServiceDesk_CL | where ServiceDeskConnectionName_s == "Rough" '
                                 "| summarize Count = count() by ServiceDeskId_s, LastModifiedDate_t | where Count > 1")
    assert doubles == []
    api(desk_product, "DELETE", "/Rough", status=204)


def work_item(product, name, correlation_id, event="Fired", status=200, **more):
    body = {"correlationId": correlation_id, "event": event, "title": "Disk full on web01", "description": "92 % used", "severity": 1,
            "configurationItems": ["web01"], **more}
    return api(product, "POST", f"/{name}/work-items", body, status=status)


def test_one_work_item_for_one_alert_whatever_happens_to_the_request(desk_product, now):
    """Made once though answers are lost, cut or late; told when it fires again, resolved, reopened, with the template's and the
    action's fields, its configuration item made where the connection says so."""
    api(desk_product, "POST", body=form(now, "Tickets", createConfigurationItems=True), status=201)
    create = r"^POST /api/now/table/incident"

    def with_id(name):
        return [record for record in now.tables["incident"].values() if record["correlation_id"] == name]

    made = work_item(desk_product, "Tickets", "plain", action={"template": "Disk", "fields": {"category": "network"}})
    [record] = with_id("plain")
    assert made == [{"connection": "Tickets", "kind": "Incident", "id": record["sys_id"], "number": record["number"], "open": True,
                     "link": f"{now.url}/nav_to.do?uri=incident.do?sys_id={record['sys_id']}"}]
    assert (record["short_description"], record["description"], record["urgency"], record["impact"], record["priority"],
            record["category"], record["contact_type"]) == ("Disk full on web01", "92 % used", "1", "1", "1", "network", "monitoring")
    ci = now.tables["cmdb_ci"][record["cmdb_ci"]]
    assert (ci["name"], ci["sys_class_name"]) == ("web01", "cmdb_ci_computer")
    # it fires again, is over, and fires once more
    assert work_item(desk_product, "Tickets", "plain")[0]["number"] == record["number"]
    assert "fired again" in record["work_notes"]
    assert work_item(desk_product, "Tickets", "plain", "Resolved")[0]["open"] is False
    assert (record["state"], record["close_notes"]) == ("6", "The alert is resolved.")
    assert work_item(desk_product, "Tickets", "plain")[0]["open"] is True and record["state"] == "2"
    assert len(with_id("plain")) == 1 and len(now.tables["cmdb_ci"]) == 1
    # the action may say that what was resolved stays so
    work_item(desk_product, "Tickets", "plain", "Resolved")
    stays = work_item(desk_product, "Tickets", "plain", action={"reopen": False})
    assert stays[0]["number"] == record["number"] and stays[0]["open"] is False and record["state"] == "6"

    # the product makes it and the answer is lost: the next try finds it
    for name, more in (("lose", {}), ("truncate", {}), ("slow", {"seconds": 6})):
        fault = now.fault(name, create, **more)
        refused = work_item(desk_product, "Tickets", name, status=400)
        assert refused["error"]["code"] == "Network", refused
        assert fault.hits == 1
        assert work_item(desk_product, "Tickets", name)[0]["number"] == with_id(name)[0]["number"]
        assert len(with_id(name)) == 1, name
    # surely not made: 429, and a connection that is refused before anything is sent
    now.fault("answer", create, answer=Answer(429, {"error": {"message": "Rate limit exceeded"}}, {"Retry-After": "0"}))
    work_item(desk_product, "Tickets", "limited")
    assert len(with_id("limited")) == 1
    # a mistake of the action is said in the product's words
    refused = work_item(desk_product, "Tickets", "typo", action={"template": "Nope"}, status=400)
    assert refused["error"]["code"] == "WorkItem" and "Nope" in refused["error"]["message"]

    # one for each configuration item
    each = work_item(desk_product, "Tickets", "each", configurationItems=["web01", "db01", "web01"], action={"perConfigurationItem": True})
    assert len({one["number"] for one in each}) == 2
    assert len(work_item(desk_product, "Tickets", "each", "Closed", configurationItems=["db01", "web01"],
                         action={"perConfigurationItem": True, "onResolved": "close"})) == 2
    assert {now.tables["incident"][one["id"]]["state"] for one in each} == {"7"}

    # events of one alert are one alert of the product
    for event in ("Fired", "Fired", "Resolved"):
        work_item(desk_product, "Tickets", "event", event, action={"workItemType": "Event"})
    [alert] = [one for one in now.tables["em_alert"].values() if one["message_key"] == "event"]
    assert (alert["state"], alert["severity"], alert["node"]) == ("Closed", "0", "web01")
    assert now.ignored == []
    rows = log(desk_product, "Tickets", '| where CorrelationId_s == "plain"')
    assert len(rows) == 6 and {row["ServiceDeskId_s"] for row in rows} == {record["number"]}
    api(desk_product, "DELETE", "/Tickets", status=204)


def test_an_alert_rule_makes_and_resolves_an_incident(desk_product, now):
    """From rows to a work item and back: made when the rule fires, resolved with it, its number in the alert's history."""
    api(desk_product, "POST", body=form(now, "Alerts", workItems=["Incident"]), status=201)
    refused = call(desk_product, "PUT", f"{ARM}/Microsoft.Insights/actionGroups/none?api-version=2023-01-01", {
        "location": "Global", "properties": {"groupShortName": "none", "enabled": True, "itsmReceivers": [
            {"name": "desk", "connectionId": "Nowhere", "workspaceId": "w", "region": "r", "ticketConfiguration": "{}"}]}}, expect=400)
    assert "Nowhere" in json.dumps(refused)
    configuration = {"PayloadRevision": 0, "WorkItemType": "Incident", "UseTemplate": False, "WorkItemData": '{"category": "network"}',
                     "CreateOneWIPerCI": False}
    desk = group(desk_product, "desk", itsmReceivers=[{
        "name": "desk", "connectionId": "Alerts", "workspaceId": "w", "region": "r", "ticketConfiguration": json.dumps(configuration)}])
    rows(desk_product, "Itsm", [{"Computer": "web0", "Level": "info"}])
    wait_until(lambda: desk_product.query_or_none("Itsm_CL"), 30, "rows of Itsm_CL")
    rule(desk_product, "itsm-errors", "Itsm_CL | where Level_s == 'error'", [desk])
    rows(desk_product, "Itsm", [{"Computer": "web1", "Level": "error"}])

    def incidents():
        return [record for record in now.tables["incident"].values() if record["correlation_id"]]

    [record] = wait_until(incidents, 40, "the incident")
    assert record["category"] == "network" and "Alert rule: itsm-errors" in record["description"]
    wait_until(lambda: record["state"] == "6", 40, "the resolution")
    assert len(incidents()) == 1
    delete_rule(desk_product, "itsm-errors")
    api(desk_product, "DELETE", "/Alerts", status=204)


def test_request_tracker_itself(own_product, tracker):
    """The real product: the test of the form, tickets to tables with every change and page's end, tickets of alerts made once."""
    own_product.environment = {**FAST, "WATCHKEEPER_ITSM__REQUEST_SECONDS": "30"}
    own_product.start()
    good = {"name": "RT", "partner": "RequestTracker", "url": tracker.url, "userName": "integration", "password": "Geheim-1!", "days": 120}
    for wanted, code, said in [
        ({"password": "wrong"}, "UserOrPassword", "own page"), ({"userName": "powerless"}, "Role", "SeeQueue"),
        ({"url": f"{tracker.url}/REST/2.0"}, "Url", "URL"), ({"places": {"Incident": "Nowhere"}}, "Role", "Nowhere"),
    ]:
        answer = api(own_product, "POST", body={**good, **wanted}, status=400)
        assert answer["error"]["code"] == code and said in answer["error"]["message"], (wanted, answer)

    def ticket(queue, subject, **more):
        made = tracker.rest("POST", "/ticket", {"Queue": queue, "Subject": subject, "Content": "x", "ContentType": "text/plain", **more})
        return made["id"]

    first = ticket("General", "Disk", Priority=50, CustomFields={"Computer": "web01", "Urgency": "High", "Category": "Hardware"})
    change = ticket("Changes", "New disk", CustomFields={"Risk": "Low"}, Due="2027-01-02 00:00:00", Starts="2027-01-01 00:00:00")
    # more than a page within a second
    tracker.add_tickets([f"bulk {number}" for number in range(60)])
    refused = api(own_product, "POST", body={**good, "userName": "elsewhere"}, status=400)
    assert refused["error"]["code"] == "Settings" and "time zone" in refused["error"]["message"]
    assert api(own_product, "POST", body=good, status=201)["warnings"] == []
    items = synchronized(own_product, "RT", 62)
    incident = items[first]
    assert {name: incident[name] for name in incident if name.endswith("_s") and incident[name]} == {
        "ServiceDeskConnectionName_s": "RT", "ServiceDeskWorkItemType_s": "Incident", "ServiceDeskId_s": first, "IncidentState_s": "new",
        "Urgency_s": "High", "Priority_s": "Medium", "CreatedBy_s": "root", "Category_s": "Hardware", "Title_s": "Disk"}
    assert incident["Computer"] == "web01" and incident["CreatedDate_t"] <= incident["LastModifiedDate_t"]
    assert items[change]["ServiceDeskWorkItemType_s"] == "ChangeRequest" and items[change]["Risk_s"] == "Low"
    assert {row["Title_s"] for row in items.values()} > {f"bulk {number}" for number in range(60)}
    assert {row["Versions"] for row in items.values()} == {1}

    tracker.rest("PUT", f"/ticket/{first}", {"Status": "resolved", "Owner": "root"})
    resolved = wait_until(lambda: (row := latest(own_product, "RT")[first])["IncidentState_s"] == "resolved" and row, 30, "the resolution")
    assert resolved["ResolvedDate_t"] and resolved["AssignedTo_s"] == "root"
    tracker.rest("DELETE", f"/ticket/{change}", status=(204,))
    api(own_product, "POST", "/RT/sync", status=202)
    wait_until(lambda: latest(own_product, "RT")[change]["CRState_s"] == "Deleted", 30, "the removal")

    [made] = work_item(own_product, "RT", "alert 1", action={"fields": {"CF.Category": "Software"}})
    shown = tracker.rest("GET", f"/ticket/{made['id']}")
    fields = {field["name"]: field["values"] for field in shown["CustomFields"]}
    assert (shown["Subject"], shown["Status"], shown["Priority"], fields["Computer"], fields["Category"]) == (
        "Disk full on web01", "new", "100", ["web01"], ["Software"])
    assert tracker.session.get(made["link"], timeout=30).status_code == 200
    work_item(own_product, "RT", "alert 1")
    assert work_item(own_product, "RT", "alert 1", "Resolved")[0]["open"] is False
    assert tracker.rest("GET", f"/ticket/{made['id']}")["Status"] == "resolved"
    assert work_item(own_product, "RT", "alert 1")[0]["open"] is True
    assert tracker.rest("GET", f"/ticket/{made['id']}")["Status"] == "open"
    found = tracker.rest("GET", "/tickets?query=Subject = 'Disk full on web01'")
    assert found["total"] == 1
    # the product says what it does not take
    refused = work_item(own_product, "RT", "alert 2", action={"template": "x"}, status=400)
    assert refused["error"]["code"] == "WorkItem"


@pytest.fixture
def cherwell(tmp_path):
    desk = Cherwell(tmp_path / "cherwell")
    yield desk
    desk.close()


def test_cherwell(desk_product, cherwell):
    """Business objects by name, times of the service's zone, pages within one minute, incidents of alerts made once."""
    good = {"name": "Cherwell", "partner": "Cherwell", "url": cherwell.url, "userName": cherwell.user, "password": cherwell.password,
            "clientId": cherwell.client_id, "days": 30, "authority": cherwell.authority, "createConfigurationItems": True}
    for wanted, code, said in [
        ({"password": "wrong"}, "UserOrPassword", "Internal"), ({"clientId": "wrong"}, "ClientId", "Administrator"),
        ({"url": f"{cherwell.url}/other"}, "Url", "URL"), ({"places": {"Incident": "Nothing"}}, "Role", "Nothing"),
    ]:
        answer = api(desk_product, "POST", body={**good, **wanted}, status=400)
        assert answer["error"]["code"] == code and said in answer["error"]["message"], (wanted, answer)
    then = datetime.now(timezone.utc) - timedelta(days=2)
    done = cherwell.put("Incident", ShortDescription="Disk", Description="full", Status="Closed", Urgency="High", Priority="1", OwnedBy="Beth Anglin",
                        Category="Hardware", ConfigItemDisplayName="web01", CreatedDateTime=datetime(2026, 1, 2, 3, 4, tzinfo=timezone.utc),
                        LastModDateTime=then)
    # more than a page within one minute
    for number in range(600):
        cherwell.put("Incident", ShortDescription=f"same {number}", LastModDateTime=then + timedelta(minutes=5, milliseconds=number))
    change = cherwell.put("ChangeRequest", ShortDescription="Swap", Type="Normal", Risk="Low", LastModDateTime=then)
    page = r"getsearchresults"
    cherwell.fault("call", page, skip=1, before=lambda desk: desk.end_tokens())
    cherwell.fault("lose", page, skip=2)
    api(desk_product, "POST", body=good, status=201)
    items = synchronized(desk_product, "Cherwell", 602)
    incident = items[done["IncidentID"]]
    assert (incident["IncidentState_s"], incident["Title_s"], incident["Description_s"], incident["Priority_s"], incident["AssignedTo_s"],
            incident["Computer"], incident["CreatedDate_t"][:16]) == ("Closed", "Disk", "full", "1", "Beth Anglin", "web01", "2026-01-02T03:04")
    assert items[change["ChangeID"]]["CRState_s"] == "New" and items[change["ChangeID"]]["Risk_s"] == "Low"
    assert {row["Versions"] for row in items.values()} == {1}
    configuration = api(desk_product, "GET", "/Cherwell/configuration")
    assert {"Beth Anglin", "Don Goodliffe"} == {user["name"] for user in configuration["users"]} and configuration["groups"]

    cherwell.fault("lose", "savebusinessobject", skip=1)
    refused = work_item(desk_product, "Cherwell", "alert/1", status=400)
    assert refused["error"]["code"] == "Network"
    [made] = work_item(desk_product, "Cherwell", "alert/1")
    assert [one["IncidentID"] for one in cherwell.records["Incident"].values() if "Watchkeeper alert: alert/1" in one["Description"]] == [
        made["number"]]
    record = cherwell.records["Incident"][made["id"]]
    assert cherwell.records["ConfigComputer"][record["ConfigItemRecID"]]["HostName"] == "web01"
    work_item(desk_product, "Cherwell", "alert/1")
    assert work_item(desk_product, "Cherwell", "alert/1", "Resolved")[0]["open"] is False and record["Status"] == "Resolved"
    assert work_item(desk_product, "Cherwell", "alert/1")[0]["open"] is True and record["Status"] == "Reopened"
    api(desk_product, "DELETE", "/Cherwell", status=204)


@pytest.fixture
def manager(tmp_path):
    desk = ServiceManager(tmp_path / "manager")
    yield desk
    desk.close()


def test_service_manager(desk_product, manager):
    """Behind its web application: the documented form without a user, work items of both kinds in pages of one moment, incidents
    of alerts by template and fields, once each."""
    good = {"name": "Manager", "partner": "System Center Service Manager", "url": manager.url, "clientId": manager.client_id,
            "clientSecret": manager.client_secret, "days": 30, "authority": manager.authority, "createConfigurationItems": True}
    for wanted, code, said in [
        ({"clientId": "wrong"}, "ClientId", "client ID"), ({"clientSecret": "wrong"}, "ClientSecret", "-NewSecret"),
        ({"clientSecret": ""}, "ClientSecret", "needs a client secret"), ({"url": f"{manager.url}/other"}, "Url", "URL"),
    ]:
        answer = api(desk_product, "POST", body={**good, **wanted}, status=400)
        assert answer["error"]["code"] == code and said in answer["error"]["message"], (wanted, answer)
    manager.may_read = False
    assert api(desk_product, "POST", body=good, status=400)["error"]["code"] == "Role"
    manager.may_read, manager.is_up = True, False
    assert api(desk_product, "POST", body=good, status=400)["error"]["code"] == "Product"
    manager.is_up, manager.may_write = True, False
    then = datetime.now(timezone.utc) - timedelta(days=2)
    day = datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc)
    done = manager.put(
        "Incident", title="Disk", description="full", state="Closed", urgency="High", impact="Medium", priority="2", escalation="True", source="Phone",
        category="Hardware Problems", resolvedBy="CONTOSO\\don", closedBy="CONTOSO\\don", assignedTo="CONTOSO\\beth", created=day, resolved=day, closed=day,
        configurationItems=["web01.example.com"], lastModified=then)
    # more than a page within one millisecond
    for number in range(600):
        manager.put("Incident", title=f"same {number}", lastModified=then + timedelta(minutes=1))
    change = manager.put("ChangeRequest", title="Swap", type="Standard", risk="Low", required=day, plannedStart=day, plannedEnd=day, actualStart=day,
                         actualEnd=day, lastModified=then)
    page = r"^GET /watchkeeper/v1/work-items/Incident\?.*limit=500"
    manager.fault("call", page, before=lambda desk: desk.end_tokens())
    manager.fault("truncate", page, skip=1)
    made = api(desk_product, "POST", body=good, status=201)
    assert len(made["warnings"]) == 1 and "Advanced Operators" in made["warnings"][0]
    items = synchronized(desk_product, "Manager", 602)
    assert {row["Versions"] for row in items.values()} == {1}
    incident, swap = items[done["number"]], items[change["number"]]
    assert {name: incident[name] for name in incident if name.endswith("_s") and incident[name]} == {
        "ServiceDeskConnectionName_s": "Manager", "ServiceDeskWorkItemType_s": "Incident", "ServiceDeskId_s": done["number"], "IncidentState_s": "Closed",
        "Urgency_s": "High", "Impact_s": "Medium", "Priority_s": "2", "Escalation_s": "True", "CreatedBy_s": "CONTOSO\\beth",
        "ResolvedBy_s": "CONTOSO\\don", "ClosedBy_s": "CONTOSO\\don", "Source_s": "Phone", "AssignedTo_s": "CONTOSO\\beth",
        "Category_s": "Hardware Problems", "Title_s": "Disk", "Description_s": "full"}
    assert incident["Computer"] == "web01.example.com" and incident["ClosedDate_t"][:19] == "2026-01-02T03:04:05"
    assert (swap["CRState_s"], swap["Type_s"], swap["Risk_s"], swap["WorkEndDate_t"][:10]) == ("New", "Standard", "Low", "2026-01-02")
    configuration = api(desk_product, "GET", "/Manager/configuration")
    assert [one["name"] for one in configuration["templates"]] == ["Disk"] and len(configuration["users"]) == 2

    refused = work_item(desk_product, "Manager", "alert/1", status=400)
    assert refused["error"]["code"] == "Role"
    manager.may_write = True
    refused = work_item(desk_product, "Manager", "alert/2", action={"template": "Other"}, status=400)
    assert refused["error"]["code"] == "WorkItem" and "ProjectionType" in refused["error"]["message"]
    refused = work_item(desk_product, "Manager", "alert/3", action={"fields": {"Clasification": "x"}}, status=400)
    assert refused["error"]["code"] == "WorkItem" and "Clasification" in refused["error"]["message"]
    # the answer is lost: asked again, it is the same one
    manager.fault("lose", r"^POST /watchkeeper/v1/incidents")
    [ticket] = work_item(desk_product, "Manager", "alert/1", action={"template": "Disk", "fields": {"TierQueue": "Tier 2"}})
    [record] = [one for one in manager.items["Incident"].values() if one["correlationId"] == "alert/1"]
    assert (record["number"], record["urgency"], record["impact"], record["category"], record["tierQueue"], record["configurationItems"]) == (
        ticket["number"], "High", "High", "Hardware Problems", "Tier 2", ["web01"])
    work_item(desk_product, "Manager", "alert/1")
    assert work_item(desk_product, "Manager", "alert/1", "Resolved")[0]["open"] is False and record["state"] == "Resolved"
    assert work_item(desk_product, "Manager", "alert/1")[0]["open"] is True and record["state"] == "Active"
    assert [note.splitlines()[0] for note in manager.notes[record["id"]]] == ["The alert fired again.", "The alert is resolved.", "The alert fired again."]
    api(desk_product, "DELETE", "/Manager", status=204)


@pytest.fixture
def provance(tmp_path):
    desk = Provance(tmp_path / "provance")
    yield desk
    desk.close()


def test_provance(desk_product, provance):
    """Tables of Dataverse: signing in where the product says, tables and columns found by what people read, pages that grow to
    a whole second, rows of alerts made once by their identity."""
    good = {"name": "Provance", "partner": "Provance", "url": provance.url, "userName": provance.user, "password": provance.password,
            "clientId": provance.client_id, "days": 30, "authority": provance.authority, "createConfigurationItems": True}
    for wanted, code, said in [
        ({"password": "wrong"}, "UserOrPassword", "50126"), ({"userName": "nobody@contoso.example"}, "User", "principal name"),
        ({"clientId": "wrong"}, "ClientId", "700016"), ({"url": f"{provance.url}/other"}, "Url", "URL"),
        ({"places": {"Incident": "prv_nothing"}}, "Role", "prv_incidents"), ({"places": {"Incident": "teams"}}, "Settings", "no state"),
    ]:
        answer = api(desk_product, "POST", body={**good, **wanted}, status=400)
        assert answer["error"]["code"] == code and said in answer["error"]["message"], (wanted, answer)
    provance.is_public = False
    assert api(desk_product, "POST", body=good, status=400)["error"]["code"] == "ClientSecret"
    provance.is_public = True
    provance.may.discard("read")
    assert api(desk_product, "POST", body=good, status=400)["error"]["code"] == "Role"
    provance.may.add("read")
    then = datetime.now(timezone.utc) - timedelta(days=2)
    day = datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc)
    ci = provance.put("prv_configurationitem", prv_name="web01")["prv_configurationitemid"]
    done = provance.incident(
        prv_title="Disk", prv_description="full", prv_urgency=100000000, prv_impact=100000001, prv_priority=2, prv_category="Hardware", prv_escalated=True,
        prv_origin=1, prv_resolvedby=provance.people["Don Goodliffe"], prv_closedby=provance.people["Don Goodliffe"], prv_primaryci=ci, createdon=day,
        prv_field27=day, prv_resolvedon=day, statecode=1, statuscode=2, modifiedon=then)
    # more than a page within one second
    for number in range(600):
        provance.incident(prv_title=f"same {number}", modifiedon=then + timedelta(minutes=1))
    change = provance.put("prv_change", prv_title="Swap", prv_risk=100000002, prv_changetype=2, prv_plannedstart=day, prv_plannedend=day, modifiedon=then)
    provance.fault("call", r"prv_incidents\?.*orderby=modifiedon", skip=1, before=lambda desk: desk.end_tokens())
    provance.fault("lose", r"prv_incidents\?.*skiptoken")
    made = api(desk_product, "POST", body=good, status=201)
    assert any("Type_s" not in text and "ConflictStatus_s" in text for text in made["warnings"]), made["warnings"]
    items = synchronized(desk_product, "Provance", 602)
    assert {row["Versions"] for row in items.values()} == {1}
    incident, swap = items[done["prv_number"]], items[change["prv_number"]]
    assert {name: incident[name] for name in incident if name.endswith("_s") and incident[name]} == {
        "ServiceDeskConnectionName_s": "Provance", "ServiceDeskWorkItemType_s": "Incident", "ServiceDeskId_s": done["prv_number"],
        "IncidentState_s": "Closed", "Urgency_s": "High", "Impact_s": "Medium", "Priority_s": "2", "Escalation_s": "Yes", "CreatedBy_s": "Beth Anglin",
        "ResolvedBy_s": "Don Goodliffe", "ClosedBy_s": "Don Goodliffe", "Source_s": "Phone", "AssignedTo_s": "Don Goodliffe", "Category_s": "Hardware",
        "Title_s": "Disk", "Description_s": "full"}
    assert incident["Computer"] == "web01"
    assert {incident[name][:19] for name in ("CreatedDate_t", "ResolvedDate_t", "ClosedDate_t")} == {"2026-01-02T03:04:05"}
    assert (swap["CRState_s"], swap["Type_s"], swap["Risk_s"], swap["PlannedEndDate_t"][:10]) == ("New", "Emergency", "Low", "2026-01-02")
    configuration = api(desk_product, "GET", "/Provance/configuration")
    assert {"Beth Anglin", "Don Goodliffe"} == {user["name"] for user in configuration["users"]} and configuration["groups"]
    urgency = next(field for field in configuration["fields"] if field["name"] == "prv_urgency")
    assert {"value": "100000000", "label": "High"} in urgency["choices"]

    refused = work_item(desk_product, "Provance", "alert/1", action={"fields": {"prv_urgency": "Huge"}}, status=400)
    assert refused["error"]["code"] == "WorkItem" and "it can be High, Medium, Low" in refused["error"]["message"]
    provance.limit = 0
    refused = work_item(desk_product, "Provance", "alert/1", status=400)
    assert refused["error"]["code"] == "RateLimit"
    provance.limit = None
    # the answer is lost: the same identity again is no second row
    provance.fault("lose", r"^PATCH .*/prv_incidents\(")
    before = len(provance.rows["prv_incident"])
    [ticket] = work_item(desk_product, "Provance", "alert/1", configurationItems=["db07.example.com"], action={"fields": {"prv_category": "Network"}})
    assert len(provance.rows["prv_incident"]) == before + 1
    record = provance.rows["prv_incident"][ticket["id"]]
    assert (record["prv_number"], record["prv_urgency"], record["prv_category"]) == (ticket["number"], 100000000, "Network")
    assert provance.rows["prv_configurationitem"][record["prv_primaryci"]]["prv_name"] == "db07.example.com"
    work_item(desk_product, "Provance", "alert/1")
    assert work_item(desk_product, "Provance", "alert/1", "Resolved")[0]["open"] is False
    assert (record["statecode"], record["statuscode"]) == (1, 100000003)
    assert work_item(desk_product, "Provance", "alert/1")[0]["open"] is True and (record["statecode"], record["statuscode"]) == (0, 100000001)
    assert [note.splitlines()[0] for note in provance.notes(record["prv_incidentid"])] == [
        "The alert fired again.", "The alert is resolved.", "The alert fired again."]
    api(desk_product, "DELETE", "/Provance", status=204)
