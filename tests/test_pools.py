"""Objects without an agent: the management servers find and watch them, by resource pool."""

import csv
import hashlib
import io
import json
import os
import socket
import threading

from conftest import ROOT, wait_until
from test_management_group import call, get, health_of, watchkeeper

PACK = (ROOT / "tests" / "packs" / "Test.Sites.xml").read_text()
ALL_SERVERS = "All Management Servers Resource Pool"


class Endpoint:
    """A TCP port that answers, or refuses while it is closed; the port stays the same."""

    def __init__(self, address="127.0.0.1"):
        self.address = address
        with socket.socket() as probe:
            probe.bind((address, 0))
            self.port = probe.getsockname()[1]
        self.listener = None

    def open(self):
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind((self.address, self.port))
        self.listener.listen(64)
        threading.Thread(target=self.answer, args=(self.listener,), daemon=True).start()
        return self

    @staticmethod
    def answer(listener):
        while True:
            try:
                listener.accept()[0].close()
            except OSError:
                return

    def close(self):
        # wakes the thread that waits
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


def write_sites(file, *ports):
    # in one step: the discovery never reads half a list
    new = file.with_suffix(".new")
    new.write_text("".join(f"127.0.0.1 {port}\n" for port in ports))
    os.replace(new, file)


def import_pack(product, folder, sites):
    file = folder / "Test.Sites.xml"
    file.write_text(PACK.replace("SITES_FILE", str(sites)))
    imported = watchkeeper(product, "pack", "import", str(file))
    assert imported.returncode == 0, imported.stderr


def the_sites(product):
    answer = call(product, "GET", "/api/objects?class=Test.Sites!Test.Sites.Site")
    # another server may not have followed the import yet
    return [] if answer.status_code == 404 else answer.json()


def the_alerts(product, state="open"):
    return [alert for alert in get(product, f"/api/alerts?state={state}") if alert["name"] == "The site does not answer"]


def done(product, *arguments):
    command = watchkeeper(product, *arguments, "--format", "json")
    assert command.returncode == 0, f"{arguments}: {command.stderr}"
    return json.loads(command.stdout) if command.stdout.strip() else None


def test_a_site_without_an_agent_is_found_and_watched_by_the_server_also_over_a_kill(own_product, tmp_path):
    product = own_product.start()
    endpoint, sites = Endpoint().open(), tmp_path / "sites"
    write_sites(sites, endpoint.port)
    import_pack(product, tmp_path, sites)
    [site] = wait_until(lambda: the_sites(product), 60, "the site is found")
    assert site["name"] == f"127.0.0.1:{endpoint.port}" and not site["agentId"]
    wait_until(lambda: health_of(product, site["id"]) == "Success", 60, "the site is green")

    endpoint.close()
    wait_until(lambda: health_of(product, site["id"]) == "Error", 60, "the site is red")
    [alert] = wait_until(lambda: the_alerts(product), 30, "the alert")
    assert alert["description"] == f"Port {endpoint.port} does not answer"

    # red it stays, and the alert is the same, over a kill
    product.kill()
    product.start()
    rows = "Perf | where ObjectName == 'Site' | summarize Samples = count() by Computer, InstanceName"
    [before] = wait_until(lambda: product.query_or_none(rows), 60, "samples of the site")
    assert before["InstanceName"] == f"127.0.0.1:{endpoint.port}"
    assert before["Computer"] == os.uname().nodename, "the row says which server ran it"
    wait_until(lambda: product.query(rows)[0]["Samples"] > before["Samples"], 60, "samples after the start")
    assert health_of(product, site["id"]) == "Error"
    assert [open_["id"] for open_ in the_alerts(product, "all")] == [alert["id"]]
    assert [open_["id"] for open_ in the_alerts(product)] == [alert["id"]]

    endpoint.open()
    wait_until(lambda: health_of(product, site["id"]) == "Success", 60, "the site is green again")
    wait_until(lambda: the_alerts(product) == [], 30, "the alert is closed")
    assert [closed["id"] for closed in the_alerts(product, "all")] == [alert["id"]], "there was one alert only"

    # what the list no longer has is gone, and with it its workflows
    write_sites(sites)
    wait_until(lambda: the_sites(product) == [], 60, "the site is gone")
    endpoint.close()


