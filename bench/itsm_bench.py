"""A service desk's incidents to the tables, and an alert to its work item, over the tests' emulator of ServiceNow.

`itsm_bench.py` alone prints the figures; BENCH_INCIDENTS (default 100,000) says how many.
"""

import http.client
import json
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


def measure(folder, count):
    """Seconds to import `count` incidents, and seconds from an order to its work item, one after the other."""
    desk = ServiceNow(Path(folder) / "desk")
    fill(desk, count)
    try:
        with Product(Path(folder) / "data", {"WATCHKEEPER_PACKS__SHIPPED": "false"}) as product:
            form = {"name": "Desk", "partner": "ServiceNow", "url": desk.url, "userName": desk.user, "password": desk.password,
                    "clientId": desk.client_id, "clientSecret": desk.client_secret, "days": 120, "authority": desk.authority,
                    "workItems": ["Incident"]}
            began = time.monotonic()
            api(product, "POST", "", form)
            while not all(one["complete"] for one in api(product, "GET", "/Desk")["imports"]):
                time.sleep(0.5)
            seconds = time.monotonic() - began
            rows = product.query("ServiceDesk_CL | summarize Rows = count(), Items = dcount(ServiceDeskId_s, 4)")
            tickets = []
            for number in range(20):
                began = time.monotonic()
                api(product, "POST", "/Desk/work-items", {"correlationId": f"bench-{number}", "title": "Disk full"})
                tickets.append(time.monotonic() - began)
            return seconds, rows, sorted(tickets)
    finally:
        desk.close()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        seconds, rows, tickets = measure(folder, INCIDENTS)
        print(f"{INCIDENTS:,} incidents in {seconds:.1f} s ({INCIDENTS / seconds:,.0f} a second); in the table: {rows}")
        print(f"a work item: median {tickets[len(tickets) // 2] * 1000:.0f} ms, longest {tickets[-1] * 1000:.0f} ms")
