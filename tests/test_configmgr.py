"""Connections to Configuration Manager: what is verified, imports through every fault, and computer groups in use, over an
emulator of the administration service."""

import json
import os
import socket
import subprocess
import threading

import pytest

from conftest import BINARIES, Product, product_environment, wait_until
from emulators.configmgr import SECONDARY, Hierarchy, Service, odata_error
from emulators.desk import Answer
from kerberos_realm import Realm
from test_console import browser, run_browser  # noqa: F401

FAST = {"WATCHKEEPER_CONFIGURATION_MANAGER__RETRY_SECONDS": "1", "WATCHKEEPER_CONFIGURATION_MANAGER__REQUEST_SECONDS": "5",
        "WATCHKEEPER_CONFIGURATION_MANAGER__PAGE_ROWS": "50", "WATCHKEEPER_CONFIGURATION_MANAGER__TRIES": "3",
        "WATCHKEEPER_ALERTS__SHORTEST_FREQUENCY_SECONDS": "1"}
PATH = "/api/configuration-manager"
# the product's own agent runs here: it is the one on the service connection point
HERE = socket.gethostname()


@pytest.fixture(scope="module")
def cm_product(tmp_path_factory):
    running = Product(tmp_path_factory.mktemp("configmgr") / "data", environment=FAST).start()
    wait_until(lambda: running.query_or_none("Heartbeat | take 1"), 60, "a heartbeat")
    yield running
    code = running.stop()
    assert code == 0, f"watchkeeper ended with {code}:\n{running.log_tail()}"


def api(product, method, path="", body=None, status=200):
    path = path if path.startswith("/api/") or path.startswith("/subscriptions") else PATH + path
    answer = product.session.request(method, f"{product.url}{path}", json=body,
                                     headers={"Authorization": f"Bearer {product.token()}"}, timeout=60)
    assert answer.status_code == status, f"{method} {path}: {answer.status_code} {answer.text}"
    return answer.json() if answer.content else None


def principal(product, role):
    made = api(product, "POST", "/api/principals", {"name": f"Configuration Manager {role}", "role": role}, status=201)
    return {"clientId": made["clientId"], "secret": made["clientSecret"], "tenantId": product.ready["tenant_id"]}


@pytest.fixture(scope="module")
def application(cm_product):
    return principal(cm_product, "Contributor")


@pytest.fixture
def site(tmp_path):
    service = Service(tmp_path / "site", Hierarchy("P01", connection_point=HERE))
    yield service
    service.close()


def form(service, application, **more):
    return {"environment": "Watchkeeper", "applicationName": "ConfigMgr", "appIdUri": service.app_id_uri, "address": service.url,
            "userName": service.account, "password": service.password, "trusted": service.authority, "allCollections": True,
            **application, **more}


def cloud(service, **more):
    return {"environment": "AzurePublicCloud", "authority": service.url, "tenantId": service.tenant, "clientId": service.client_id,
            "secret": service.secret, "appIdUri": service.app_id_uri, "address": service.url, "signIn": "Token",
            "trusted": service.authority, "allCollections": True, **more}


def imported(product, name, **wanted):
    """Waits until the rows of the last import are all there, and it did what is wanted."""
    def done():
        shown = api(product, "GET", f"/{name}")
        ready = shown["status"] == "imported" and shown["rowsComplete"] and shown["outcome"]
        return ready and all(shown["outcome"].get(key) == value for key, value in wanted.items()) and shown
    return wait_until(done, 40, f"the import of {name} with {wanted}")


def run_again(product, name, **wanted):
    before = api(product, "GET", f"/{name}")["lastSuccess"]
    api(product, "POST", f"/{name}/run", status=202)
    wait_until(lambda: api(product, "GET", f"/{name}")["lastSuccess"] != before, 40, "another import")
    return imported(product, name, **wanted)


def groups(product, name):
    source = {one["id"]: one for one in api(product, "GET", "/api/computer-groups")}
    site = api(product, "GET", f"/{name}")["site"]["code"]
    return {one["name"]: one for one in source.values() if one["sourceName"] == site}


def members(product, group):
    names, after = [], ""
    while True:
        page = api(product, "GET", f"/api/computer-groups/{group}/members{after}")
        names += page["members"]
        if page["next"] is None:
            return sorted(names)
        after = f"?after={page['next']}"


