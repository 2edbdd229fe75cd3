"""`watchkeeper import`: every format and compression, bad rows, and an importer that is killed and started again."""

import gzip
import json
import os
import signal
import subprocess
import time
from datetime import datetime, timedelta, timezone

import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq
import pytest

from conftest import BINARIES, product_environment, wait_until

START = datetime(2026, 3, 1, 12, 0, 0, tzinfo=timezone.utc)


class Importer:
    def __init__(self, product, cache):
        self.product = product
        self.retention = ["--retention-days", "3650"]
        self.environment = {
            **product_environment(), "XDG_CACHE_HOME": str(cache),
            "WATCHKEEPER_CONNECTION": str(product.data / "connection.json"),
        }

    def popen(self, *arguments):
        # the rows of these tests are of a day that the default retention has left behind
        return subprocess.Popen(
            [BINARIES / "watchkeeper", "import", *map(str, arguments), *self.retention], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=self.environment)

    def __call__(self, *arguments, code=0):
        process = self.popen(*arguments)
        _, errors = process.communicate(timeout=120)
        assert process.returncode == code, errors
        return errors


@pytest.fixture
def importer(product, tmp_path):
    return Importer(product, tmp_path / "cache")


@pytest.fixture
def cli_tables(product):
    def run(*arguments):
        subprocess.run(
            [BINARIES / "watchkeeper", "tables", *arguments], check=True, capture_output=True,
            env={**product_environment(), "WATCHKEEPER_CONNECTION": str(product.data / "connection.json")})
    return run


def rows(count, first=0):
    return [
        {"timestamp": (START + timedelta(seconds=n)).isoformat(), "n": n, "ratio": n / 4, "ok": n % 2 == 0,
         "text": f"line {n}, \"quoted\"", "http.status": 200 + n % 3, "tags": {"k": [n]}}
        for n in range(first, first + count)
    ]


def lines(items):
    return "".join(json.dumps(item) + "\n" for item in items)


def count(product, table):
    return product.query(f"{table} | count")[0]["Count"]


def test_json_lines_have_types_time_and_names_that_can_be(product, importer, tmp_path):
    path = tmp_path / "app.jsonl"
    path.write_text(lines(rows(100)))
    errors = importer(path, "--table", "ImportJson_CL")
    assert "100 rows stored in ImportJson_CL" in errors
    assert '"http.status" is stored in the column http_status' in errors
    types = {row["ColumnName"]: row["ColumnType"] for row in product.query("ImportJson_CL | getschema")}
    assert {name: types[name] for name in ("n", "ratio", "ok", "text", "http_status", "tags", "TimeGenerated")} == {
        "n": "long", "ratio": "real", "ok": "bool", "text": "string", "http_status": "long", "tags": "dynamic",
        "TimeGenerated": "datetime"}
    assert "timestamp" not in types
    row = product.query("ImportJson_CL | where n == 7")[0]
    assert row["TimeGenerated"].startswith("2026-03-01T12:00:07")
    assert (row["ratio"], row["ok"], row["text"], row["http_status"]) == (1.75, False, 'line 7, "quoted"', 201)
    assert json.loads(row["tags"]) == {"k": [7]}
    assert row["SourceSystem"] and row["Type"] == "ImportJson_CL" and row["TenantId"] == product.ready["tenant_id"]
    # the same content again, from elsewhere and without what the importer remembers: nothing is stored twice
    moved = tmp_path / "elsewhere.json"
    moved.write_bytes(path.read_bytes())
    assert "0 rows stored in ImportJson_CL, 100 were there already" in importer(moved, "--table", "ImportJson_CL")
    importer.environment["XDG_CACHE_HOME"] = str(tmp_path / "other cache")
    assert "0 rows stored in ImportJson_CL, 100 were there already" in importer(moved, "--table", "ImportJson_CL")
    assert count(product, "ImportJson_CL") == 100


def zstd(data):
    return pa.compress(data, codec="zstd", asbytes=True)