def test_pools_are_listed_with_the_server_that_runs_each_object_and_servers_get_run_as_accounts(own_product, tmp_path):
    product = own_product.start()
    endpoint, sites = Endpoint().open(), tmp_path / "sites"
    write_sites(sites, endpoint.port)
    import_pack(product, tmp_path, sites)
    [site] = wait_until(lambda: the_sites(product), 60, "the site is found")
    server = (product.data / "server-id").read_text().strip()

    held = wait_until(lambda: [one for one in done(product, "pools", "objects") if one["id"] == site["id"]], 30, "it is listed")
    assert held[0]["serverId"] == server and held[0]["server"] == os.uname().nodename
    pools = {pool["name"]: pool for pool in done(product, "pools")}
    assert pools[ALL_SERVERS]["hasQuorum"] and pools[ALL_SERVERS]["objects"] >= 2
    assert [member["id"] for member in pools[ALL_SERVERS]["members"]] == [server]
    listed = list(csv.DictReader(io.StringIO(watchkeeper(product, "pools", "list", "--format", "csv").stdout)))
    assert {row["name"]: row["members"] for row in listed}[ALL_SERVERS] == os.uname().nodename
    table = watchkeeper(product, "pools", "members", ALL_SERVERS)
    assert table.returncode == 0 and server in table.stdout, table.stderr

    # a pool of its own, and what must not be
    made = done(product, "pools", "create", "Sites", "--members", server)
    assert made["members"][0]["id"] == server and not made["automatic"]
    assert watchkeeper(product, "pools", "create", "Sites", "--members", server).returncode == 1
    unknown = watchkeeper(product, "pools", "create", "Other", "--members", "nobody")
    assert unknown.returncode == 1 and "nobody" in unknown.stderr
    changed = watchkeeper(product, "pools", "members", ALL_SERVERS, "--set", server)
    assert changed.returncode == 1 and "cannot be changed" in changed.stderr
    assert [member["id"] for member in done(product, "pools", "members", "Sites", "--set", server)] == [server]
    done(product, "pools", "remove", "Sites")
    assert call(product, "GET", "/api/pools/Sites").status_code == 404

    # the server runs tasks on such objects, with the account that its pool may have
    profile, secret = "Test.Sites!Test.Sites.Account", "s3cr$t <of> the site"
    file = tmp_path / "secret"
    file.write_text(secret)
    done(product, "run-as", "accounts", "add", "sites", "--kind", "Basic", "--user", "reader", "--secret-file", str(file))
    done(product, "run-as", "associations", "set", profile, "sites")
    account = done(product, "run-as", "accounts", "distribute", "sites", ALL_SERVERS)
    assert account["agents"] == [ALL_SERVERS]
    expected = f"reader {hashlib.sha256(secret.encode()).hexdigest()}\n"

    def shown():
        answer = call(product, "POST", "/api/tasks", json={"task": "Test.Sites!Test.Sites.Show", "objects": [site["id"]]})
        assert answer.status_code == 202, answer.text
        ended = wait_until(
            lambda: (lambda run: run if run["status"] in ("Succeeded", "Failed") else None)(
                get(product, f"/api/tasks/{answer.json()[0]['run']}")), 60, "the result of the task")
        return ended["status"] == "Succeeded" and ended["output"] == expected
    wait_until(shown, 60, "the task has the account")
    stored = [path for path in (product.data / "server-workflows").rglob("*") if path.is_file()]
    assert stored and not any(secret.encode() in path.read_bytes() for path in stored)

    reset = watchkeeper(product, "monitors", "reset", "Test.Sites!Test.Sites.Answers", site["id"])
    assert reset.returncode == 0, reset.stderr
    endpoint.close()