def test_verify_names_the_part_that_is_wrong_and_fills_in_the_workspace(cm_product, application, site, tmp_path):
    """Every rule of a connection has its own words; nothing that breaks one is kept, and no secret is repeated."""
    reader = principal(cm_product, "Reader")
    places = []

    def variant(hierarchy=None, site_code="P01", **changes):
        service = Service(tmp_path / f"site{len(places)}", hierarchy or Hierarchy("P01", connection_point=HERE), site_code)
        for name, value in changes.items():
            setattr(service, name, value)
        places.append(service)
        return form(service, application)

    grown = Hierarchy("P01", connection_point=HERE)
    grown.grow()
    grown.site("S01", SECONDARY, reports_to="P01")
    good = form(site, application)
    try:
        for body, part, said in [
            ({**good, "tenantId": "other"}, "Tenant", "other"),
            ({**good, "clientId": "c0ffee00-0000-0000-0000-000000000000"}, "Application", "c0ffee00"),
            ({**good, "secret": "wrong-secret"}, "Secret", "value of the client secret"),
            ({**good, **reader}, "Workspace", "does not have the rights required"),
            ({**good, "password": "wrong-password"}, "Account", "DOMAIN\\user"),
            ({**good, "userName": "CONTOSO\\nobody"}, "Account", "nobody"),
            ({**good, "trusted": ""}, "Certificate", "SMS Issuing"),
            ({**good, "address": "https://cm.invalid"}, "Address", "cm.invalid"),
            ({**good, "address": "http://cm01"}, "Address", "https://"),
            ({**good, "environment": "Moon"}, "Settings", "AzurePublicCloud"),
            ({**good, "signIn": "Token"}, "Settings", "Windows"),
            (variant(administrators=set()), "Role", "Read-only Analyst"),
            (variant(installed=False), "AdministrationService", "1810"),
            (variant(takes_windows=False, takes_tokens=True), "Account", "by token"),
            (variant(Hierarchy("P01", version="5.00.8355.1000", connection_point=HERE)), "Version", "1606"),
            (variant(Hierarchy("P01", connection_point=None)), "ServiceConnectionPoint", "no service connection point"),
            (variant(Hierarchy("P01", connection_point=HERE, online=False)), "ServiceConnectionPoint", "offline mode"),
            (variant(grown, "P01"), "Site", "central administration site CAS"),
            (variant(grown, "S01"), "Site", "secondary"),
            (variant(Hierarchy("P01", connection_point="scp.contoso.com")), "Agent", "scp.contoso.com"),
        ]:
            answer = api(cm_product, "POST", body={**body, "name": "wrong"}, status=400)
            assert answer["error"]["code"] == part and said in answer["error"]["message"], (part, answer)
            for secret in ("wrong-password", "wrong-secret", site.password, application["secret"]):
                assert secret not in json.dumps(answer)
        # the same without saving: which rules are kept is said one by one, and the fields stay empty without the role
        shown = api(cm_product, "POST", "/verify", {**good, **reader})
        assert (shown["verified"], shown["subscription"], shown["resourceGroup"], shown["workspace"]) == (False, "", "", "")
        shown = api(cm_product, "POST", "/verify", good)
        assert shown["verified"] and shown["checks"][0]["message"] == "Successfully verified!"
        assert [check["part"] for check in shown["checks"]] == [
            "Application", "Workspace", "Version", "Site", "ServiceConnectionPoint", "Agent"]
        assert (shown["subscription"], shown["resourceGroup"], shown["workspace"]) == (cm_product.ready["tenant_id"], "watchkeeper", "default")
        shown = api(cm_product, "POST", "/verify", variant(grown, "CAS"))
        assert shown["verified"] and shown["site"]["code"] == "CAS"
        assert api(cm_product, "POST", "/verify", {**variant(Hierarchy("P01", connection_point="far")), "withoutAgent": True})["verified"]
        assert api(cm_product, "POST", "/verify", variant(Hierarchy("P01", version="5.00.8412.1000", connection_point=HERE)))["verified"]
    finally:
        for place in places:
            place.close()
    assert api(cm_product, "GET") == []
    audit = cm_product.query('Audit | where Action == "create Configuration Manager connection" and Result == "Failed" | take 100')
    assert len(audit) >= 15


def test_collections_become_groups_and_follow_what_happens_at_the_site(cm_product, application, site):
    """Members of all pages become groups and rows; later changes are followed, and what did not change is not read again."""
    world = site.hierarchy
    names = [f"PC{number:04}" for number in range(230)]
    world.named("SMS00001", [*names, HERE.split(".")[0].upper()])
    servers, empty = world.add_collection("All 'Servers' & more", comment="x"), world.add_collection("Empty")
    world.named(servers, names[:120])
    # a machine that was set up anew has two records
    world.put(servers, [*world.collections[servers]["members"], world.computer("PC0001")])
    # one of them has sent its hardware inventory, and one is a member of nothing
    seventh = next(number for number, (name, _) in world.resources.items() if name == "PC0007")
    world.hardware.append({"ResourceID": seventh, "Name": "PC0007", "Manufacturer": "Contoso", "Model": "Rack 5", "NumberOfProcessors": 2})
    world.computer("ALONE")
    made = api(cm_product, "POST", body=form(site, application, name="Site", description="the lab"), status=201)
    assert "password" not in json.dumps(made).lower() and site.password not in json.dumps(made)
    shown = imported(cm_product, "Site", collections=3, memberships=351, empty=1, read=3, devices=232)
    assert (shown["computers"], shown["site"]["code"], shown["workspace"]) == (231, "P01", "default")
    found = groups(cm_product, "Site")
    assert set(found) == {"All Systems", "All 'Servers' & more", "Empty"}
    assert members(cm_product, found["All 'Servers' & more"]["id"]) == names[:120]
    # the machine that the management group knows has its full name
    assert HERE in members(cm_product, found["All Systems"]["id"])
    assert len(cm_product.query(shown["computersQuery"])) == 231
    assert {row["Group"] for row in cm_product.query(shown["collectionsQuery"])} == {"All Systems", "All 'Servers' & more"}
    row = cm_product.query(f'ComputerGroup | where GroupId == "{servers}" and Computer == "PC0007"')[0]
    assert {key: row[key] for key in ("Group", "GroupFullName", "GroupSource", "GroupSourceName", "Type")} == {
        "Group": "All 'Servers' & more", "GroupFullName": "SCCM\\P01\\All 'Servers' & more", "GroupSource": "SCCM",
        "GroupSourceName": "P01", "Type": "ComputerGroup"}
    devices = cm_product.query("ConfigurationManagerDevice_CL | where Computer in ('PC0007', 'PC0008', 'ALONE')")
    device = {row["Computer"]: row for row in devices}
    assert set(device) == {"PC0007", "PC0008"}
    known = {"SiteCode_s": "P01", "Domain_s": "CONTOSO", "OperatingSystem_s": "Microsoft Windows NT Server 10.0", "IsVirtualMachine_b": True,
             "LastLogonUser_s": "CONTOSO\\ada", "ADSite_s": "Cellar"}
    for computer, hardware in (("PC0007", ("Contoso", "Rack 5", 2)), ("PC0008", ("", "", None))):
        row = device[computer]
        assert {name: row[name] for name in known} == known and row["LastLogon_t"].startswith("2026-11-01T08:30:00")
        assert (row["Manufacturer_s"], row["Model_s"], row["Processors_d"]) == hardware
    # one is renamed, one emptied, one gets members; then one is deleted
    world.rename(servers, "Servers")
    world.put("SMS00001", [])
    world.named(empty, names[:3])
    read = len(site.seen(f"CollectionID eq '{servers}'"))
    run_again(cm_product, "Site", collections=3, memberships=123, read=2, renamed=1, empty=1)
    assert len(site.seen(f"CollectionID eq '{servers}'")) == read
    found = groups(cm_product, "Site")
    assert set(found) == {"All Systems", "Servers", "Empty"} and members(cm_product, found["Empty"]["id"]) == names[:3]
    world.delete(empty)
    shown = run_again(cm_product, "Site", collections=2, removed=1, read=0, memberships=120)
    # rows come anew with every import, of the groups that are
    assert {row["Group"] for row in cm_product.query(shown["collectionsQuery"])} == {"Servers"}
    # collections are chosen, and the import is switched off
    api(cm_product, "PATCH", "/Site", {"allCollections": False})
    imported(cm_product, "Site", collections=0, removed=2)
    api(cm_product, "POST", "/Site/collections", {"add": [servers]})
    imported(cm_product, "Site", collections=1, memberships=120)
    chosen = {one["id"]: one["chosen"] for one in api(cm_product, "GET", "/Site/collections")}
    assert chosen == {"SMS00001": False, servers: True}
    api(cm_product, "POST", "/Site/collections", {"remove": ["SMS00001"]}, status=404)
    assert api(cm_product, "PATCH", "/Site", {"import": False})["status"] == "off"
    api(cm_product, "DELETE", "/Site", status=204)
    assert all(group["source"] != "SCCM" for group in api(cm_product, "GET", "/api/computer-groups"))


