"""Collections and memberships of a site as computer groups, over the tests' emulator of the administration service.

`configmgr_bench.py` alone prints the figures; BENCH_COLLECTIONS (default 500) and BENCH_MEMBERSHIPS (default 500,000) say
how many.
"""

import http.client
import json
import os
import random
import sys
import tempfile
import time
from pathlib import Path

from product import ROOT, Product

sys.path.insert(0, str(ROOT / "tests"))
from emulators.configmgr import Hierarchy, Service  # noqa: E402

COLLECTIONS = int(os.environ.get("BENCH_COLLECTIONS", "500"))
MEMBERSHIPS = int(os.environ.get("BENCH_MEMBERSHIPS", "500000"))


def api(product, method, path, body=None):
    connection = http.client.HTTPSConnection(product.host, context=product.tls, timeout=120)
    connection.request(method, path, json.dumps(body) if body is not None else None,
                       {"Authorization": f"Bearer {product.bearer()}", "Content-Type": "application/json"})
    answer = connection.getresponse()
    text = answer.read()
    connection.close()
    assert answer.status < 300, text
    return json.loads(text) if text else None


def world(collections, memberships):
    """Computers, each in several of the collections."""
    random.seed(7)
    hierarchy = Hierarchy("P01")
    each = memberships // collections
    computers = [hierarchy.computer(f"PC{number:06}") for number in range(max(each, memberships // 10))]
    for number in range(collections):
        hierarchy.put(hierarchy.add_collection(f"Collection {number}"), random.sample(computers, each))
    return hierarchy


def peak_mb(process):
    for line in Path(f"/proc/{process}/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1024
    return float("nan")


def imported(product, memberships):
    """Seconds until the groups hold, and until their rows are all there."""
    began, held = time.monotonic(), None
    while True:
        shown = api(product, "GET", "/api/configuration-manager/Site")
        assert shown["status"] != "failed", shown["problem"]
        if shown["status"] == "imported" and shown["outcome"]["memberships"] == memberships:
            held = held or time.monotonic() - began
            if shown["rowsComplete"]:
                return held, time.monotonic() - began, shown["outcome"]
        time.sleep(0.2)


def measure(folder, collections, memberships, say=print):
    """Imports everything, then a change of every tenth collection."""
    hierarchy = world(collections, memberships)
    total = sum(len(one["members"]) for one in hierarchy.collections.values())
    service = Service(Path(folder) / "site", hierarchy)
    try:
        with Product(Path(folder) / "data", {"WATCHKEEPER_PACKS__SHIPPED": "false"}) as product:
            made = api(product, "POST", "/api/principals", {"name": "Configuration Manager", "role": "Contributor"})
            idle = peak_mb(product.process.pid)
            form = {"name": "Site", "tenantId": product.ready["tenant_id"], "clientId": made["clientId"], "secret": made["clientSecret"],
                    "appIdUri": service.app_id_uri, "address": service.url, "userName": service.account, "password": service.password,
                    "trusted": service.authority, "allCollections": True, "withoutAgent": True}
            api(product, "POST", "/api/configuration-manager", form)
            held, rows, _ = imported(product, total)
            full = {"collections": len(hierarchy.collections), "memberships": total, "seconds": held, "seconds_with_rows": rows,
                    "peak_mb": peak_mb(product.process.pid), "peak_mb_before": idle}
            say(f"all: {total:,} memberships of {full['collections']} collections hold after {held:.1f} s, rows after {rows:.1f} s; "
                f"peak memory {full['peak_mb']:.0f} MB ({idle:.0f} MB before)")
            changed = [one for number, one in enumerate(hierarchy.collections) if number % 10 == 5]
            for identity in changed:
                hierarchy.put(identity, hierarchy.collections[identity]["members"][:-1])
            total = sum(len(one["members"]) for one in hierarchy.collections.values())
            api(product, "POST", "/api/configuration-manager/Site/run")
            held, rows, outcome = imported(product, total)
            say(f"again, {len(changed)} changed: {outcome['read']} read, hold after {held:.1f} s, rows after {rows:.1f} s")
            return full, {"changed": len(changed), "read": outcome["read"], "seconds": held, "seconds_with_rows": rows}
    finally:
        service.close()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        measure(folder, COLLECTIONS, MEMBERSHIPS)
