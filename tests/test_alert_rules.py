"""Alert rules over tables, from rows to people: the real product, real receivers (HTTP, SMTP with TLS), real crashes."""

import contextlib
import datetime
import functools
import json
import random
import shutil
import signal
import ssl
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import jwt
import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword

from conftest import BINARIES, Product, product_environment, wait_until
from test_ingestion_clients import make_rule

ARM = "/subscriptions/s/resourceGroups/rg/providers"


class Receiver:
    """A webhook that keeps what it was sent and answers as it is told."""

    def __init__(self, certificate=None, check=None):
        """With a certificate (and its key beside it) over TLS; `check` says which status a call gets."""
        self.calls = []
        self.statuses = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status = check(self.headers) if check else receiver.statuses.pop(0) if receiver.statuses else 200
                receiver.calls.append({"path": self.path, "headers": {name.lower(): value for name, value in self.headers.items()}, "body": json.loads(body), "status": status})
                self.send_response(status)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate, certificate.parent / "key.pem")
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
            self.url = f"https://localhost:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def told(self, path, condition=None):
        """What arrived at a path."""
        calls = [call for call in self.calls if call["path"] == path and call["status"] == 200]
        if condition is None:
            return calls
        return [call for call in calls if call["body"]["data"]["essentials"]["monitorCondition"] == condition]


@pytest.fixture(scope="module")
def receiver():
    running = Receiver()
    yield running
    running.server.shutdown()


class AnyPort(Controller):
    """On a port that is free."""

    def _trigger_server(self):
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()


class Mailbox:
    def __init__(self):
        self.mails = []

    async def handle_DATA(self, server, session, envelope):
        self.mails.append({"to": envelope.rcpt_tos, "data": envelope.content.decode(), "tls": session.ssl is not None,
                           "user": session.auth_data.login.decode() if session.auth_data else None})
        return "250 OK"


@pytest.fixture(scope="module")
def mail(tmp_path_factory):
    """A real mail server with STARTTLS and a login, and the authority of its certificate."""
    folder = tmp_path_factory.mktemp("mail")
    key, certificate = folder / "key.pem", folder / "cert.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", certificate, "-days", "2",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-addext", "basicConstraints=CA:FALSE"],
        check=True, capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    box = Mailbox()

    def authenticate(server, session, envelope, mechanism, data):
        good = isinstance(data, LoginPassword) and (data.login, data.password) == (b"wk", b"correct horse")
        return AuthResult(success=good, auth_data=data, handled=good)

    controller = AnyPort(box, hostname="localhost", port=0, tls_context=context, require_starttls=True,
                         authenticator=authenticate, auth_required=True)
    controller.start()
    box.port = controller.port
    box.authority = certificate
    yield box
    controller.stop()


@pytest.fixture(scope="module")
def world(tmp_path_factory, mail):
    """A product of these tests' own: rules run every second, mail goes to a real server."""
    running = Product(
        tmp_path_factory.mktemp("alerts") / "data",
        environment={
            "WATCHKEEPER_ALERTS__SHORTEST_FREQUENCY_SECONDS": "1", "WATCHKEEPER_ALERTS__CA_FILE": str(mail.authority),
            "WATCHKEEPER_MAIL__HOST": "localhost", "WATCHKEEPER_MAIL__PORT": str(mail.port), "WATCHKEEPER_MAIL__USER": "wk",
            "WATCHKEEPER_MAIL__PASSWORD": "correct horse", "WATCHKEEPER_MAIL__FROM": "Watchkeeper <wk@example.com>",
        },
    ).start()
    rows(running, "Warm", [{"Computer": "none", "Level": "info"}])
    wait_until(lambda: running.query_or_none("Warm_CL"), 30, "the first rows")
    yield running
    running.stop(signal.SIGKILL)


def headers(product):
    return {"Authorization": f"Bearer {product.token()}"}


def call(product, method, path, body=None, expect=None):
    answer = product.session.request(method, product.url + path, json=body, headers=headers(product))
    if expect is not None:
        assert answer.status_code == expect, f"{answer.status_code} {answer.text}"
    else:
        assert answer.ok, f"{answer.status_code} {answer.text}"
    return answer.json() if answer.content else None


