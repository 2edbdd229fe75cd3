"""A service desk's incidents to the tables, and an alert to its work item, over the tests' emulator of ServiceNow, which
runs in a process of its own on the same cores.

`itsm_bench.py` alone prints the figures; BENCH_INCIDENTS (default 100,000) says how many.
"""

import http.client
import json
import multiprocessing
import os
import random
import sys
import tempfile
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path

from product import ROOT, Product

sys.path.insert(0, str(ROOT / "tests"))
from emulators.servicenow import ServiceNow  # noqa: E402

INCIDENTS = int(os.environ.get("BENCH_INCIDENTS", "100000"))
WORDS = "disk mail printer login database network slow broken cannot please since Monday error code timeout".split()


def api(product, method, path, body=None):
    connection = http.client.HTTPSConnection(product.host, context=product.tls, timeout=120)
    connection.request(method, f"/api/itsm-connections{path}", json.dumps(body) if body is not None else None,
                       {"Authorization": f"Bearer {product.bearer()}", "Content-Type": "application/json"})
    answer = connection.getresponse()
    text = answer.read()
    connection.close()
    assert answer.status < 300, text
    return json.loads(text) if text else None


def fill(desk, count):
    now = datetime.now(timezone.utc)
    random.seed(7)
    for number in range(count):
        at = (now - timedelta(seconds=(count - number) * 80)).strftime("%Y-%m-%d %H:%M:%S")
        text = " ".join(random.choice(WORDS) for _ in range(30))
        desk.incident(short_description=text[:60], description=text, sys_updated_on=at, opened_at=at, state=random.choice("1267"))


def serve(folder, count, pipe):
    """The product with its incidents, until somebody says that it is enough; tells when the incident of an alert was made."""
    desk = ServiceNow(Path(folder))
    fill(desk, count)
    insert = desk.insert

    def told(request, table, asked):
        answer = insert(request, table, asked)
        if table == "incident":
            pipe.send(time.time())
        return answer
    desk.insert = told
    pipe.send({"name": "Desk", "partner": "ServiceNow", "url": desk.url, "userName": desk.user, "password": desk.password,
               "clientId": desk.client_id, "clientSecret": desk.client_secret, "days": 120, "authority": desk.authority,
               "workItems": ["Incident"]})
    pipe.recv()
    desk.close()


def rows(product, items):
    body = json.dumps(items)
    connection = product.connect()
    connection.request("POST", "/api/logs?api-version=2016-04-01", body, product.collector_headers(len(body), "BenchDesk"))
    answer = connection.getresponse()
    answer.read()
    connection.close()
    assert answer.status == 200, answer.status


def arm(product, path, version, properties):
    connection = product.connect()
    connection.request("PUT", f"/subscriptions/s/resourceGroups/bench/providers/Microsoft.Insights/{path}?api-version={version}",
                       json.dumps({"location": "here", "properties": properties}),
                       {"Authorization": f"Bearer {product.bearer()}", "Content-Type": "application/json"})
    answer = connection.getresponse()
    text = answer.read()
    connection.close()
    assert answer.status < 300, text


def alert_to_ticket(product, pipe, times):
    """Seconds from the firing of an alert rule that runs every second to its incident in the product, one after the other."""
    arm(product, "actionGroups/desk", "2023-01-01", {"groupShortName": "desk", "enabled": True, "itsmReceivers": [
        {"name": "desk", "connectionId": "Desk", "workspaceId": "w", "region": "r", "ticketConfiguration": "{}"}]})
    rows(product, [{"Machine": "none", "Level": "info"}])
    while True:
        try:
            if product.query("BenchDesk_CL | take 1"):
                break
        except RuntimeError:
            time.sleep(0.2)
    dimension = {"name": "Machine_s", "operator": "Include", "values": ["*"]}
    arm(product, "scheduledQueryRules/desk", "2021-08-01", {
        "severity": 1, "enabled": True, "scopes": [], "evaluationFrequency": "PT1S", "windowSize": "PT10S", "autoMitigate": True,
        "criteria": {"allOf": [{"query": "BenchDesk_CL | where Level_s == 'error'", "timeAggregation": "Count", "operator": "GreaterThan",
                                "threshold": 0, "dimensions": [dimension]}]},
        "actions": {"actionGroups": ["desk"]}})
    seconds = []
    for number in range(times):
        rows(product, [{"Machine": f"m{number}", "Level": "error"}])
        made = pipe.recv()
        fired = None
        while fired is None:
            found = product.query(f"Alert | where AlertName == 'desk' and AlertContext has 'm{number}' | summarize min(TimeRaised)")
            fired = found[0][0] if found and found[0][0] else None
        seconds.append(made - datetime.fromisoformat(fired.replace("Z", "+00:00")).timestamp())
    return sorted(seconds)


def measure(folder, count, times=20):
    """Seconds to import `count` incidents, what is in the table then, and seconds from alerts to their incidents."""
    pipe, other = multiprocessing.Pipe()
    desk = multiprocessing.get_context("fork").Process(target=serve, args=(Path(folder) / "desk", count, other), daemon=True)
    desk.start()
    form = pipe.recv()
    environment = {"WATCHKEEPER_PACKS__SHIPPED": "false", "WATCHKEEPER_ALERTS__SHORTEST_FREQUENCY_SECONDS": "1"}
    try:
        with Product(Path(folder) / "data", environment) as product:
            began = time.monotonic()
            api(product, "POST", "", form)
            while not all(one["complete"] for one in api(product, "GET", "/Desk")["imports"]):
                time.sleep(0.2)
            seconds = time.monotonic() - began
            found = product.query("ServiceDesk_CL | summarize Rows = count(), Items = dcount(ServiceDeskId_s, 4)")
            return seconds, found, alert_to_ticket(product, pipe, times)
    finally:
        pipe.send(None)
        desk.join(10)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        seconds, rows, tickets = measure(folder, INCIDENTS)
        print(f"{INCIDENTS:,} incidents in {seconds:.1f} s ({INCIDENTS / seconds:,.0f} a second); in the table: {rows}")
        print(f"from an alert to its work item: median {tickets[len(tickets) // 2] * 1000:.0f} ms, longest {tickets[-1] * 1000:.0f} ms")
