"""What is acknowledged stays, exactly once: pulled plugs, stops, full disks, other readers."""

import collections
import json
import os
import random
import signal
import subprocess
import threading
import time

import deltalake
import duckdb
import pytest
import requests

from conftest import Product, wait_until
from test_ingestion import data_collector

SEED = int(os.environ.get("WATCHKEEPER_CRASH_SEED", random.randrange(2**31)))
PLUGS = int(os.environ.get("WATCHKEEPER_PLUGS", "5"))
BATCH = 20


class Sender(threading.Thread):
    """Sends numbered batches until told to stop, and remembers which were acknowledged."""

    def __init__(self, product, first):
        super().__init__()
        self.product, self.next = product, first
        self.acknowledged, self.sent = [], []
        self.stopping = threading.Event()

    def run(self):
        while not self.stopping.is_set():
            batch, self.next = self.next, self.next + 1
            body = json.dumps([{"Batch": batch, "N": n} for n in range(BATCH)]).encode()
            self.sent.append(batch)
            try:
                answer = data_collector(self.product, body, "Numbered")
            except requests.RequestException:
                return
            if answer.status_code == 200:
                self.acknowledged.append(batch)


def counts(product):
    rows = product.query_or_none("Numbered_CL | summarize n = count(), d = dcount(N_d, 4) by Batch_d")
    return {int(row["Batch_d"]): (row["n"], row["d"]) for row in rows or []}


def test_pulling_the_plug_loses_and_doubles_nothing(own_product):
    chance = random.Random(SEED)
    print(f"WATCHKEEPER_CRASH_SEED={SEED}")
    # small limits, so that flushes and commits are hit as well
    own_product.environment = {"WATCHKEEPER_STORE__FLUSH_SECONDS": "1", "WATCHKEEPER_LOG": "warn"}
    acknowledged, sent, first = set(), set(), 0
    for _ in range(PLUGS):
        own_product.start()
        sender = Sender(own_product, first)
        sender.start()
        wait_until(lambda: len(sender.acknowledged) >= 3, 30, "three acknowledged batches")
        # a random moment of the server's work, not a wait for anything
        time.sleep(chance.uniform(0, 2.5))
        own_product.kill()
        sender.stopping.set()
        sender.join()
        acknowledged.update(sender.acknowledged)
        sent.update(sender.sent)
        first = sender.next
    own_product.start()
    there = counts(own_product)
    lost = acknowledged - there.keys()
    assert not lost, f"lost {sorted(lost)[:5]} of {len(acknowledged)}"
    wrong = {batch: found for batch, found in there.items() if found != (BATCH, BATCH)}
    assert not wrong, f"batches (rows, different rows) other than {BATCH}: {wrong}"
    assert there.keys() <= sent
    # the agent's own rows: each item once, however often it had to send again
    doubled = own_product.query("union Heartbeat, Perf, Syslog | summarize n = count() by Type, _ItemId | where n > 1")
    assert not doubled, doubled[:3]


def test_a_stop_is_quick_and_a_second_start_continues(own_product):
    own_product.start()
    before = own_product.ready
    assert data_collector(own_product, json.dumps([{"N": 1}]).encode(), "Kept").status_code == 200
    began = time.monotonic()
    assert own_product.stop() == 0
    assert time.monotonic() - began < 15, "the stated five seconds, three times over for a loaded machine"
    own_product.start()
    same = ("tenant_id", "client_id", "client_secret", "workspace_id", "primary_key", "admin_password")
    assert {key: before[key] for key in same} == {key: own_product.ready[key] for key in same}
    assert len(own_product.query("Kept_CL")) == 1


def test_the_agent_comes_back_after_it_was_killed(own_product):
    own_product.start()
    wait_until(lambda: own_product.query_or_none("Heartbeat | take 1"), 60, "a heartbeat")
    children = subprocess.run(["pgrep", "-P", str(own_product.process.pid), "watchkeeper-age"], capture_output=True, text=True).stdout.split()
    assert len(children) == 1
    os.kill(int(children[0]), signal.SIGKILL)
    wait_until(lambda: own_product.query("Heartbeat | count")[0]["Count"] >= 2, 90, "a second heartbeat")


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 48 MB."""
    if os.geteuid() != 0:
        pytest.skip("mounting a tmpfs needs root")
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=48m", "tmpfs", folder], capture_output=True, text=True)
    if mounted.returncode != 0:
        pytest.skip(f"a tmpfs cannot be mounted here: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def test_on_a_full_disk_senders_are_told_and_nothing_is_lost(small_disk):
    product = Product(small_disk / "data", environment={"WATCHKEEPER_STORE__RESERVE_MB": "4", "WATCHKEEPER_LOG": "warn"})
    product.start()
    try:
        filler = small_disk / "filler"
        acknowledged = 0
        assert data_collector(product, b'[{"N":0}]', "Disk").status_code == 200
        acknowledged += 1
        with filler.open("wb") as file:
            file.write(b"\0" * max(0, free_bytes(small_disk) - (3 << 20)))
        answer = data_collector(product, b'[{"N":1}]', "Disk")
        assert answer.status_code == 503, answer.text
        assert "disk" in answer.text.lower()
        assert product.query("Disk_CL | count")[0]["Count"] == acknowledged, "queries go on"
        filler.unlink()

        def accepted():
            return data_collector(product, b'[{"N":2}]', "Disk").status_code == 200

        wait_until(accepted, 30, "the first batch after space came back")
        acknowledged += 1
        assert product.query("Disk_CL | count")[0]["Count"] == acknowledged
        product.kill()
        product.start()
        assert product.query("Disk_CL | count")[0]["Count"] == acknowledged
    finally:
        product.kill()


def free_bytes(folder):
    figures = os.statvfs(folder)
    return figures.f_bavail * figures.f_frsize


def test_other_engines_read_a_table_while_it_is_written(own_product):
    own_product.environment = {"WATCHKEEPER_STORE__FLUSH_SECONDS": "1", "WATCHKEEPER_LOG": "warn"}
    own_product.start()
    sender = Sender(own_product, 0)
    sender.start()
    try:
        folder = next(path for path in [own_product.data / "store" / "tables" / "Numbered_CL"] if wait_until(
            lambda: (path / "_delta_log").is_dir() and any((path / "_delta_log").iterdir()), 60, "the first commit"))
        for _ in range(5):
            table = deltalake.DeltaTable(str(folder))
            rows = table.to_pyarrow_table(columns=["Batch_d", "N_d"]).to_pydict()
            seen = collections.Counter(rows["Batch_d"])
            assert seen and set(seen.values()) == {BATCH}, "whole batches, each once"
            files = table.file_uris()
            assert duckdb.sql(f"select count(*) from read_parquet({files!r})").fetchall()[0][0] == len(rows["N_d"])
    finally:
        sender.stopping.set()
        sender.join()