def rows(product, table, items):
    """Sends rows to a custom table over the Data Collector API."""
    import base64
    import hashlib
    import hmac
    from email.utils import formatdate

    body = json.dumps(items)
    date = formatdate(usegmt=True)
    text = f"POST\n{len(body)}\napplication/json\nx-ms-date:{date}\n/api/logs"
    key = base64.b64decode(product.ready["primary_key"])
    signature = base64.b64encode(hmac.new(key, text.encode(), hashlib.sha256).digest()).decode()
    answer = product.session.post(
        f"{product.url}/api/logs?api-version=2016-04-01", data=body,
        headers={"Content-Type": "application/json", "Log-Type": table, "x-ms-date": date,
                 "Authorization": f"SharedKey {product.ready['workspace_id']}:{signature}"},
    )
    assert answer.status_code == 200, answer.text


def group(product, name, **receivers):
    call(product, "PUT", f"{ARM}/Microsoft.Insights/actionGroups/{name}?api-version=2023-01-01",
         {"location": "Global", "properties": {"groupShortName": name[:12], "enabled": True, **receivers}})
    return f"{ARM}/microsoft.insights/actiongroups/{name}"


def webhook(receiver, path):
    return {"webhookReceivers": [{"name": "hook", "serviceUri": receiver.url + path, "useCommonAlertSchema": True}]}


def rule(product, name, query, groups=(), condition=None, **properties):
    body = {
        "severity": 1, "enabled": True, "evaluationFrequency": "PT1S", "windowSize": "PT4S",
        "scopes": [], "autoMitigate": True,
        "ruleResolveConfiguration": {"autoResolved": True, "timeToResolve": "PT1S"},
        "criteria": {"allOf": [{"query": query, "timeAggregation": "Count", "operator": "GreaterThan", "threshold": 0,
                                **(condition or {})}]},
        "actions": {"actionGroups": list(groups), "customProperties": {"team": "web"}},
        **properties,
    }
    return call(product, "PUT", f"{ARM}/Microsoft.Insights/scheduledQueryRules/{name}?api-version=2021-08-01",
                {"location": "westeurope", "properties": body})


def delete_rule(product, name):
    call(product, "DELETE", f"{ARM}/Microsoft.Insights/scheduledQueryRules/{name}?api-version=2021-08-01")


def test_rows_fire_an_alert_that_is_told_once_and_resolves(world, receiver):
    rows(world, "App", [{"Computer": "web0", "Level": "info"}])
    wait_until(lambda: world.query_or_none("App_CL"), 30, "rows of App_CL")
    on_call = group(world, "on-call", **webhook(receiver, "/once"))
    rule(world, "errors", "App_CL | where Level_s == 'error'", [on_call])
    rows(world, "App", [{"Computer": "web1", "Level": "error"}, {"Computer": "web2", "Level": "error"}])
    fired = wait_until(lambda: receiver.told("/once", "Fired"), 30, "the call of the webhook")[0]
    essentials = fired["body"]["data"]["essentials"]
    assert fired["body"]["schemaId"] == "azureMonitorCommonAlertSchema"
    assert (essentials["alertRule"], essentials["severity"], essentials["signalType"]) == ("errors", "Sev1", "Log")
    assert fired["body"]["data"]["alertContext"]["condition"]["allOf"][0]["metricValue"] >= 1
    assert fired["body"]["data"]["customProperties"] == {"team": "web"}
    assert fired["headers"]["idempotency-key"]
    resolved = wait_until(lambda: receiver.told("/once", "Resolved"), 30, "that it is resolved")[0]
    assert resolved["body"]["data"]["essentials"]["originAlertId"] == essentials["originAlertId"]
    alert_id = essentials["originAlertId"]
    # one alert in the list, in its table, and over the documented API
    shown = wait_until(
        lambda: [row for row in world.query("Alert | where SourceSystem == 'OMS' and AlertName == 'errors' | "
                                            "summarize arg_max(TimeLastModified, *) by AlertId")
                 if row["StatusDescription"] == "Resolved"], 30, "the row of the resolved alert")[0]
    assert (shown["AlertId"], shown["AlertSeverity"], shown["AlertState"]) == (alert_id, "Error", "New")
    path = f"/subscriptions/s/providers/Microsoft.AlertsManagement/alerts/{alert_id}"
    alert = call(world, "GET", f"{path}?api-version=2019-03-01")["properties"]["essentials"]
    assert (alert["monitorCondition"], alert["alertState"], alert["monitorService"]) == ("Resolved", "New", "Log Analytics")
    changed = call(world, "POST", f"{path}/changestate?api-version=2019-03-01&newState=Closed", {"comments": "looked at"})
    assert changed["properties"]["essentials"]["alertState"] == "Closed"
    history = call(world, "GET", f"{path}/history?api-version=2019-03-01")["properties"]["modifications"]
    events = [entry["modificationEvent"] for entry in reversed(history)]
    assert events[0] == "AlertCreated" and "MonitorConditionChange" in events and events[-1] == "StateChange"
    assert history[0]["comments"] == "looked at"
    wait_until(lambda: world.query_or_none(f"AlertDelivery | where AlertId == '{alert_id}' and Status == 'Delivered'"), 30,
               "the rows of the deliveries")
    assert len(receiver.told("/once", "Fired")) == 1 and len(receiver.told("/once", "Resolved")) == 1
    delete_rule(world, "errors")


