"""The console in a real browser: its Playwright tests against real servers.

They need Node.js, the console's packages (`npm ci` in `console`) and a Chromium; `CHROMIUM` names another one.
"""

import json
import os
import shutil
import subprocess

import pytest

from conftest import ROOT, product_environment, wait_until
from emulators.servicenow import ServiceNow
from map_page_world import small_shop
from test_alert_rules import group as action_group
from test_alert_rules import rows, rule
from test_itsm import ago, api, form
from test_management_group import alerts, call, get, pack_file, watchkeeper, write_level
from test_map_places import write_places, write_threats

CONSOLE = ROOT / "console"
DEADLINE_SECONDS = 3600


@pytest.fixture
def browser():
    """The browser's path; the test skips where the machine has none, or the console's packages are not installed."""
    path = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    if not path:
        pytest.skip("no Chromium: install one, or name it in CHROMIUM")
    if not (CONSOLE / "node_modules" / ".bin" / "playwright").exists():
        pytest.skip("the console's packages are not installed: run `npm ci` in console")
    return path


def run_browser(product, browser, *specs, **more):
    """Runs Playwright's tests of these files against a product."""
    page = product.session.get(f"{product.url}/")
    assert page.status_code == 200, f"the server carries no console: build console/dist, then the server ({page.status_code})"
    run = subprocess.run(
        ["npx", "playwright", "test", "-c", "e2e/playwright.config.ts", *specs],
        cwd=CONSOLE, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        timeout=DEADLINE_SECONDS,
        env={**product_environment(), "WATCHKEEPER_READY_FILE": str(product.ready_file), "CHROMIUM": browser, **more},
    )
    # what passed is not what is looked for
    _, at, failed = run.stdout.partition("\n  1) ")
    assert run.returncode == 0, f"{at}{failed}" or run.stdout


def test_the_console_works_in_a_browser(product, browser):
    wait_until(lambda: product.query_or_none("Heartbeat | take 1"), 120, "the first heartbeat")
    run_browser(product, browser, "console.spec", "logs.spec", "sign-in.spec", "access.spec")


def test_the_pages_of_the_management_group_work_in_a_browser(own_product, browser, tmp_path):
    product = own_product.start()
    level = tmp_path / "level"
    write_level(level, 95)
    imported = watchkeeper(product, "pack", "import", str(pack_file(tmp_path, level)))
    assert imported.returncode == 0, imported.stderr
    wait_until(lambda: alerts(product), 120, "the alert of the full tank")
    condition = {"allOf": [{"field": "category", "equals": "Administrative"},
                           {"anyOf": [{"field": "level", "equals": "Error"}, {"field": "caller", "containsAny": ["nobody"]}]}]}
    made = call(product, "POST", "/api/alert-rules",
                json={"name": "who-changes", "kind": "activity", "properties": {"scopes": [], "condition": condition}})
    assert made.status_code == 201, made.text
    run_browser(product, browser, "group.spec", "monitoring.spec", "authoring.spec", "administration.spec", "alerting.spec")