def test_an_import_that_fails_half_way_leaves_the_groups_as_they_were(cm_product, site):
    """Broken, throttled, unsorted and refused answers; a token that ends in the middle; a page that never comes."""
    site.takes_windows, site.takes_tokens = False, True
    world = site.hierarchy
    names = [f"N{number:04}" for number in range(160)]
    world.named("SMS00001", names)
    other = world.add_collection("Other")
    world.named(other, names[:60])
    api(cm_product, "POST", "/grant", {"clientId": site.client_id}, status=204)
    site.page = 30
    api(cm_product, "POST", body=cloud(site, name="Cloud"), status=201)
    imported(cm_product, "Cloud", memberships=220)
    before = {name: group["id"] for name, group in groups(cm_product, "Cloud").items()}
    # what passes is gone through: throttled, dropped, half an answer, lost, a token that was taken back
    world.named("SMS00001", names[:150])
    site.fault("answer", "FullCollection", skip=1, answer=odata_error(429, "too many", **{"Retry-After": "1"}))
    site.fault("drop", "FullCollection", skip=2)
    site.fault("truncate", "FullCollection", skip=3)
    site.fault("call", "FullCollection", skip=3, before=lambda service: service.close_tokens())
    run_again(cm_product, "Cloud", memberships=210, read=1)
    assert members(cm_product, before["All Systems"]) == names[:150]
    # what does not pass leaves everything as it was
    world.named("SMS00001", names[:10])
    world.rename(other, "Renamed")
    api(cm_product, "PATCH", "/Cloud", {"import": False})

    def broken(part, *arguments, **more):
        last, fault = api(cm_product, "GET", "/Cloud")["lastRun"], site.fault(*arguments, **more)
        api(cm_product, "POST", "/Cloud/run", status=202)
        shown = wait_until(lambda: (lambda one: one["lastRun"] != last and one)(api(cm_product, "GET", "/Cloud")), 40, "the import's end")
        fault.times = fault.hits
        assert (shown["status"], shown["problem"]["part"]) == ("failed", part) and fault.hits, shown
        assert {name: group["id"] for name, group in groups(cm_product, "Cloud").items()} == before
        assert members(cm_product, before["All Systems"]) == names[:150]
    broken("Busy", "answer", "FullCollection", times=99, answer=Answer(503, ""))
    broken("Answer", "answer", "FullCollection", answer=Answer(200, '{"value": [{"ResourceID": 5}, {"ResourceID": 4}]}'))
    broken("Answer", "answer", "FullCollection", answer=Answer(200, '{"value": '))
    broken("Answer", "answer", "FullCollection", answer=Answer(200, {"value": [], "@odata.nextLink": "https://evil.example/x"}))
    broken("Role", "answer", "SMS_Collection", answer=Answer(200, {"value": []}))
    api(cm_product, "PATCH", "/Cloud", {"import": True})
    imported(cm_product, "Cloud", memberships=70, renamed=1)
    # the secret ends: it is said, and a new one is enough
    site.secret_expired = True
    site.close_tokens()
    api(cm_product, "POST", "/Cloud/run", status=202)
    wait_until(lambda: (api(cm_product, "GET", "/Cloud")["problem"] or {}).get("part") == "SecretExpired", 40, "the expired secret")
    answer = api(cm_product, "PATCH", "/Cloud", {"secret": "still-wrong"}, status=400)
    assert answer["error"]["code"] == "Secret"
    site.secret_expired, site.secret = False, "another/secret"
    shown = api(cm_product, "PATCH", "/Cloud", {"secret": "another/secret", "secretExpiry": "2031-01-01"})
    assert shown["secretDaysLeft"] > 300
    imported(cm_product, "Cloud", memberships=70)
    # a service that does not sort is read all the same
    site.sorts = False
    world.named("SMS00001", names[:40])
    run_again(cm_product, "Cloud", memberships=100)
    api(cm_product, "DELETE", "/Cloud", status=204)