def test_each_dimension_fires_and_actions_rest_while_they_are_muted(world, receiver):
    rows(world, "Split", [{"Computer": "none", "Level": "info"}])
    wait_until(lambda: world.query_or_none("Split_CL"), 30, "rows of Split_CL")
    by_computer = {"dimensions": [{"name": "Computer", "operator": "Include", "values": ["*"]}]}
    rule(world, "split", "Split_CL | where Level_s == 'error' | extend Computer = Computer_s", [group(world, "split", **webhook(receiver, "/split"))], by_computer)
    rule(world, "muted", "Split_CL | where Level_s == 'error' | where Computer_s == 'a'",
         [group(world, "muted", **webhook(receiver, "/muted"))], autoMitigate=False, ruleResolveConfiguration=None,
         muteActionsDuration="PT1H")
    rows(world, "Split", [{"Computer": name, "Level": "error"} for name in ("a", "b", "a")])
    fired = wait_until(lambda: len(receiver.told("/split", "Fired")) == 2 and receiver.told("/split", "Fired"), 30, "two alerts")
    items = sorted(call["body"]["data"]["essentials"]["configurationItems"][0] for call in fired)
    assert items == ["a", "b"]
    # without state it fires again and again; people are told once
    def muted():
        alerts = call(world, "GET", "/subscriptions/s/providers/Microsoft.AlertsManagement/alerts"
                                    "?api-version=2019-03-01&alertRule=muted&pageCount=250")["value"]
        return alerts if len(alerts) >= 2 else None
    assert wait_until(muted, 30, "two alerts of a rule without state")
    assert len(receiver.told("/muted")) == 1
    delete_rule(world, "split")
    delete_rule(world, "muted")


def test_processing_rules_suppress_and_add(world, receiver):
    rows(world, "Quiet", [{"Computer": "none", "Level": "info"}])
    wait_until(lambda: world.query_or_none("Quiet_CL"), 30, "rows of Quiet_CL")
    group(world, "own", **webhook(receiver, "/own"))
    added = group(world, "added", **webhook(receiver, "/added"))
    def processing(name, action, condition):
        call(world, "PUT", f"{ARM}/Microsoft.AlertsManagement/actionRules/{name}?api-version=2021-08-08", {
            "location": "Global",
            "properties": {"scopes": ["/subscriptions/s"], "actions": [action],
                           "conditions": [condition],
                           "schedule": {"timeZone": "W. Europe Standard Time", "recurrences": [{"recurrenceType": "Daily"}]}},
        })
    processing("hush", {"actionType": "RemoveAllActionGroups"}, {"field": "AlertRuleName", "operator": "Equals", "values": ["hushed"]})
    processing("more", {"actionType": "AddActionGroups", "actionGroupIds": [added]},
               {"field": "AlertRuleName", "operator": "Contains", "values": ["hushed", "loud"]})
    rule(world, "hushed", "Quiet_CL | where Level_s == 'error'", ["own"])
    rule(world, "loud", "Quiet_CL | where Level_s == 'error'", ["own"])
    rows(world, "Quiet", [{"Computer": "a", "Level": "error"}])
    wait_until(lambda: receiver.told("/own", "Fired") and receiver.told("/added", "Fired"), 30, "both groups of the loud rule")
    def history():
        alerts = call(world, "GET", "/subscriptions/s/providers/Microsoft.AlertsManagement/alerts"
                                    "?api-version=2019-03-01&alertRule=hushed")["value"]
        entries = alerts and call(world, "GET", f"{alerts[0]['id']}/history?api-version=2019-03-01")
        return entries and [e for e in entries["properties"]["modifications"] if e["modificationEvent"] == "ActionRuleSuppressed"]
    assert "hush" in wait_until(history, 30, "the suppression in the history")[0]["comments"]
    rules = {call["body"]["data"]["essentials"]["alertRule"] for call in receiver.told("/own") + receiver.told("/added")}
    assert rules == {"loud"}
    for name in ("hushed", "loud"):
        delete_rule(world, name)
    for name in ("hush", "more"):
        call(world, "DELETE", f"{ARM}/Microsoft.AlertsManagement/actionRules/{name}?api-version=2021-08-08")