@pytest.mark.parametrize("ending, pack", [(".gz", gzip.compress), (".zst", zstd), ("", gzip.compress)], ids=["gzip", "zstd", "by-magic"])
def test_compressed_files_of_a_pattern(product, importer, tmp_path, ending, pack):
    table = f"ImportPacked{ending.replace('.', '_')}_CL"
    for part in range(3):
        (tmp_path / f"part-{part}.jsonl{ending}").write_bytes(pack(lines(rows(10, part * 10)).encode()))
    importer(tmp_path / f"part-*.jsonl{ending}", "--table", table)
    assert product.query(f"{table} | summarize rows = count(), total = sum(n)") == [{"rows": 30, "total": sum(range(30))}]


def test_csv_has_types_quotes_and_empty_values(product, importer, tmp_path):
    path = tmp_path / "a.csv"
    path.write_text(
        "when,id,amount,flag,note\n"
        "2026-03-01 12:00:00,007,1,true,\"a \"\"b\"\", c\nd\"\n"
        "2026-03-01 12:00:01,008,2.5,,\n")
    importer(path, "--table", "ImportCsv_CL", "--time", "when")
    found = product.query("ImportCsv_CL | order by TimeGenerated asc | project id, amount, flag, note, t = tostring(TimeGenerated)")
    assert found == [
        {"id": "007", "amount": 1.0, "flag": True, "note": 'a "b", c\nd', "t": "2026-03-01T12:00:00.0000000Z"},
        {"id": "008", "amount": 2.5, "flag": None, "note": "", "t": "2026-03-01T12:00:01.0000000Z"},
    ]


def test_parquet_keeps_its_types(product, importer, tmp_path):
    path = tmp_path / "a.parquet"
    count_ = 45_000
    table = pa.table({
        "time": pa.array([START + timedelta(milliseconds=n) for n in range(count_)], pa.timestamp("ns", "UTC")),
        "small": pa.array([n % 100 for n in range(count_)], pa.int16()),
        "price": pa.array([n / 8 if n % 5 else None for n in range(count_)], pa.float32()),
        "name": pa.array([f"name {n % 7}" for n in range(count_)]).dictionary_encode(),
        "list": pa.array([[n, n + 1] for n in range(count_)]),
    })
    pq.write_table(table, path)
    importer(path, "--table", "ImportParquet_CL")
    found = product.query(
        "ImportParquet_CL | summarize rows = count(), names = dcount(name), nulls = countif(isnull(price)), "
        "s = sum(small), first = tostring(min(TimeGenerated)), second = sum(tolong(list[1]))")[0]
    assert found == {
        "rows": count_, "names": 7, "nulls": count_ // 5, "s": sum(n % 100 for n in range(count_)),
        "first": "2026-03-01T12:00:00.0000000Z", "second": sum(range(1, count_ + 1))}
    types = {row["ColumnName"]: row["ColumnType"] for row in product.query("ImportParquet_CL | getschema")}
    assert (types["small"], types["price"], types["name"], types["list"]) == ("int", "real", "string", "dynamic")


def test_syslog_lines_become_rows_of_syslog(product, importer, tmp_path):
    path = tmp_path / "messages"
    path.write_text(
        "<34>1 2026-03-01T12:00:00.003Z importhost su - ID47 - 'su root' failed\n"
        "<13>Mar  1 12:00:01 importhost cron[42]: job done\n")
    importer(path, "--table", "Syslog")
    found = product.query(
        "Syslog | where Computer == 'importhost' | order by SyslogMessage asc "
        "| project Facility, SeverityLevel, ProcessName, ProcessID, SyslogMessage")
    assert found == [
        {"Facility": "auth", "SeverityLevel": "crit", "ProcessName": "su", "ProcessID": None, "SyslogMessage": "'su root' failed"},
        {"Facility": "user", "SeverityLevel": "notice", "ProcessName": "cron", "ProcessID": 42, "SyslogMessage": "job done"},
    ]