def test_a_server_that_is_killed_in_the_middle_goes_on_from_the_old_state(own_product, tmp_path):
    """Killed while it reads: the old groups hold, nothing is left over, and each import writes each row once."""
    own_product.environment = FAST
    own_product.start()
    wait_until(lambda: own_product.query_or_none("Heartbeat | take 1"), 60, "a heartbeat")
    service = Service(tmp_path / "site", Hierarchy("P01", connection_point=HERE))
    try:
        world = service.hierarchy
        world.named("SMS00001", [f"K{number:04}" for number in range(200)])
        more = [world.add_collection(f"C{number}") for number in range(6)]
        for identity in more:
            world.named(identity, [f"K{number:04}" for number in range(100)])
        api(own_product, "POST", body=form(service, principal(own_product, "Contributor"), name="Site"), status=201)
        imported(own_product, "Site", memberships=800)
        for identity in more:
            world.put(identity, world.collections[identity]["members"][:50])
        reached, hold = threading.Event(), threading.Event()

        def wait(_):
            reached.set()
            hold.wait(30)
        service.fault("call", "FullCollection", skip=3, before=wait)
        api(own_product, "POST", "/Site/run", status=202)
        assert reached.wait(30)
        own_product.kill()
        hold.set()
        # it reads again from the start; before, the old state holds
        service.fault("answer", "SMS_Collection", times=2, answer=Answer(503, ""))
        own_product.start()
        shown = api(own_product, "GET", "/Site")
        assert shown["outcome"]["memberships"] == 800
        assert len(members(own_product, groups(own_product, "Site")["C0"]["id"])) in (100, 50)
        shown = imported(own_product, "Site", memberships=500)
        assert len(members(own_product, groups(own_product, "Site")["C5"]["id"])) == 50
        counts = own_product.query("ComputerGroup | summarize Rows = count(), Different = dcount(strcat(Group, Computer)) by TimeGenerated")
        assert sorted(row["Rows"] for row in counts) == [500, 800] and all(row["Rows"] == row["Different"] for row in counts)
    finally:
        service.close()


def test_a_hierarchy_that_grows_a_central_site_is_followed_in_one_step(cm_product, application, site, tmp_path):
    """It is said that the top is another one; one move leads the connection there, and the groups keep their use."""
    world = site.hierarchy
    world.named("SMS00001", ["ONE", "TWO"])
    api(cm_product, "POST", body=form(site, application, name="Moves"), status=201)
    imported(cm_product, "Moves", memberships=2)
    group = groups(cm_product, "Moves")["All Systems"]
    api(cm_product, "PATCH", f"/api/computer-groups/{group['id']}", {"alias": "moving_group"})
    world.grow()
    api(cm_product, "POST", "/Moves/run", status=202)
    shown = wait_until(lambda: (lambda one: one["status"] == "failed" and one)(api(cm_product, "GET", "/Moves")), 40, "the new top")
    assert shown["problem"]["part"] == "Hierarchy" and "CAS" in shown["problem"]["message"] and "move" in shown["problem"]["advice"]
    assert sorted(row["Computer"] for row in cm_product.query("moving_group")) == ["ONE", "TWO"]
    central = Service(tmp_path / "central", world, "CAS")
    try:
        # not to a site below
        assert api(cm_product, "POST", "/Moves/move", {"address": site.url}, status=400)["error"]["code"] == "Site"
        world.named("SMS00001", ["ONE", "TWO", "THREE"])
        shown = api(cm_product, "POST", "/Moves/move", {"address": central.url, "trusted": central.authority})
        assert shown["site"]["code"] == "CAS"
        imported(cm_product, "Moves", memberships=3)
        assert sorted(row["Computer"] for row in cm_product.query("moving_group")) == ["ONE", "THREE", "TWO"]
        assert groups(cm_product, "Moves")["All Systems"]["id"] == group["id"]
    finally:
        central.close()
    api(cm_product, "DELETE", "/Moves", status=204)


def test_groups_are_used_by_name_in_queries_and_in_the_management_group(cm_product, tmp_path):
    """Made by hand, of a query, and by the API of saved searches: each gives its computers by its alias."""
    made = api(cm_product, "POST", "/api/computer-groups",
               {"name": "By hand", "alias": "by_hand", "computers": ["web1", "WEB1", " db1 ", HERE], "inManagementGroup": True}, status=201)
    assert (made["source"], made["members"]) == ("Manual", 3)
    assert sorted(row["Computer"] for row in cm_product.query("by_hand")) == sorted(["web1", "db1", HERE])
    assert cm_product.query("Heartbeat | where Computer in (by_hand) | distinct Computer") == [{"Computer": HERE}]
    # whatever time a query looks at
    assert len(cm_product.query("by_hand", timespan="2020-01-01/2020-01-02")) == 3
    rows = wait_until(lambda: cm_product.query_or_none('ComputerGroup | where Group == "By hand"'), 40, "rows of the group")
    assert {row["Computer"] for row in rows} == {"web1", "db1", HERE} and rows[0]["GroupSource"] == "Manual"
    # an alias is one thing's alone
    for alias in ("by_hand", "Heartbeat", "1x"):
        assert api(cm_product, "POST", "/api/computer-groups", {"name": "x", "alias": alias, "computers": []},
                   status=400 if alias == "1x" else 409)
    # of a query
    query = 'Heartbeat | where Computer == "%s" | distinct Computer' % HERE
    answer = api(cm_product, "POST", "/api/computer-groups", {"name": "Bad", "query": "Heartbeat | distinct OSType"}, status=400)
    assert "distinct Computer" in answer["error"]["message"]
    one = api(cm_product, "POST", "/api/computer-groups", {"name": "Of a query", "alias": "of_query", "query": query}, status=201)
    assert members(cm_product, one["id"]) == [HERE] and cm_product.query("of_query | count")[0]["Count"] == 1
    # as documented for Azure: a saved search with the tag Group = Computer
    path = (f"/subscriptions/{cm_product.ready['tenant_id']}/resourcegroups/watchkeeper/providers/Microsoft.OperationalInsights/"
            "workspaces/default/savedSearches/{}?api-version=2020-08-01")
    body = {"properties": {"category": "Groups", "displayName": "By API", "query": query, "functionAlias": "by_api", "version": 2,
                           "tags": [{"name": "Group", "value": "Computer"}]}}
    saved = api(cm_product, "PUT", path.format("by-api"), body)
    assert api(cm_product, "PUT", path.format("by-api"), body, status=409)["error"]["code"] == "Conflict"
    assert api(cm_product, "PUT", path.format("by-api"), {**body, "etag": saved["etag"]})["etag"] != saved["etag"]
    assert api(cm_product, "GET", path.format("by-api"))["properties"]["tags"] == body["properties"]["tags"]
    listed = {one["name"]: one for one in api(cm_product, "GET", "/api/computer-groups")}
    assert listed["By API"]["source"] == "Query" and cm_product.query("by_api") == [{"Computer": HERE}]
    # in the management group: an object that contains the computer, and maintenance of it is maintenance of the computer
    def contained():
        shown = api(cm_product, "GET", f"/api/objects/{made['object']}")
        return shown["contains"] and shown
    shown = wait_until(contained, 40, "the group in the management group")
    assert [one["name"] for one in shown["contains"]] == [HERE]
    computer = shown["contains"][0]["id"]
    window = api(cm_product, "POST", "/api/maintenance", {"objects": [made["object"]], "minutes": 10}, status=201)
    wait_until(lambda: api(cm_product, "GET", f"/api/objects/{computer}")["maintenanceUntil"], 20, "maintenance of the computer")
    assert window
    # it is changed, and it goes
    changed = api(cm_product, "PATCH", f"/api/computer-groups/{made['id']}", {"name": "Renamed", "computers": ["web1"]})
    assert (changed["alias"], changed["members"]) == ("by_hand", 1)
    assert cm_product.query("by_hand") == [{"Computer": "web1"}]
    wait_until(lambda: not api(cm_product, "GET", f"/api/objects/{made['object']}")["contains"], 40, "the group without the computer")
    for one in ("Renamed", "Of a query"):
        api(cm_product, "DELETE", f"/api/computer-groups/{one}", status=204)
    api(cm_product, "DELETE", path.format("by-api"))
    assert cm_product.query_or_none("by_hand") is None


