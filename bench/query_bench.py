"""Analytic and search queries beside DuckDB and ClickHouse (chdb) on the same Parquet files.

The rows are imported into a table of a running server; the peers read that table's files.
"""

import statistics
import subprocess
import time
from pathlib import Path

import duckdb
import pyarrow
from chdb.session import Session
from deltalake import DeltaTable

import queries
from generate import generate
from product import BINARIES, Product

RUNS = 3
# a query that takes longer than this is run once after its warm-up
LONG_SECONDS = 4


def timed(run):
    """Median of the runs after one warm-up, in milliseconds."""
    began = time.perf_counter()
    run()
    runs = RUNS if time.perf_counter() - began < LONG_SECONDS else 1
    times = []
    for _ in range(runs):
        began = time.perf_counter()
        run()
        times.append((time.perf_counter() - began) * 1000)
    return statistics.median(times)


def attempt(run):
    try:
        return timed(run)
    except Exception as error:  # a peer that cannot run a query is shown as such
        print(f"    failed: {str(error).splitlines()[0][:150]}")
        return None


def measure(rows: int, work: Path):
    source = work / f"rows-{rows}"
    generate(rows, source)
    data = work / f"data-{rows}"
    results = []
    with Product(data) as product:
        loaded = product.query("union isfuzzy=true (print n = long(0)), (logs_CL | count | project n = Count) | summarize max(n)")[0][0]
        if loaded < rows:
            began = time.monotonic()
            subprocess.run([BINARIES / "watchkeeper", "import", *sorted(source.glob("*.parquet")), "--table", "logs_CL", "--retention-days", "4000",
                            "--connection", data / "connection.json"], check=True)
            print(f"imported {rows} rows in {time.monotonic() - began:.0f} s")
    # a stop writes all hot rows to files
    with Product(data) as product:
        # the newest version's files; those that compaction replaced stay on disk for a while
        table = data / "store" / "tables" / "logs_CL"
        files = sorted(uri.removeprefix("file://") for uri in DeltaTable(str(table)).file_uris())
        duck = duckdb.connect()
        duck.execute("set threads = 2")
        duck_table = f"read_parquet({files!r})"
        house = Session()
        within = ",".join(file.removeprefix(f"{table}/").removesuffix(".parquet") for file in files)
        house_table = f"file('{table}/{{{within}}}.parquet', Parquet)"
        for kind, cases in (("analytics", queries.ANALYTICS), ("search", queries.SEARCH)):
            for case in cases:
                name, kql, duck_sql, house_sql = queries.texts(case)
                kql = kql.replace("logs", "logs_CL")
                ours = attempt(lambda: product.query(kql))
                theirs = attempt(lambda: duck.sql(duck_sql.format(t=duck_table)).fetchall())
                other = attempt(lambda: house.query(house_sql.format(t=house_table), "Null"))
                results.append((kind, name, ours, theirs, other))
                print(f"  {kind:9} {name:28} {show(ours):>9} {show(theirs):>9} {show(other):>9}", flush=True)
        names = {Path(file).stem for file in files}
        indexes = [path for path in (table / "_index").iterdir() if path.name.split(".")[0] in names]
        size = sum(Path(path).stat().st_size for path in [*files, *indexes])
        raw = duck.sql(f"select sum(length(Message) + length(Computer) + length(Service) + length(Level) + length(Path) "
                       f"+ length(UserId) + length(ClientIp) + 60) from read_parquet({files!r})").fetchall()[0][0]
        lines = duck.sql(f"select to_json(r) from (select * exclude (TenantId, _ItemId, _IngestionTime) from "
                         f"read_parquet({files!r}) limit 500000) r").fetchall()
        text = "\n".join(line for (line,) in lines).encode()
        zstd = len(text) / len(pyarrow.Codec("zstd", compression_level=3).compress(text))
        per_row = len(text) / len(lines)
    return results, size, raw, zstd, per_row


def show(milliseconds):
    return "failed" if milliseconds is None else f"{milliseconds:.1f}"


def geometric_mean_of_ratios(results, kind, peer):
    ratios = [row[2] / row[peer] for row in results if row[0] == kind and row[2] and row[peer]]
    return statistics.geometric_mean(ratios) if ratios else float("nan")
