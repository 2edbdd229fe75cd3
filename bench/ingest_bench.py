"""Durable ingest over the Data Collector API, and the time until a sent row can be queried."""

import json
import multiprocessing
import random
import statistics
import time
import uuid

from chdb.session import Session

SECONDS = 10


def make_rows(count, seed=1):
    """Rows of about 300 bytes as JSON."""
    chance = random.Random(seed)
    words = ["timeout", "upstream", "retry", "session", "cache", "handler", "queue", "worker", "certificate", "request"]
    return [{
        "Time": f"2026-01-01T{i // 3600 % 24:02}:{i // 60 % 60:02}:{i % 60:02}.{chance.randrange(10**6):06}Z",
        "Computer": f"web-{chance.randrange(200):03}", "Level": chance.choice(["Information", "Warning", "Error"]),
        "Status": chance.choice([200, 404, 500]), "DurationMs": round(chance.expovariate(0.02), 3),
        "Message": " ".join(chance.choice(words) for _ in range(12)) + f" id={chance.getrandbits(64):016x}",
        "Path": f"/api/v1/{chance.choice(words)}/{chance.randrange(50)}",
    } for i in range(count)]


def send(product, body, until, counter, rows):
    connection = product.connect()
    sent = 0
    while time.monotonic() < until:
        connection.request("POST", "/api/logs?api-version=2016-04-01", body, product.collector_headers(len(body), "Ingest"))
        answer = connection.getresponse()
        answer.read()
        if answer.status == 429:
            time.sleep(float(answer.headers.get("Retry-After", "1")))
        elif answer.status == 200:
            sent += rows
        else:
            raise RuntimeError(f"status {answer.status}")
    with counter.get_lock():
        counter.value += sent


def throughput(product, batch, senders):
    """(rows per second, bytes per second of JSON)"""
    body = json.dumps(make_rows(batch)).encode()
    counter = multiprocessing.Value("q", 0)
    began = time.monotonic()
    processes = [multiprocessing.Process(target=send, args=(product, body, began + SECONDS, counter, batch)) for _ in range(senders)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    rate = counter.value / (time.monotonic() - began)
    return rate, rate * len(body) / batch


def clickhouse_throughput(folder, batch):
    """ClickHouse (chdb) inserting the same JSON batches into MergeTree with fsync, in process."""
    body = "\n".join(json.dumps(row) for row in make_rows(batch))
    session = Session(str(folder))
    session.query("create database if not exists bench engine = Atomic")
    session.query(
        "create table if not exists bench.logs (Time DateTime64(6), Computer String, Level String, Status Int64, DurationMs Float64,"
        " Message String, Path String) engine = MergeTree order by Time"
        " settings fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1")
    began, rows = time.monotonic(), 0
    while time.monotonic() < began + SECONDS:
        session.query(f"insert into bench.logs settings date_time_input_format = 'best_effort' format JSONEachRow {body}")
        rows += batch
    rate = rows / (time.monotonic() - began)
    session.close()
    return rate


def queryable(product, probes=100):
    """Seconds from the start of sending one row to the first answer that holds it: (median, 99th percentile)."""
    times = []
    connection = product.connect()
    for _ in range(probes):
        mark = uuid.uuid4().hex
        body = json.dumps([{"Time": "2026-01-01T00:00:00Z", "Message": mark}]).encode()
        began = time.perf_counter()
        connection.request("POST", "/api/logs?api-version=2016-04-01", body, product.collector_headers(len(body), "Probe"))
        connection.getresponse().read()
        while not product.query(f"union isfuzzy=true (Probe_CL | where Message_s == '{mark}')"):
            pass
        times.append(time.perf_counter() - began)
    times.sort()
    return statistics.median(times), times[int(len(times) * 0.99) - 1]