def test_a_refused_delivery_is_a_dead_letter_that_can_be_replayed(world, receiver):
    rows(world, "Dead", [{"Computer": "none", "Level": "info"}])
    wait_until(lambda: world.query_or_none("Dead_CL"), 30, "rows of Dead_CL")
    receiver.statuses.append(403)
    rule(world, "dead", "Dead_CL | where Level_s == 'error'", [group(world, "dead", **webhook(receiver, "/dead"))],
         ruleResolveConfiguration={"autoResolved": True, "timeToResolve": "PT1H"})
    rows(world, "Dead", [{"Computer": "a", "Level": "error"}])
    dead = wait_until(lambda: call(world, "GET", "/api/alert-deliveries?status=dead"), 30, "the dead letter")[0]
    assert "403" in dead["error"] and "credentials" in dead["error"] and dead["attempts"] == 1
    call(world, "POST", f"/api/alert-deliveries/{dead['id']}/replay")
    told = wait_until(lambda: receiver.told("/dead"), 30, "the replayed delivery")
    keys = {one["headers"]["idempotency-key"] for one in receiver.calls if one["path"] == "/dead"}
    assert len(told) == 1 and keys == {dead["id"]}
    wait_until(lambda: call(world, "GET", f"/api/alert-deliveries/{dead['id']}")["status"] == "Delivered", 30, "its status")
    call(world, "POST", f"/api/alert-deliveries/{dead['id']}/replay", expect=400)
    delete_rule(world, "dead")


def test_every_kind_of_receiver_is_tested_for_real(world, receiver, mail, tmp_path):
    scripts = world.data / "scripts"
    scripts.mkdir(exist_ok=True)
    script = scripts / "note.sh"
    script.write_text(f'#!/bin/sh\ncat > {tmp_path}/payload.json\necho "$1 $WATCHKEEPER_DELIVERY_ID" > {tmp_path}/arguments\n')
    script.chmod(0o755)
    group(world, "all-kinds",
          emailReceivers=[{"name": "mail", "emailAddress": "ops@example.com", "useCommonAlertSchema": True}],
          webhookReceivers=[{"name": "plain", "serviceUri": receiver.url + "/plain"}],
          chatReceivers=[{"name": "teams", "service": "Teams", "serviceUri": receiver.url + "/teams"},
                         {"name": "slack", "service": "Slack", "serviceUri": receiver.url + "/slack"}],
          scriptReceivers=[{"name": "script", "file": "note.sh", "arguments": ["$(id); x"]},
                           {"name": "missing", "file": "none.sh"}])
    done = subprocess.run(
        [BINARIES / "watchkeeper", "action-group", "test", "all-kinds", "--format", "json"], capture_output=True, text=True,
        env={**product_environment(), "WATCHKEEPER_CONNECTION": str(world.data / "connection.json")},
    )
    results = {one["receiver"]: one for one in json.loads(done.stdout)}
    failed = {name: one["detail"] for name, one in results.items() if one["status"] != "Succeeded"}
    assert set(failed) == {"missing"} and "none.sh" in failed["missing"] and done.returncode == 1, (failed, done.stderr)
    sent = mail.mails[-1]
    assert sent["to"] == ["ops@example.com"] and sent["tls"] and sent["user"] == "wk"
    assert "Subject: Test: Fired: Sev3 test-logAlertRule" in sent["data"] and "text/html" in sent["data"]
    assert receiver.told("/plain")[0]["body"]["data"]["essentials"]["monitorCondition"] == "Fired"
    teams, slack = receiver.told("/teams")[0]["body"], receiver.told("/slack")[0]["body"]
    assert teams["attachments"][0]["contentType"] == "application/vnd.microsoft.card.adaptive"
    assert slack["attachments"][0]["blocks"][0]["type"] == "header"
    assert json.loads((tmp_path / "payload.json").read_text())["schemaId"] == "azureMonitorCommonAlertSchema"
    assert (tmp_path / "arguments").read_text().startswith("$(id); x ")
    shown = call(world, "GET", "/api/action-groups/all-kinds")
    assert shown["properties"]["chatReceivers"][0]["serviceUri"].endswith("/***")