def test_a_collection_and_other_groups_are_the_scope_of_maintenance_overrides_and_alert_rules(cm_product, application, site):
    """A collection, a query and a list: each names its computers of now, and those that join it later, wherever work is cut to some."""
    site.hierarchy.named("SMS00001", [HERE.split(".")[0].upper(), "OTHER"])
    api(cm_product, "POST", body=form(site, application, name="Scopes"), status=201)
    imported(cm_product, "Scopes", memberships=2)
    collection = groups(cm_product, "Scopes")["All Systems"]
    query = api(cm_product, "POST", "/api/computer-groups", {
        "name": "Asked", "alias": "asked", "query": f'Heartbeat | where Computer == "{HERE}" | distinct Computer'}, status=201)
    by_list = api(cm_product, "POST", "/api/computer-groups", {"name": "Listed", "alias": "listed", "computers": ["nobody"]}, status=201)
    [computer] = [one for one in api(cm_product, "GET", "/api/objects?class=System.Library!System.Computer") if one["name"] == HERE]
    computer = computer["id"]

    def in_maintenance():
        return api(cm_product, "GET", f"/api/objects/{computer}")["maintenanceUntil"] is not None
    # maintenance of a collection and of a query: each is put into the management group by it
    for group in (collection, query):
        [window] = api(cm_product, "POST", "/api/maintenance", {"computerGroups": [group["id"]], "minutes": 10}, status=201)
        assert window["objectName"] == group["name"] and window["recursive"]
        wait_until(in_maintenance, 20, f"maintenance of the computer by {group['name']}")
        assert api(cm_product, "GET", f"/api/computer-groups/{group['id']}")["object"] == window["object"]
        api(cm_product, "DELETE", f"/api/maintenance/{window['object']}", status=204)
        wait_until(lambda: not in_maintenance(), 20, "its end")
    # maintenance that recurs, of a list without the computer: it joins, and it leaves
    schedule = api(cm_product, "POST", "/api/maintenance-schedules", {
        "name": "Each day", "computerGroups": ["listed"], "start": "2026-01-01T00:00:00", "minutes": 1440, "freqType": 4,
        "freqInterval": 1}, status=201)
    listed = api(cm_product, "GET", "/api/computer-groups/listed")["object"]
    wait_until(lambda: [one for one in api(cm_product, "GET", "/api/maintenance") if one["object"] == listed], 20, "the window of the schedule")
    assert not in_maintenance()
    api(cm_product, "PATCH", "/api/computer-groups/listed", {"computers": ["nobody", HERE]})
    wait_until(in_maintenance, 20, "the maintenance of who joins")
    api(cm_product, "PATCH", "/api/computer-groups/listed", {"computers": ["nobody"]})
    wait_until(lambda: not in_maintenance(), 20, "the end for who leaves")
    api(cm_product, "DELETE", f"/api/maintenance-schedules/{schedule['id']}", status=204)
    api(cm_product, "DELETE", f"/api/maintenance/{listed}", status=204)
    assert "computerGroups" in api(cm_product, "POST", "/api/maintenance", {"minutes": 10}, status=400)["error"]["message"]
    assert "no computer group" in api(cm_product, "POST", "/api/maintenance", {"computerGroups": ["x"], "minutes": 10}, status=404)["error"]["message"]
    # an override for a collection holds for its computers, and ends with their membership
    [value, *_] = [one for one in api(cm_product, "GET", f"/api/objects/{computer}/overrides") if one["name"] == "Enabled" and one["value"] == "true"]
    override = api(cm_product, "POST", "/api/overrides", {
        "element": value["element"], "computerGroup": collection["id"], "property": "Enabled", "value": "false"}, status=201)

    def enabled():
        [found] = [one for one in api(cm_product, "GET", f"/api/objects/{computer}/overrides?element={value['element']}") if one["name"] == "Enabled"]
        return found["value"]
    assert enabled() == "false"
    site.hierarchy.named("SMS00001", ["OTHER"])
    run_again(cm_product, "Scopes", memberships=1)
    wait_until(lambda: enabled() == "true", 20, "the value of who is no member")
    api(cm_product, "DELETE", f"/api/overrides/{override['id']}", status=204)
    # an alert rule with groups as its scopes sees their computers alone
    def rule(*scopes, text="Heartbeat", frequency="PT1M"):
        return {"name": "scoped", "kind": "log", "range": "PT1H", "properties": {
            "severity": 3, "evaluationFrequency": frequency, "windowSize": "PT1H", "scopes": list(scopes), "criteria": {"allOf": [{
                "query": text, "timeAggregation": "Count", "operator": "GreaterThan", "threshold": 0,
                "dimensions": [{"name": "Computer", "operator": "Include", "values": ["*"]}]}]}}}

    def previewed(*scopes):
        return api(cm_product, "POST", "/api/alert-rules/preview", rule(*scopes))["fired"]
    search = (f"/subscriptions/{cm_product.ready['tenant_id']}/resourceGroups/watchkeeper/providers/Microsoft.OperationalInsights/"
              f"workspaces/default/savedSearches/{query['id']}")
    assert [previewed(*scopes) for scopes in ([], ["computerGroups/asked"], [search], ["computerGroups/listed"],
                                              [f"computerGroups/{collection['id']}"], ["computerGroups/listed", search])] == [1, 1, 1, 0, 0, 1]
    refused = api(cm_product, "POST", "/api/alert-rules", rule("computerGroups/none"), status=400)
    assert "properties.scopes" in refused["error"]["message"] and "none" in refused["error"]["message"]
    refused = api(cm_product, "POST", "/api/alert-rules", rule("computerGroups/asked", text="Heartbeat | project TimeGenerated"), status=400)
    assert "Computer" in refused["error"]["message"]
    saved = api(cm_product, "POST", "/api/alert-rules", rule("computerGroups/asked", frequency="PT1S"), status=201)
    assert saved["properties"]["scopes"] == ["computerGroups/asked"]
    [alert] = wait_until(lambda: [one for one in api(cm_product, "GET", "/api/alerts") if one["name"] == "scoped"], 40, "the alert")
    assert alert["resolutionState"] == "New"
    # a group that goes takes its object along; what names it says so
    api(cm_product, "DELETE", "/api/computer-groups/Asked", status=204)
    wait_until(lambda: not [one for one in api(cm_product, "GET", "/api/groups") if one["name"] == "Asked"], 20, "the group without its object")
    health = wait_until(lambda: (lambda one: one["status"] == "Failing" and one)(api(cm_product, "GET", "/api/alert-rules/scoped")["health"]),
                        40, "the rule that says what is missing")
    assert "asked" in health["error"]
    api(cm_product, "DELETE", "/api/alert-rules/scoped", status=204)
    api(cm_product, "DELETE", "/api/computer-groups/Listed", status=204)
    api(cm_product, "DELETE", "/Scopes", status=204)