def test_the_map_page_works_in_a_browser(own_product, browser, tmp_path):
    places, threats = tmp_path / "places.mmdb", tmp_path / "threats.csv"
    write_places(places, {"203.0.113.0/24": ("Netherlands", "NL", "Amsterdam", 52.37, 4.9)})
    write_threats(threats, ["203.0.113.8", "C2", "a control server", "Amber", 90, 5, "", "", "true", "https://threats.example/8", ""])
    own_product.environment = {"WATCHKEEPER_ITSM__SYNC_SECONDS": "1", "WATCHKEEPER_ALERTS__SHORTEST_FREQUENCY_SECONDS": "1",
                               "WATCHKEEPER_MAP__PLACES": str(places), "WATCHKEEPER_MAP__THREATS": str(threats)}
    product = own_product.start()
    level = tmp_path / "level"
    write_level(level, 95)
    imported = watchkeeper(product, "pack", "import", str(pack_file(tmp_path, level)))
    assert imported.returncode == 0, imported.stderr
    small_shop().send(product)
    group = call(product, "POST", "/api/groups", json={
        "name": "The works", "class": "System.Library!System.Computer", "join": "all", "include": [], "exclude": [],
        "conditions": [{"property": "DisplayName", "operator": "MatchesWildcard", "value": "*"}]})
    assert group.status_code in (200, 201), group.text

    def own_machine():
        """The product's own machine on the map, once its tank is known to be full."""
        answer = get(product, "/api/map")
        groups = [group for group in answer["machineGroups"] if group["name"] == "The works"]
        found = [machine for machine in answer["machines"] if machine["alerts"]["critical"] == 1]
        return found[0] if len(found) == 1 and groups and groups[0]["machines"] == [found[0]["id"]] else None

    machine = wait_until(own_machine, 120, "the map's machine with its critical alert, in its group")
    assert (machine["health"], machine["inMaintenance"], machine["workItems"]) == ("Error", False, 0)
    assert get(product, f"/api/objects/{machine['object']}")["health"] == "Error"
    others = [one for one in get(product, "/api/map")["machines"] if one["name"] == "app-01"]
    assert [(one["health"], one["object"], one["alerts"]["critical"]) for one in others] == [(None, None, 0)]
    # diagrams of the management group from the same map
    works = call(
        product, "POST", f"/subscriptions/any/resourceGroups/any/providers/Microsoft.OperationalInsights/workspaces/"
        f"{product.ready['workspace_id']}/features/serviceMap/machineGroups", params={"api-version": "2015-11-01-preview"},
        json={"kind": "machineGroup", "properties": {"displayName": "Works", "machines": [{"kind": "ref:machine", "id": machine["id"]}]}})
    assert works.status_code in (200, 201), works.text
    run_browser(product, browser, "service-map.spec", MAP_MACHINE=machine["name"])
    # a ticket on the alert is a work item of its machine
    [alert] = alerts(product)
    assert call(product, "PATCH", f"/api/alerts/{alert['id']}", json={"ticketId": "INC-7"}).status_code == 200
    wait_until(lambda: own_machine()["workItems"] == 1, 30, "the work item")
    until = call(product, "POST", "/api/maintenance", json={"objects": [machine["object"]], "minutes": 30})
    assert until.status_code in (200, 201, 204), until.text
    wait_until(lambda: own_machine()["inMaintenance"], 30, "maintenance on the map")
    run_browser(product, browser, "e2e/map.spec", MAP_MACHINE=machine["name"])
    # actions rest while a computer is in maintenance
    assert call(product, "DELETE", f"/api/maintenance/{machine['object']}").status_code in (200, 204)
    wait_until(lambda: not own_machine()["inMaintenance"], 30, "the end of maintenance")
    desk = ServiceNow(tmp_path / "servicenow")
    try:
        filled = desk_with_work_items(desk, machine["name"])
        filled["ofAlert"] = work_item_of_an_alert(product, desk, machine["name"])
        run_browser(product, browser, "itsm.spec", DESK=json.dumps(filled))
        # the machine's own incident, the alert's, and the ticket that somebody wrote down
        assert own_machine()["workItems"] == 3
    finally:
        desk.close()


def desk_with_work_items(desk, machine):
    """Fills a service desk: two open incidents and a done one, an open change request; one incident is about a machine.
    Gives what the browser's tests need of it."""
    known, other = (desk.put("cmdb_ci", name=name, sys_class_name="cmdb_ci_computer")["sys_id"] for name in (machine, "printer-7"))
    number = desk.incident(short_description="The tank is full", cmdb_ci=known, priority="1", sys_updated_on=ago(hours=3), opened_at=ago(days=2))["number"]
    desk.incident(short_description="Paper jam", cmdb_ci=other, priority="4", sys_updated_on=ago(hours=2), opened_at=ago(days=1))
    desk.incident(short_description="Mouse squeaks", state="7", closed_at=ago(days=1), opened_at=ago(days=6), sys_updated_on=ago(days=1))
    desk.change_request(short_description="A larger tank", sys_updated_on=ago(hours=1), opened_at=ago(days=3))
    return {"url": desk.url, "user": desk.user, "password": desk.password, "clientId": desk.client_id, "clientSecret": desk.client_secret,
            "authority": desk.authority, "machine": machine, "number": number}


def work_item_of_an_alert(product, desk, machine):
    """Has an alert rule make an incident about a machine, over a connection that imports nothing; gives its number."""
    api(product, "POST", body=form(desk, "Tickets", workItems=[]), status=201)
    action = {"PayloadRevision": 0, "WorkItemType": "Incident", "UseTemplate": False, "WorkItemData": "{}", "CreateOneWIPerCI": False}
    actions = action_group(product, "desk", itsmReceivers=[{
        "name": "desk", "connectionId": "Tickets", "workspaceId": "w", "region": "r", "ticketConfiguration": json.dumps(action)}])
    rows(product, "Leak", [{"Computer": machine, "Level": "error"}])
    wait_until(lambda: product.query_or_none("Leak_CL"), 30, "rows of Leak_CL")
    # so long a window that the alert stays
    rule(product, "leak", "Leak_CL | extend Computer = Computer_s", [actions], severity=3, windowSize="PT6H",
         condition={"dimensions": [{"name": "Computer", "operator": "Include", "values": ["*"]}]})

    def number():
        found = [item["number"] for alert in get(product, "/api/alerts?state=open") for item in alert["workItems"]]
        return found[0] if found else None

    return wait_until(number, 60, "the work item of the alert")