def test_a_secure_webhook_has_a_token_that_its_receiver_can_check(world, receiver, mail):
    """The receiver takes the keys that the server publishes, and calls for this receiver alone."""
    audience, claims, reasons = "https://tickets.example.com/hook", [], []
    base = f"{world.url}/{world.ready['tenant_id']}"
    described = world.session.get(f"{base}/v2.0/.well-known/openid-configuration").json()
    published = world.session.get(described["jwks_uri"]).json()["keys"]

    def check(headers):
        token = (headers["Authorization"] or "").removeprefix("Bearer ")
        try:
            key = next(key for key in published if key["kid"] == jwt.get_unverified_header(token)["kid"])
            claims.append(jwt.decode(token, jwt.PyJWK(key), algorithms=["ES256"], audience=audience, issuer=described["issuer"]))
        except (jwt.InvalidTokenError, StopIteration) as error:
            reasons.append(str(error))
            return 401
        return 200

    hook = Receiver(mail.authority, check)
    secure = {"serviceUri": f"{hook.url}/secure", "useAadAuth": True, "useCommonAlertSchema": True}
    group(world, "secure", webhookReceivers=[{"name": "right", **secure, "identifierUri": audience},
                                             {"name": "other", **secure, "identifierUri": "https://other.example.com"},
                                             {"name": "open", **secure, "useAadAuth": False}])
    done = subprocess.run([BINARIES / "watchkeeper", "action-group", "test", "secure", "--format", "json"], capture_output=True, text=True,
                          env={**product_environment(), "WATCHKEEPER_CONNECTION": str(world.data / "connection.json")})
    results = {one["receiver"]: (one["status"], one["detail"]) for one in json.loads(done.stdout)}
    hook.server.shutdown()
    assert results["right"][0] == "Succeeded", (results, reasons)
    assert "401" in results["other"][1] and "401" in results["open"][1], results
    assert [one["aud"] for one in claims] == [audience] and claims[0]["tid"] == world.ready["tenant_id"]


def test_receivers_that_cannot_be_are_refused(world, receiver):
    bad = call_refused(world, "secure", {"webhookReceivers": [
        {"name": "s", "serviceUri": receiver.url + "/secure", "useAadAuth": True, "identifierUri": "api://itsm"}]})
    assert "https://" in bad
    bad = call_refused(world, "itsm", {"itsmReceivers": [{"name": "i", "connectionId": "nowhere", "ticketConfiguration": "{}"}]})
    assert "nowhere" in bad and "connection" in bad


def call_refused(product, name, receivers):
    return call(product, "PUT", f"{ARM}/Microsoft.Insights/actionGroups/{name}?api-version=2023-01-01",
                {"location": "Global", "properties": {"groupShortName": name, "enabled": True, **receivers}},
                expect=400)["error"]["message"]