def test_types_that_differ_in_the_first_batch_are_widened_and_said(product, importer, tmp_path):
    path = tmp_path / "mixed.jsonl"
    path.write_text('{"a":1,"b":1}\n{"a":2.5,"b":"x"}\n')
    errors = importer(path, "--table", "ImportMixed_CL")
    assert "column b has values of different types; it is dynamic" in errors
    assert "no column with the time was found" in errors
    assert product.query("ImportMixed_CL | project a, b = tostring(b) | order by a asc") == [{"a": 1.0, "b": "1"}, {"a": 2.5, "b": "x"}]


def test_bad_rows_stop_before_their_batch_or_are_left_out(product, importer, tmp_path):
    path = tmp_path / "bad.jsonl"
    good = lines({"n": n} for n in range(20_000))
    path.write_text(good + '{"n":20000}\n{"n":"many"}\n{"n":\n{"n":20003}\n')
    errors = importer(path, "--table", "ImportBad_CL", code=1)
    assert f"{path}:20002: column n: \"many\" is not a long" in errors
    assert f"{path}:20003: " in errors and "--skip-bad" in errors
    assert count(product, "ImportBad_CL") == 20_000
    errors = importer(path, "--table", "ImportBad_CL", "--skip-bad")
    assert "2 rows stored in ImportBad_CL, 20,000 were there already, 2 bad rows left out" in errors
    assert f"{path}:20002: " in errors
    assert product.query("ImportBad_CL | summarize rows = count(), ids = dcount(n), last = max(n)")[0]["last"] == 20_003
    assert count(product, "ImportBad_CL") == 20_002
    csv = tmp_path / "bad.csv"
    csv.write_text("n,m\n1,2\n3\n")
    assert f"{csv}:3: 1 fields, and the header has 2" in importer(csv, "--table", "ImportBad_CL", code=1)


def test_rows_that_the_retention_would_delete_at_once_are_refused(product, importer, tmp_path, cli_tables):
    importer.retention = []
    path = tmp_path / "old.jsonl"
    path.write_text('{"timestamp":"2020-02-03T00:00:00Z","n":1}\n')
    errors = importer(path, "--table", "ImportOld_CL", code=1)
    assert "rows of 2020-02-03, and the table keeps rows for 90 days" in errors
    assert "watchkeeper tables ImportOld_CL --retention-days N" in errors
    assert product.query_or_none("ImportOld_CL | count") in (None, [{"Count": 0}])
    cli_tables("ImportOld_CL", "--retention-days", "4000")
    assert "1 rows stored" in importer(path, "--table", "ImportOld_CL")
    described = product.session.get(
        f"{product.url}/api/workspaces/{product.ready['workspace_id']}/tables/ImportOld_CL",
        headers={"Authorization": f"Bearer {product.token()}"}).json()
    assert described["properties"]["totalRetentionInDays"] == 4000 and described["properties"]["rows"] == 1


@pytest.mark.parametrize("properties, word", [
    ({"retentionInDays": 0}, "1 to 4383"), ({"retentionInDays": 5000}, "1 to 4383"), ({"retention": 5}, "retention"),
    ({"retentionInDays": 60, "totalRetentionInDays": 30}, "less than"),
])
def test_a_retention_that_cannot_be_is_refused(product, properties, word):
    answer = product.session.patch(
        f"{product.url}/api/workspaces/{product.ready['workspace_id']}/tables/Heartbeat",
        json={"properties": properties}, headers={"Authorization": f"Bearer {product.token()}"})
    assert 400 <= answer.status_code < 500 and word in answer.text


def test_mistakes_are_explained(product, importer, tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"n":1}\n')
    for arguments, expected in [
        ((path, "--table", "Nowhere"), "ends in _CL"),
        ((path, "--table", "No-where_CL"), "letters, numbers and underscore"),
        ((tmp_path / "*.nothing", "--table", "T_CL"), "there is no file"),
        ((path, "--table", "T_CL", "--time", "when"), "no column \"when\" for --time; it has n"),
        ((path, "--table", "Syslog"), "column n: the table has no such column"),
        ((tmp_path, "--table", "T_CL"), "is a folder"),
    ]:
        assert expected in importer(*arguments, code=1), arguments
    assert product.query_or_none("Nowhere | count") is None