def test_a_site_is_read_by_kerberos(cm_product, application, site, tmp_path):
    """Tickets of a real key distribution center, bound to the TLS connection; what is wrong is told apart."""
    realm = Realm(tmp_path / "realm")
    try:
        realm.account("reader", "geheim3")
        realm.account("locked", "geheim3", options="+requires_preauth -allow_tix")
        realm.account("expired", "geheim3", options="+requires_preauth -pwexpire yesterday")
        site.realm = realm
        site.administrators.add("reader@contoso.test")
        site.hierarchy.named("SMS00001", [f"K{number}" for number in range(120)])
        filled = form(site, application, name="Tickets", address=f"https://localhost:{site.port}", signIn="Kerberos", kdc=realm.kdc,
                      userName="CONTOSO.TEST\\reader", password="geheim3")

        def problem(**changes):
            shown = api(cm_product, "POST", "/verify", {**filled, **changes})
            assert "geheim" not in str(shown)
            return next((check for check in shown["checks"] if not check["ok"]), {"part": None, "message": "", "advice": ""})
        assert problem()["part"] is None
        assert problem(userName="reader@contoso.test")["part"] is None
        wrong = problem(password="geheim4")
        assert wrong["part"] == "Account" and "does not take the password" in wrong["message"] and "once more" in wrong["advice"]
        unknown = problem(userName="CONTOSO.TEST\\nobody")
        assert unknown["part"] == "Account" and "does not know the account" in unknown["message"]
        assert "locked" in problem(userName="locked@contoso.test")["message"]
        assert "expired" in problem(userName="expired@contoso.test")["message"]
        assert "no domain" in problem(userName="reader")["message"]
        # a service that the realm does not know, and nobody who could give a ticket
        assert "HTTP/127.0.0.1" in problem(address=f"https://127.0.0.1:{site.port}")["message"]
        assert "cannot be asked" in problem(kdc="127.0.0.1:1")["message"]
        assert api(cm_product, "POST", "/verify", {**filled, "kdc": "a/b"}, status=400)["error"]["code"] == "Settings"
        # a ticket for another connection is worth nothing
        site.channel_bindings = False
        refused = problem()
        assert "does not take the Kerberos ticket" in refused["message"] and "clocks" in refused["advice"]
        site.channel_bindings = True
        # Kerberos is not left for NTLM by itself, and NTLM goes on where it is chosen
        site.schemes = ["NTLM"]
        only = problem()
        assert "does not offer Kerberos" in only["message"] and "NTLM" in only["advice"]
        site.realm = None
        assert problem(signIn="Windows", userName=site.account, password=site.password)["part"] is None
        site.realm, site.schemes = realm, ["Negotiate", "NTLM"]
        api(cm_product, "POST", body=filled, status=201)
        imported(cm_product, "Tickets", memberships=120)
        realm.stop()
        site.hierarchy.named("SMS00001", ["K1"])
        api(cm_product, "POST", "/Tickets/run", status=202)
        wait_until(lambda: "cannot be asked" in str(api(cm_product, "GET", "/Tickets")["problem"]), 40, "the missing tickets")
        api(cm_product, "DELETE", "/Tickets", status=204)
        realm.start(clock="+1h")
        assert "the clocks differ too much" in problem(kdc=realm.kdc)["message"]
    finally:
        realm.close()