def test_each_change_that_an_activity_log_rule_is_about_is_told_once(world, receiver):
    path = f"{ARM}/Microsoft.Insights/activityLogAlerts/taken-away?api-version=2020-10-01"
    taken_away = [{"field": "Category", "equals": "Administrative"},
                  {"field": "operationName", "equals": "microsoft.insights/SCHEDULEDQUERYRULES/delete"},
                  {"anyOf": [{"field": "resourceId", "containsAny": ["doomed"]}, {"field": "level", "equals": "Error"}]}]
    body = {"location": "Global", "properties": {
        "scopes": ["/subscriptions/s"], "enabled": True, "description": "who takes rules away", "condition": {"allOf": taken_away},
        "actions": {"actionGroups": [{"actionGroupId": group(world, "activity", **webhook(receiver, "/activity")),
                                      "webhookProperties": {"team": "web"}}]}}}
    wrong = world.session.put(f"{world.url}{path}", headers=headers(world),
                              json={**body, "properties": {**body["properties"], "condition": {"allOf": [{"field": "weather", "equals": "bad"}]}}})
    assert wrong.status_code == 400 and "weather" in wrong.text and "category" in wrong.text, wrong.text
    call(world, "PUT", path, body)
    for name in ("doomed-1", "doomed-2", "spared"):
        rule(world, name, "Heartbeat", [])
        delete_rule(world, name)
    told = wait_until(lambda: receiver.told("/activity")[1:] and receiver.told("/activity"), 40, "both are told")
    assert sorted(one["body"]["data"]["alertContext"]["resourceId"].rpartition("/")[2] for one in told) == ["doomed-1", "doomed-2"]
    essentials, context = told[0]["body"]["data"]["essentials"], told[0]["body"]["data"]["alertContext"]
    assert (essentials["alertRule"], essentials["severity"], essentials["signalType"], essentials["monitoringService"],
            essentials["monitorCondition"]) == ("taken-away", "Sev4", "Activity Log", "Activity Log - Administrative", "Fired")
    assert context["authorization"]["action"] == "Microsoft.Insights/scheduledQueryRules/delete"
    assert (context["status"], context["eventSource"], context["level"]) == ("Succeeded", "Administrative", "Informational")
    assert context["caller"] and context["eventTimestamp"] and told[0]["body"]["data"]["customProperties"] == {"team": "web"}
    [status] = [one for one in call(world, "GET", "/api/alert-rules") if one["name"] == "taken-away"]
    assert (status["kind"], status["health"]["error"]) == ("activity", "")
    # disabled, it tells of nothing; what has been told is not told again
    changed = call(world, "PATCH", path, {"properties": {"enabled": False}})
    assert changed["properties"]["condition"]["allOf"] == taken_away
    rule(world, "doomed-3", "Heartbeat", [])
    delete_rule(world, "doomed-3")
    wait_until(lambda: world.query_or_none("Audit | where Target has 'doomed-3' and Operation endswith 'delete'"), 30, "its row of Audit")
    call(world, "DELETE", path)
    assert len(receiver.told("/activity")) == 2


def test_a_preview_says_how_often_a_rule_would_have_fired(world):
    rows(world, "Past", [{"Computer": "a", "Level": "error", "When": "x"}])
    wait_until(lambda: world.query_or_none("Past_CL"), 30, "rows of Past_CL")
    body = {"name": "p", "kind": "log", "range": "PT1H", "properties": {
        "severity": 2, "evaluationFrequency": "PT5M", "windowSize": "PT5M",
        "criteria": {"allOf": [{"query": "Past_CL | extend Computer = Computer_s", "timeAggregation": "Count", "operator": "GreaterThan", "threshold": 0,
                                "dimensions": [{"name": "Computer", "operator": "Include", "values": ["*"]}]}]}}}
    def fired():
        preview = call(world, "POST", "/api/alert-rules/preview", body)
        return preview if preview["fired"] else None
    preview = wait_until(fired, 30, "a preview with the row")
    assert preview["fired"] == 1 and preview["summary"].startswith("would have fired 1 time ")
    assert preview["alerts"][0]["dimensions"] == [{"name": "Computer", "value": "a"}]
    assert len(preview["series"][0]["values"]) == 12
    body["properties"]["criteria"]["allOf"][0]["query"] = "Past_CL | where Nothing == 1"
    refused = call(world, "POST", "/api/alert-rules/preview", body, expect=400)
    assert "Nothing" in refused["error"]["message"]


def metric_rule(product, name, groups, **condition):
    return call(product, "PUT", f"{ARM}/Microsoft.Insights/metricAlerts/{name}?api-version=2018-03-01", {
        "location": "global", "properties": {
            "severity": 2, "enabled": True, "scopes": [], "evaluationFrequency": "PT1S", "windowSize": "PT4S", "autoMitigate": True,
            "criteria": {"odata.type": "Microsoft.Azure.Monitor.MultipleResourceMultipleMetricCriteria", "allOf": [{
                "name": "load", "metricNamespace": "Desk", "metricName": name, "timeAggregation": "Average",
                "dimensions": [{"name": "Computer", "operator": "Include", "values": ["*"]}], **condition}]},
            "actions": [{"actionGroupId": group} for group in groups]}})