def test_an_importer_killed_in_the_middle_goes_on_and_stores_nothing_twice(product, importer, tmp_path):
    path = tmp_path / "large.jsonl"
    total = 400_000
    with path.open("w") as out:
        for n in range(total):
            out.write(f'{{"timestamp":"2026-03-01T12:00:00Z","n":{n},"text":"some text of line {n}"}}\n')
    arguments = (path, "--table", "ImportKilled_CL")
    first = importer.popen(*arguments)

    def has_some():
        found = product.query_or_none("ImportKilled_CL | count")
        return found and found[0]["Count"] > 0

    wait_until(has_some, 60, "the first rows")
    first.send_signal(signal.SIGKILL)
    first.communicate()
    # a request of the killed importer may still be on its way
    before = count(product, "ImportKilled_CL")
    assert 0 < before < total, "the importer was not killed in the middle"
    errors = importer(*arguments)
    assert "were there already" in errors
    assert product.query("ImportKilled_CL | summarize rows = count(), total = sum(n), last = max(n)") == [
        {"rows": total, "total": total * (total - 1) // 2, "last": total - 1}]
    # acknowledged, but forgotten by the importer: the server knows
    importer.environment["XDG_CACHE_HOME"] = str(tmp_path / "lost")
    assert "0 rows stored" in importer(*arguments)
    assert count(product, "ImportKilled_CL") == total


def test_the_route_takes_streams_of_other_clients_from_contributors_only(product):
    batch = pa.record_batch({"n": [1, 2], "at": pa.array([START, START])})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    body = sink.getvalue().to_pybytes()
    path = f"{product.url}/api/workspaces/{product.ready['workspace_id']}/tables/ImportRoute_CL/rows"
    headers = {"Content-Type": "application/vnd.apache.arrow.stream", "X-Batch-Id": "test/1", "Authorization": f"Bearer {product.token()}"}

    def post(data=body, **changes):
        return product.session.post(path, data=data, headers={**headers, **changes})

    assert post().json() == {"rows": 2, "duplicate": False}
    assert post().json() == {"rows": 2, "duplicate": True}
    assert post(data=zstd(body), **{"Content-Encoding": "zstd", "X-Batch-Id": "test/2"}).json()["duplicate"] is False
    assert count(product, "ImportRoute_CL") == 4
    for changes, status in [
        ({"X-Batch-Id": "none"}, 400), ({"Content-Type": "application/json"}, 415), ({"Authorization": "Bearer x"}, 401),
        ({"data": body[: len(body) // 2], "X-Batch-Id": "test/3"}, 400), ({"data": b"", "X-Batch-Id": "test/4"}, 400),
    ]:
        answer = post(**changes)
        assert answer.status_code == status, answer.text
        assert answer.json()["error"]["message"]
    reader = product.session.post(
        f"{product.url}/api/principals", json={"name": "import reader", "role": "Reader"},
        headers={"Authorization": headers["Authorization"]}).json()
    token = product.session.post(
        f"{product.url}/{product.ready['tenant_id']}/oauth2/v2.0/token",
        data={"grant_type": "client_credentials", "client_id": reader["clientId"], "client_secret": reader["clientSecret"],
              "scope": "https://api.loganalytics.io/.default"}).json()["access_token"]
    assert post(Authorization=f"Bearer {token}").status_code == 403
    assert count(product, "ImportRoute_CL") == 4


def test_a_busy_server_is_waited_for(own_product, tmp_path):
    product = own_product
    product.environment = {"WATCHKEEPER_STORE__MAX_UNFLUSHED_MB": "12"}
    product.start()
    importer = Importer(product, tmp_path / "cache")
    path = tmp_path / "large.jsonl"
    with path.open("w") as out:
        for n in range(100_000):
            out.write(f'{{"n":{n},"text":"{os.urandom(20).hex()}"}}\n')
    began = time.monotonic()
    errors = importer(path, "--table", "ImportBusy_CL")
    assert "the server asks to wait" in errors, f"{errors} in {time.monotonic() - began} s"
    assert count(product, "ImportBusy_CL") == 100_000