def written(product, name, collection, **wanted):
    """Waits until a group is written as is wanted, after another run."""
    before = api(product, "GET", f"/{name}")["lastRun"]
    api(product, "POST", f"/{name}/run", status=202)

    def done():
        shown = api(product, "GET", f"/{name}")
        [one] = [one for one in shown["written"] if one["collection"] == collection] or [{}]
        ready = shown["lastRun"] != before and shown["status"] != "importing"
        return ready and all(one.get(key) == value for key, value in wanted.items()) and one
    return wait_until(done, 40, f"{collection} written with {wanted}")


def test_a_group_is_written_to_the_site_as_a_collection(cm_product, application, site):
    """Made where it is missing, followed, gone on with after every fault; the rules of others stay, and what cannot be is said."""
    world = site.hierarchy
    world.named("SMS00001", [f"W{number}" for number in range(1, 8)] + ["TWICE"])
    world.put("SMS00001", [*world.collections["SMS00001"]["members"], world.computer("TWICE")])
    outside = world.computer("OUTSIDE")
    number = {name: resource for resource, (name, _) in world.resources.items()}
    group = api(cm_product, "POST", "/api/computer-groups", {
        "name": "Front", "computers": ["w1.example.com", "W2", "W3", "OUTSIDE", "TWICE", "nobody"]}, status=201)
    # the account may only read
    made = api(cm_product, "POST", body=form(site, application, name="Out", allCollections=False, collections=["SMS00001"],
                                             targets=[{"group": "Front"}]), status=201)
    assert made["targets"] == [{"group": group["id"], "collection": "Front", "limiting": "SMS00001"}]
    shown = wait_until(lambda: (api(cm_product, "GET", "/Out")["written"] or [{}])[0].get("problem"), 40, "the refused writing")
    assert shown["part"] == "Role" and "may not change the collection" in shown["message"] and "Create and Modify" in shown["advice"]
    # groups came in all the same, and it is tried again by itself
    assert api(cm_product, "GET", "/Out")["problem"] is None and groups(cm_product, "Out")["All Systems"]["members"] == 8
    site.writers = {"contoso\\reader"}
    one = wait_until(lambda: (lambda one: not one["problem"] and one)(api(cm_product, "GET", "/Out")["written"][0]), 40, "another try")
    assert (one["members"], one["added"], one["unknownCount"], one["collection"]) == (3, 3, 3, "Front")
    assert {entry["computer"]: entry["reason"] for entry in one["unknown"]} == {
        "OUTSIDE": "the collection SMS00001 has no device of this name", "nobody": "the collection SMS00001 has no device of this name",
        "TWICE": "the collection SMS00001 has 2 devices of this name"}
    front = world.collections[one["collectionId"]]
    names = lambda: sorted(world.resources[member][0] for member in front["members"])  # noqa: E731
    assert names() == ["W1", "W2", "W3"] and front["limit"] == "SMS00001" and outside not in front["members"]
    assert all("[Watchkeeper " in rule["RuleName"] for rule in front["rules"])
    # people make rules of their own there: they stay, also where the group has the computer, and the collection is renamed
    world.add_rule(one["collectionId"], number["W7"], "W7")
    world.add_rule(one["collectionId"], number["W4"], "W4")
    world.rename(one["collectionId"], "Front of the shop")
    api(cm_product, "PATCH", "/api/computer-groups/Front", {"computers": ["W2", "W4", "W5"]})
    one = written(cm_product, "Out", "Front", members=3, added=1, removed=2, ofOthers=1)
    assert names() == ["W2", "W4", "W5", "W7"] and len(front["rules"]) == 4
    assert [name for name in (entry["Name"] for entry in world.collections.values()) if "Front" in name] == ["Front of the shop"]
    # nothing is sent where nothing changed
    before = len(site.seen("POST /AdminService"))
    written(cm_product, "Out", "Front", members=3, added=0, removed=0)
    assert len(site.seen("POST /AdminService")) == before
    # half of it fails: what was done and whose answer was lost is seen, what was not is done
    site.takes_many = False
    api(cm_product, "PATCH", "/api/computer-groups/Front", {"computers": [f"W{one}" for one in range(1, 7)]})
    site.fault("lose", "AdminService.AddMembershipRule[?]", skip=1)
    site.fault("drop", "AdminService.AddMembershipRule[?]", skip=2)
    site.fault("answer", "AdminService.AddMembershipRule[?]", skip=3, answer=Answer(429, "", {"Retry-After": "1"}))
    site.fault("lose", "AdminService.RequestRefresh")
    one = written(cm_product, "Out", "Front", members=6, problem=None)
    assert names() == [f"W{one}" for one in range(1, 8)] and len(front["rules"]) == 7
    # what does not pass is said, with nothing lost, and the next run goes on
    site.takes_many = True
    fault = site.fault("answer", "DeleteMembershipRule", times=99, answer=Answer(500, {"error": {"code": "500", "message": "Generic failure"}}))
    api(cm_product, "PATCH", "/api/computer-groups/Front", {"computers": ["W1"]})
    api(cm_product, "POST", "/Out/run", status=202)
    shown = wait_until(lambda: api(cm_product, "GET", "/Out")["written"][0]["problem"], 40, "the failure")
    assert shown["part"] == "Busy" and len(front["rules"]) == 7
    fault.times = fault.hits
    wait_until(lambda: names() == ["W1", "W4", "W7"], 40, "the run after the failure")
    # a collection that somebody deletes is made anew; one of the product itself is refused
    world.delete(one["collectionId"])
    again = written(cm_product, "Out", "Front", members=1, added=1, problem=None)
    assert again["collectionId"] != one["collectionId"]
    api(cm_product, "PATCH", "/Out", {"targets": [{"group": "Front", "collection": "All Systems"}]})
    shown = wait_until(lambda: api(cm_product, "GET", "/Out")["written"][0]["problem"], 40, "the refused collection")
    assert shown["part"] == "Collection" and "product itself" in shown["message"]
    # what cannot be is refused before anything is kept
    for targets, part in [([{"group": "none"}], "Settings"), ([{"group": "Front", "limiting": "x"}], "Collection"),
                          ([{"group": groups(cm_product, "Out")["All Systems"]["id"]}], "Settings")]:
        assert api(cm_product, "PATCH", "/Out", {"targets": targets}, status=400)["error"]["code"] == part
    world.sites["P01"].update(Version="5.00.9058.1000", BuildNumber=9058)
    refused = api(cm_product, "PATCH", "/Out", {"targets": [{"group": "Front"}]}, status=400)
    assert refused["error"]["code"] == "Version" and "2111" in refused["error"]["message"]
    world.sites["P01"].update(Version="5.00.9128.1000", BuildNumber=9128)
    # without an import, and of a group that is a query
    api(cm_product, "POST", "/api/computer-groups", {"name": "Asked for", "query": 'datatable(Computer: string)["w6.example.com"] | distinct Computer'}, status=201)
    api(cm_product, "PATCH", "/Out", {"import": False, "targets": [{"group": "Asked for", "collection": "By query"}]})
    one = wait_until(lambda: (lambda found: found and found[0]["members"] == 1 and found[0])(api(cm_product, "GET", "/Out")["written"]), 40, "the query's group")
    assert [world.resources[member][0] for member in world.collections[one["collectionId"]]["members"]] == ["W6"]
    api(cm_product, "DELETE", "/Out", status=204)
    for name in ("Front", "Asked for"):
        api(cm_product, "DELETE", f"/api/computer-groups/{name}", status=204)