@pytest.fixture(scope="module")
def metrics(world):
    """Sends a sample of now to `InsightsMetrics`."""
    columns = {"Computer": "string", "Name": "string", "Val": "real"}
    rule_id = make_rule(world, "Load", columns, "source | extend Namespace = 'Desk', TimeGenerated = now()", "Microsoft-InsightsMetrics")

    def send(name, **values):
        answer = world.session.post(f"{world.url}/dataCollectionRules/{rule_id}/streams/Custom-Load?api-version=2023-01-01", headers=headers(world),
                                    json=[{"Computer": computer, "Name": name, "Val": value} for computer, value in values.items()])
        assert answer.status_code == 204, answer.text
    return send


def told_while(receiver, send, condition, **values):
    """Samples are sent until the receiver is told of the condition; gives what it was told."""
    def told():
        send(**values)
        return receiver.told(f"/{condition[0]}", condition[1])
    return wait_until(told, 40, f"{condition} with {values}")


def test_a_metric_alert_fires_and_resolves_by_a_static_threshold(world, receiver, metrics):
    send = functools.partial(metrics, "static")
    send(web1=10.0, web2=10.0)
    wait_until(lambda: world.query_or_none("InsightsMetrics | where Name == 'static'"), 30, "the first sample")
    metric_rule(world, "static", [group(world, "static", **webhook(receiver, "/static"))], criterionType="StaticThresholdCriterion",
                operator="GreaterThan", threshold=80)
    [fired] = told_while(receiver, send, ("static", "Fired"), web1=95.0, web2=10.0)
    essentials, context = fired["body"]["data"]["essentials"], fired["body"]["data"]["alertContext"]
    assert (essentials["signalType"], essentials["severity"], essentials["configurationItems"]) == ("Metric", "Sev2", ["web1"])
    [condition] = context["condition"]["allOf"]
    assert condition["metricValue"] > 80 and float(condition["threshold"]) == 80
    [resolved] = told_while(receiver, send, ("static", "Resolved"), web1=10.0, web2=10.0)
    assert resolved["body"]["data"]["essentials"]["originAlertId"] == essentials["originAlertId"]
    assert len(receiver.told("/static")) == 2
    call(world, "DELETE", f"{ARM}/Microsoft.Insights/metricAlerts/static?api-version=2018-03-01")


def test_a_metric_alert_fires_and_resolves_by_a_threshold_that_was_learned(world, receiver, metrics, tmp_path):
    """Four days around 50; then 500 is not usual, and 50 is."""
    now, dice = datetime.datetime.now(datetime.timezone.utc), random.Random(7)
    history = tmp_path / "history.jsonl"
    history.write_text("".join(json.dumps({
        "TimeGenerated": (now - datetime.timedelta(minutes=10 * number)).isoformat(), "Computer": "web1", "Namespace": "Desk", "Name": "learned",
        "Val": dice.gauss(50, 3)}) + "\n" for number in range(6 * 24 * 4, 0, -1)))
    done = subprocess.run([BINARIES / "watchkeeper", "import", history, "--table", "InsightsMetrics"], capture_output=True, text=True,
                          env={**product_environment(), "XDG_CACHE_HOME": str(tmp_path / "cache"),
                               "WATCHKEEPER_CONNECTION": str(world.data / "connection.json")})
    assert done.returncode == 0 and "576 rows" in done.stderr, done.stderr
    send = functools.partial(metrics, "learned")
    metric_rule(world, "learned", [group(world, "learned", **webhook(receiver, "/learned"))], criterionType="DynamicThresholdCriterion",
                operator="GreaterOrLessThan", alertSensitivity="Medium",
                failingPeriods={"numberOfEvaluationPeriods": 1, "minFailingPeriodsToAlert": 1})
    [fired] = told_while(receiver, send, ("learned", "Fired"), web1=500.0)
    [condition] = fired["body"]["data"]["alertContext"]["condition"]["allOf"]
    assert condition["metricValue"] > 100
    [resolved] = told_while(receiver, send, ("learned", "Resolved"), web1=50.0)
    origin = "originAlertId"
    assert resolved["body"]["data"]["essentials"][origin] == fired["body"]["data"]["essentials"][origin]
    call(world, "DELETE", f"{ARM}/Microsoft.Insights/metricAlerts/learned?api-version=2018-03-01")


