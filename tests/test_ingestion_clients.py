"""The real client libraries of senders against the running product."""

import datetime
import gzip
import io
import json

import pytest
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.core.pipeline.transport import RequestsTransport
from azure.identity import ClientSecretCredential
from azure.monitor.ingestion import LogsIngestionClient


@pytest.fixture(scope="module")
def ingestion(product):
    credential = ClientSecretCredential(
        tenant_id=product.ready["tenant_id"], client_id=product.ready["client_id"],
        client_secret=product.ready["client_secret"], authority=product.url,
        disable_instance_discovery=True, connection_verify=product.ready["ca_file"],
    )
    with LogsIngestionClient(product.url, credential, transport=RequestsTransport(connection_verify=product.ready["ca_file"])) as client:
        yield client


def rules(product, method, name="", **arguments):
    return product.session.request(
        method, f"{product.url}/api/workspaces/{product.ready['workspace_id']}/data-collection-rules{name and '/' + name}",
        headers={"Authorization": f"Bearer {product.token()}"}, **arguments)


def make_rule(product, name, columns, transform, table):
    """Puts a rule with one stream Custom-<name>; gives its immutable id."""
    properties = {
        "streamDeclarations": {f"Custom-{name}": {"columns": [{"name": key, "type": ty} for key, ty in columns.items()]}},
        "destinations": {"logAnalytics": [{"name": "here", "workspaceId": product.ready["workspace_id"]}]},
        "dataFlows": [{"streams": [f"Custom-{name}"], "destinations": ["here"], "transformKql": transform, "outputStream": table}],
    }
    answer = rules(product, "PUT", name, json={"location": "here", "kind": "Direct", "properties": properties})
    assert answer.status_code in (200, 201), answer.text
    assert answer.json()["properties"]["endpoints"]["logsIngestion"] == product.url
    return answer.json()["properties"]["immutableId"]


def test_the_ingestion_client_sends_through_a_transformation(product, ingestion):
    rule = make_rule(
        product, "Orders", {"Time": "datetime", "Computer": "string", "Price": "real", "Additional": "dynamic"},
        "source | where Price > 0 | extend TimeGenerated = Time, Zone = tostring(Additional.zone), Cents = tolong(Price * 100) | project-away Time, Additional",
        "Custom-ClientOrders_CL")
    now = datetime.datetime.now(datetime.timezone.utc)
    ingestion.upload(rule, "Custom-Orders", [
        {"Time": (now - datetime.timedelta(minutes=n)).isoformat(), "Computer": f"host{n}", "Price": n / 2, "Additional": {"zone": f"z{n}"}}
        for n in range(5)
    ])
    rows = product.query("ClientOrders_CL | sort by Computer asc | project Computer, Price, Zone, Cents, TimeGenerated, Type")
    assert [(row["Computer"], row["Price"], row["Zone"], row["Cents"]) for row in rows] == [
        (f"host{n}", n / 2, f"z{n}", n * 50) for n in range(1, 5)]
    oldest = datetime.datetime.fromisoformat(rows[-1]["TimeGenerated"].replace("Z", "+00:00"))
    assert abs((now - oldest) - datetime.timedelta(minutes=4)) < datetime.timedelta(seconds=1)


def test_the_ingestion_client_splits_and_streams(product, ingestion):
    rule = make_rule(product, "Bulk", {"N": "long", "Text": "string"}, "source", "Custom-ClientBulk_CL")
    ingestion.upload(rule, "Custom-Bulk", [{"N": n, "Text": "x" * 1000} for n in range(3000)])
    packed = gzip.compress(json.dumps([{"N": -1, "Text": "stream"}]).encode())
    ingestion.upload(rule, "Custom-Bulk", io.BytesIO(packed))
    [row] = product.query("ClientBulk_CL | summarize Rows = count(), Least = min(N), Most = max(N)")
    assert (row["Rows"], row["Least"], row["Most"]) == (3001, -1, 2999)


def test_a_rule_can_fill_a_documented_table(product, ingestion):
    rule = make_rule(
        product, "Router", {"When": "datetime", "Line": "string"},
        "source | parse Line with Host:string ' ' Rest:string | project TimeGenerated = When, Computer = Host, SyslogMessage = Rest, Facility = 'local0'",
        "Microsoft-Syslog")
    now = datetime.datetime.now(datetime.timezone.utc)
    ingestion.upload(rule, "Custom-Router", [{"When": now.isoformat(), "Line": "router7 link down"}])
    [row] = product.query("Syslog | where Computer == 'router7'")
    assert (row["SyslogMessage"], row["Facility"]) == ("link down", "local0")


def test_the_ingestion_client_sees_the_documented_errors(product, ingestion):
    rule = make_rule(product, "Strict", {"N": "long"}, "source", "Custom-ClientStrict_CL")
    with pytest.raises(ResourceNotFoundError) as missing:
        ingestion.upload("dcr-00000000000000000000000000000000", "Custom-Strict", [{"N": 1}])
    assert missing.value.error.code == "NotFound"
    with pytest.raises(HttpResponseError) as stream:
        ingestion.upload(rule, "Custom-Other", [{"N": 1}])
    assert (stream.value.status_code, stream.value.error.code) == (400, "InvalidStream")
    failed = []
    ingestion.upload(rule, "Custom-Strict", [{"N": 1}, {"N": "many"}], on_error=failed.append)
    assert failed[0].error.error.code == "InvalidRecord" and "row 1, column N" in failed[0].error.message
    assert product.query_or_none("ClientStrict_CL") is None


def test_rules_are_listed_replaced_and_removed(product):
    first = make_rule(product, "Kept", {"N": "long"}, "source", "Custom-Kept_CL")
    assert make_rule(product, "Kept", {"N": "long", "M": "string"}, "source", "Custom-Kept_CL") == first
    assert "Kept" in [rule["name"] for rule in rules(product, "GET").json()["value"]]
    columns = rules(product, "GET", "Kept").json()["properties"]["streamDeclarations"]["Custom-Kept"]["columns"]
    assert [column["name"] for column in columns] == ["N", "M"]
    assert rules(product, "DELETE", "Kept").status_code == 204
    assert rules(product, "GET", "Kept").status_code == 404
    broken = {"properties": {"dataFlows": [{"streams": ["Microsoft-Syslog"], "transformKql": "source | where Nope > 1"}]}}
    answer = rules(product, "PUT", "Broken", json=broken)
    assert answer.status_code == 400 and answer.json()["error"]["code"] == "InvalidTransformQuery" and "Nope" in answer.text