def test_the_commands_do_the_same(cm_product, application, site, tmp_path):
    """From the grant to the removal, with secrets in files; what is wrong ends a command with its words."""
    site.hierarchy.named("SMS00001", ["ONE"])
    environment = {**product_environment(), "WATCHKEEPER_CONNECTION": str(cm_product.data / "connection.json")}
    (tmp_path / "secret").write_text(application["secret"] + "\n")
    (tmp_path / "password").write_text(site.password)
    (tmp_path / "ca.pem").write_text(site.authority)

    def command(*arguments, code=0):
        done = subprocess.run([BINARIES / "watchkeeper", *arguments], env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=60)
        assert done.returncode == code, f"{arguments}: {done.stdout}{done.stderr}"
        return done.stdout + done.stderr
    filled = ["--tenant-id", application["tenantId"], "--client-id", application["clientId"], "--secret-file", "secret", "--app-id-uri",
              site.app_id_uri, "--address", site.url, "--user", site.account, "--password-file", "password", "--trusted", "ca.pem"]
    assert "AzureUSGovernment" in command("configmgr", "environments")
    command("configmgr", "grant", application["clientId"])
    assert "Successfully verified!" in command("configmgr", "verify", *filled)
    command("configmgr", "add", "By command", *filled, "--collection", "SMS00001", "--hours", "6")
    imported(cm_product, "By command", memberships=1)
    assert "imported" in command("configmgr")
    assert "All Systems" in command("configmgr", "collections", "By command")
    command("configmgr", "collections", "By command", "--remove", "SMS00001")
    command("configmgr", "collections", "By command", "--add", "SMS00001")
    command("configmgr", "renew", "By command", "--secret-file", "secret", "--secret-expiry", "2030-12-31")
    assert "another" not in command("configmgr", "set", "By command", "--name", "Renamed", "--import", "false")
    command("configmgr", "run", "Renamed")
    command("computer-groups", "create", "Back", "--computer", "ONE")
    command("configmgr", "write", "Renamed", "--group", "Back", "--collection", "Written")
    site.writers = {"contoso\\reader"}
    wait_until(lambda: "Written" in command("configmgr", "write", "Renamed"), 40, "the collection")
    assert "Written" in [one["Name"] for one in site.hierarchy.collections.values()]
    command("configmgr", "write", "Renamed", "--stop", "Back")
    command("computer-groups", "remove", "Back")
    assert "TenantName" not in command("configmgr", "verify", "Renamed")
    site.hierarchy.roles.clear()
    assert "no service connection point" in command("configmgr", "verify", "Renamed", code=1)
    command("configmgr", "remove", "Renamed")
    command("computer-groups", "create", "Two", "--alias", "two_computers", "--computer", "a", "--computer", "b")
    assert command("computer-groups", "members", "two_computers", "--format", "csv").split()[-2:] == ["a", "b"]
    command("computer-groups", "set", "Two", "--computer", "c")
    command("maintenance", "start", "--computer-group", "two_computers", "--minutes", "10")
    assert "Two" in command("maintenance")
    command("maintenance", "stop", "Two")
    command("maintenance", "schedule", "add", "Patches", "--computer-group", "Two", "--start", "2026-12-01T02:00", "--minutes", "60",
            "--every", "weekly", "--days", "sun")
    assert "Two" in command("maintenance", "schedule", "list")
    command("maintenance", "schedule", "remove", "Patches")
    assert "two_computers" in command("computer-groups")
    command("computer-groups", "remove", "Two")


def test_the_pages_work_in_a_browser(cm_product, application, site, tmp_path, browser):
    """The wizard from the name to the first import, the numbers that open queries, the properties, the groups."""
    world = site.hierarchy
    world.named("SMS00001", [f"SRV{number}" for number in range(10)])
    world.named(world.add_collection("Servers"), [f"SRV{number}" for number in range(5)])
    filled = form(site, application)
    (tmp_path / "site.json").write_text(json.dumps({key: filled[key] for key in (
        "tenantId", "clientId", "secret", "appIdUri", "address", "userName", "password", "trusted")}))
    shots = {"SHOTS": os.environ["CONFIGMGR_SHOTS"]} if "CONFIGMGR_SHOTS" in os.environ else {}
    run_browser(cm_product, browser, "configuration-manager.spec", CONFIGMGR_SITE=str(tmp_path / "site.json"), **shots)
    api(cm_product, "DELETE", "/Lab site", status=204)