def test_nobody_is_told_of_alerts_of_a_machine_in_maintenance(world, receiver):
    own = lambda: [one for one in call(world, "GET", "/api/agents") if one["connected"] and one["object"]]
    # not what else has its name, such as its watcher
    [(computer, machine)] = [(one["computer"], one["object"]) for one in wait_until(own, 60, "the product's own agent and its object")]
    rows(world, "Kept", [{"Machine": "none", "Level": "info"}])
    wait_until(lambda: world.query_or_none("Kept_CL"), 30, "rows of Kept_CL")
    call(world, "POST", "/api/maintenance", {"objects": [machine], "minutes": 30})
    by_computer = {"dimensions": [{"name": "Computer", "operator": "Include", "values": ["*"]}]}
    query = "Kept_CL | where Level_s == 'error' | extend Computer = Machine_s"
    rule(world, "quiet", query, [group(world, "quiet", **webhook(receiver, "/quiet"))], by_computer)
    rows(world, "Kept", [{"Machine": name, "Level": "error"} for name in (computer, "elsewhere")])
    wait_until(lambda: receiver.told("/quiet", "Fired"), 30, "the alert of the other machine")

    def shown():
        alerts = call(world, "GET", "/subscriptions/s/providers/Microsoft.AlertsManagement/alerts?api-version=2019-03-01&alertRule=quiet")["value"]
        # the other machine's may have ended and fired again
        return alerts if len(alerts) >= 2 else None
    wait_until(shown, 30, "both alerts in the list")
    rows(world, "Kept", [{"Machine": "elsewhere", "Level": "error"}])
    wait_until(lambda: receiver.told("/quiet", "Resolved"), 30, "the end of the other's alert")
    assert {call["body"]["data"]["essentials"]["configurationItems"][0] for call in receiver.told("/quiet")} == {"elsewhere"}
    # after it the machine is as every other
    call(world, "DELETE", f"/api/maintenance/{machine}")
    wait_until(lambda: not call(world, "GET", "/api/maintenance"), 30, "the end of the maintenance")
    wait_until(lambda: all(one["properties"]["essentials"]["monitorCondition"] == "Resolved" for one in shown()), 30, "the end of both alerts")
    rows(world, "Kept", [{"Machine": computer, "Level": "error"}])
    wait_until(lambda: [call for call in receiver.told("/quiet", "Fired")
                        if call["body"]["data"]["essentials"]["configurationItems"] == [computer]], 30, "the alert of the machine")
    delete_rule(world, "quiet")


def test_a_server_that_is_killed_before_the_delivery_delivers_when_it_is_back(own_product, receiver):
    own_product.environment = {"WATCHKEEPER_ALERTS__SHORTEST_FREQUENCY_SECONDS": "1"}
    own_product.start()
    rows(own_product, "Crash", [{"Computer": "a", "Level": "info"}])
    wait_until(lambda: own_product.query_or_none("Crash_CL"), 30, "rows of Crash_CL")
    # the receiver is away while the alert fires
    receiver.statuses.extend([503] * 2)
    rule(own_product, "crash", "Crash_CL | where Level_s == 'error'",
         [group(own_product, "crash", **webhook(receiver, "/crash"))],
         ruleResolveConfiguration={"autoResolved": True, "timeToResolve": "PT1H"})
    rows(own_product, "Crash", [{"Computer": "a", "Level": "error"}])
    wait_until(lambda: [c for c in receiver.calls if c["path"] == "/crash"], 30, "the first try")
    own_product.kill()
    receiver.statuses.clear()
    own_product.start()
    told = wait_until(lambda: receiver.told("/crash"), 40, "the delivery after the restart")
    deliveries = call(own_product, "GET", "/api/alert-deliveries?limit=10")
    assert [one["event"] for one in deliveries] == ["Fired"] and len(told) == 1
    assert told[0]["headers"]["idempotency-key"] == deliveries[0]["id"]
    alerts = call(own_product, "GET", "/subscriptions/s/providers/Microsoft.AlertsManagement/alerts?api-version=2019-03-01&alertRule=crash")
    assert len(alerts["value"]) == 1
