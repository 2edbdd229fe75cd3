"""Runs every workload beside its peers and writes bench/RESULTS.md: `run.py [all|queries|ingest|agent|start|scale|map|probe|alerts|configmgr|itsm|console]`.

BENCH_ROWS (default 50,000,000) and BENCH_AGENT_SECONDS (default 600) make a quicker, smaller run, which the result
then says. BENCH_SCALE_AGENTS (default 50,000), BENCH_SCALE_DIRECT (default 15,000) and BENCH_SCALE_SECONDS (default 180) do
the same for `scale`, BENCH_MAP_HOURS (default 24) for `map`, BENCH_PROBE_RATE (default
10,000) and BENCH_PROBE_SECONDS (default 60) for `probe`, BENCH_ALERT_RULES (default 10,000) and
BENCH_ALERT_SECONDS (default 120) for `alerts`, BENCH_INCIDENTS (default 100,000) for `itsm`.
"""

import datetime
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

import agent_bench
import alerts_bench
import configmgr_bench
import ingest_bench
import itsm_bench
import map_bench
import probe_bench
import query_bench
import scale_bench
from product import BINARIES, ROOT, Product, folder_bytes

ROWS = int(os.environ.get("BENCH_ROWS", "50000000"))
AGENT_SECONDS = int(os.environ.get("BENCH_AGENT_SECONDS", "600"))
SCALE_AGENTS = int(os.environ.get("BENCH_SCALE_AGENTS", "50000"))
# each needs a file handle in the server: as many as this machine's limit of open files allows
SCALE_DIRECT = int(os.environ.get("BENCH_SCALE_DIRECT", "15000"))
# one connection carries at most 4,096 agents
SCALE_GATEWAYS = int(os.environ.get("BENCH_SCALE_GATEWAYS", "25"))
SCALE_SECONDS = int(os.environ.get("BENCH_SCALE_SECONDS", "180"))
MAP_MACHINES, MAP_EDGES = 1000, 20_000
MAP_HOURS = int(os.environ.get("BENCH_MAP_HOURS", "24"))
PROBE_RATE = int(os.environ.get("BENCH_PROBE_RATE", "10000"))
PROBE_SECONDS = int(os.environ.get("BENCH_PROBE_SECONDS", "60"))
ALERT_RULES = int(os.environ.get("BENCH_ALERT_RULES", "10000"))
ALERT_SECONDS = int(os.environ.get("BENCH_ALERT_SECONDS", "120"))
WORK = Path(os.environ.get("BENCH_DIR", ROOT / "target" / "bench"))


def machine():
    model = next((line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line), "?")
    memory = int(Path("/proc/meminfo").read_text().split()[1]) // 1048576
    return f"{os.cpu_count()} cores ({model}), {memory} GiB, Linux {platform.release()}"


def ratio(ours, theirs):
    return "–" if not ours or not theirs else f"{ours / theirs:.2f}"


def bench_queries(out):
    results, size, raw, zstd, per_row = query_bench.measure(ROWS, WORK)
    out.append(f"## Queries over {ROWS:,} log rows\n")
    out.append("Milliseconds, median of three after a warm-up (one run where that took more than 4 s); Watchkeeper over HTTPS with its JSON, the peers in process, all on the same Parquet files.\n")
    out.append("| kind | query | Watchkeeper | DuckDB | ClickHouse (chdb) | to DuckDB | to ClickHouse |\n| --- | --- | ---: | ---: | ---: | ---: | ---: |")
    for kind, name, ours, duck, house in results:
        out.append(f"| {kind} | {name} | {query_bench.show(ours)} | {query_bench.show(duck)} | {query_bench.show(house)} | {ratio(ours, duck)} | {ratio(ours, house)} |")
    out.append("")
    out.append("| geometric mean of ratios | goal | to DuckDB | to ClickHouse |\n| --- | ---: | ---: | ---: |")
    for kind, goal in (("analytics", "1.0"), ("search", "0.5")):
        means = [query_bench.geometric_mean_of_ratios(results, kind, peer) for peer in (3, 4)]
        out.append(f"| {kind} | {goal} | {means[0]:.2f} | {means[1]:.2f} |")
    out.append(f"\nOn disk: {size / 1e9:.2f} GB with the term index, {size / ROWS:.0f} bytes a row. As JSON lines the rows have {per_row:.0f} bytes: "
               f"1 : {per_row * ROWS / size:.1f} (goal 1 : 15); zstd -3 of that text: 1 : {zstd:.1f}. Each row has some 40 random bytes "
               "(trace, span, user, address), which nothing compresses.\n")


def bench_ingest(out):
    out.append("## Durable ingest\n")
    out.append("Data Collector API over TLS, senders on the same two cores; ClickHouse: chdb in process, JSONEachRow, fsync after each insert, one inserter.\n")
    out.append("| batch | senders | rows/s | MB/s | ClickHouse rows/s | ratio |\n| ---: | ---: | ---: | ---: | ---: | ---: |")
    with tempfile.TemporaryDirectory(dir=WORK) as folder, Product(Path(folder) / "data") as product:
        product.bearer()
        for batch in (1, 100, 10_000):
            house = ingest_bench.clickhouse_throughput(Path(folder) / f"house-{batch}", batch)
            for senders in (1, 16):
                rows, size = ingest_bench.throughput(product, batch, senders)
                out.append(f"| {batch} | {senders} | {rows:,.0f} | {size / 1e6:.1f} | {house:,.0f} | {ratio(rows, house)} |")
                print(out[-1], flush=True)
        median, worst = ingest_bench.queryable(product)
        out.append(f"\nSent to queryable: median {median * 1000:.1f} ms, 99th percentile {worst * 1000:.1f} ms (goal 1 s), one row at a time.\n")


def bench_agent(out):
    out.append(f"## Agent, {AGENT_SECONDS} s\n")
    out.append("| agent | resident MB | % of a core |\n| --- | ---: | ---: |")
    with tempfile.TemporaryDirectory(dir=WORK) as folder, Product(Path(folder) / "data") as product:
        for name, resident, cpu in agent_bench.measure(product, AGENT_SECONDS, Path(folder)):
            out.append(f"| {name} | {resident:.1f} | {cpu:.2f} |")
    size = (BINARIES / "watchkeeper-agent").stat().st_size / 1e6
    out.append(f"\nGoal 15 MB and 0.3 %. Binary {size:.1f} MB (goal 10).\n")


def bench_start(out):
    out.append("## Start\n")
    data = WORK / f"data-{ROWS}"
    fresh = Path(tempfile.mkdtemp(dir=WORK)) / "data"
    with Product(fresh) as product:
        out.append(f"First start, empty: {product.seconds_to_ready:.2f} s to ready.")
    shutil.rmtree(fresh.parent)
    if data.exists():
        with Product(data) as product:
            import time

            began = time.perf_counter()
            product.query("logs_CL | take 1")
            first = time.perf_counter() - began
            size = folder_bytes(data / "store") / 1e9
            out.append(f"Start with {size:.1f} GB of tables: {product.seconds_to_ready:.2f} s to ready, {first:.2f} s more to the first answered query (goal 1 s in all).\n")


def bench_scale(out):
    out.append("## Agents on one server\n")
    out.append("Simulated agents that speak the real protocol (`crates/simulator`), on the same two cores as the server: a heartbeat and a batch of "
               "5 samples a minute each. The documented limit of an Operations Manager management server is 3,000 agents.\n")
    for agents, gateways, how in ((SCALE_DIRECT, 0, "each with a TLS connection of its own"), (SCALE_AGENTS, SCALE_GATEWAYS, f"behind {SCALE_GATEWAYS} gateways")):
        out.append(f"{agents:,} agents, {how}:\n\n| what | figure |\n| --- | --- |")
        with tempfile.TemporaryDirectory(dir=WORK) as folder, Product(Path(folder) / "data", {"WATCHKEEPER_PACKS__SHIPPED": "false"}) as product:
            def say(what, value):
                out.append(f"| {what} | {value} |")
                print(out[-1], flush=True)
            scale_bench.measure(product, Path(folder), agents, gateways, SCALE_SECONDS, say)
        out.append("")


def bench_map(out):
    out.append(f"## The map of {MAP_MACHINES:,} machines and {MAP_EDGES:,} edges\n")
    out.append(f"`GET /api/map` over HTTPS from stored one-minute rows of {MAP_HOURS} hours, both ends of every edge reported; the client runs on the same cores.\n")
    out.append("| what | figure |\n| --- | --- |")
    with tempfile.TemporaryDirectory(dir=WORK) as folder, Product(Path(folder) / "data", {"WATCHKEEPER_PACKS__SHIPPED": "false"}) as product:
        def say(what, value):
            out.append(f"| {what} | {value} |")
            print(out[-1], flush=True)
        map_bench.measure(product, MAP_MACHINES, MAP_EDGES, MAP_HOURS, say)
    out.append("")


def bench_probe(out):
    out.append(f"## Connections seen by the agent, {PROBE_RATE:,} short ones a second\n")
    out.append("A client and a server on this machine over loopback, each connection with a question and an answer of 64 bytes: two ends, each to be "
               "counted. The cost is what the agent used while they were made and 15 s more, and for ebpf what its programs used in the kernel, in "
               "the time of those who connect.\n")
    out.append("| probe | connections | a second | outbound counted (begun, ended) | inbound counted | agent, s of processor | in the kernel, s | more than without, % of a core |\n"
               "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    # the machine's own agent has a probe too
    with tempfile.TemporaryDirectory(dir=WORK) as folder, Product(Path(folder) / "data", {"WATCHKEEPER_AGENT__LOCAL": "false"}) as product:
        baseline = None
        for probe, made, rate, outbound, inbound, used, inside, took, lasted in probe_bench.measure(
                product, Path(folder), BINARIES / "examples" / "connect", PROBE_RATE, PROBE_SECONDS):
            baseline = used / lasted if baseline is None else baseline
            more = (used - baseline * lasted + inside) / took * 100
            pair = (lambda counts: "–" if probe == "off" else f"{counts[0]:,}, {counts[1]:,}")
            out.append(f"| {probe} | {made:,} | {rate:,.0f} | {pair(outbound)} | {pair(inbound)} | {used:.2f} | {inside:.2f} | {more:.1f} |")
    out.append("\nGoal: every one counted, for under 5 % of a core more.\n")


def bench_alerts(out):
    out.append(f"## {ALERT_RULES:,} alert rules, each every minute\n")
    out.append("Log alert rules with a query of their own each, split by a dimension, over five minutes of rows that arrive at 500 a second; nothing fires.\n")
    out.append("| what | figure |\n| --- | --- |")
    with tempfile.TemporaryDirectory(dir=WORK) as folder, Product(Path(folder) / "data", {"WATCHKEEPER_PACKS__SHIPPED": "false"}) as product:
        def say(what, value):
            out.append(f"| {what} | {value} |")
            print(out[-1], flush=True)
        alerts_bench.measure(product, ALERT_RULES, ALERT_SECONDS, say)
    out.append("")


def bench_configmgr(out):
    out.append(f"## {configmgr_bench.COLLECTIONS:,} collections of Configuration Manager with {configmgr_bench.MEMBERSHIPS:,} memberships\n")
    out.append("Over the tests' emulator of the administration service, with Windows sign-in, four collections at a time.\n")
    out.append("| import | memberships | groups hold, s | rows written, s | peak memory, MB |\n| --- | ---: | ---: | ---: | ---: |")
    with tempfile.TemporaryDirectory(dir=WORK) as folder:
        full, again = configmgr_bench.measure(Path(folder), configmgr_bench.COLLECTIONS, configmgr_bench.MEMBERSHIPS)
    out.append(f"| all | {full['memberships']:,} | {full['seconds']:.1f} | {full['seconds_with_rows']:.1f} | {full['peak_mb']:.0f} ({full['peak_mb_before']:.0f} before) |")
    out.append(f"| {again['changed']} collections changed, {again['read']} read | | {again['seconds']:.1f} | {again['seconds_with_rows']:.1f} | |")
    out.append("\nGoal: all in under 300 s, with bounded memory.\n")


def bench_itsm(out):
    count = itsm_bench.INCIDENTS
    out.append(f"## {count:,} incidents of a service desk, and alerts that become some\n")
    out.append("The tests' emulator of ServiceNow in a process of its own on the same cores; a connection is added and the first reading ends. Then an "
               "alert rule that runs every second fires for one machine after another, each with an incident.\n")
    out.append("| what | figure |\n| --- | --- |")
    with tempfile.TemporaryDirectory(dir=WORK) as folder:
        seconds, found, tickets = itsm_bench.measure(folder, count)
    out.append(f"| incidents in the tables | {seconds:.1f} s, {count / seconds:,.0f} a second (goal 180 s for 100,000); rows and items: {found[0]} |")
    middle, last = tickets[len(tickets) // 2], tickets[-1]
    out.append(f"| from an alert that fires to its incident: median, longest of {len(tickets)} | {middle * 1000:.0f} ms, {last * 1000:.0f} ms (goal 2 s) |\n")


def bench_console(out):
    """The map as it is looked at, in headless Chromium; needs the console's packages and its build (`make console`)."""
    out.append("## The map in the console\n")
    out.append("Headless Chromium. Drawn: from the arrival of the map's answer until the last painting; a connection on the map: of this machine, seen by its agent, 12 of them over a minute.\n")
    with tempfile.TemporaryDirectory(dir=WORK) as folder, Product(Path(folder) / "data") as product:
        for script in (["dev/mapBench.mjs"], ["dev/edgeBench.mjs", str(product.ready_file)]):
            said = subprocess.run(["node", *script], cwd=ROOT / "console", capture_output=True, text=True, check=True).stdout
            out.extend(f"- {line}" for line in said.splitlines())
    out.append("\nGoals: 200 machines in 2 s, a connection after 65 s.\n")


PARTS = {"queries": bench_queries, "ingest": bench_ingest, "agent": bench_agent, "start": bench_start, "scale": bench_scale, "map": bench_map, "probe": bench_probe, "alerts": bench_alerts, "configmgr": bench_configmgr, "itsm": bench_itsm,
         "console": bench_console}
RESULTS = ROOT / "bench" / "RESULTS.md"


def known_sections():
    """The sections of the last results by the part that wrote them, so that one part can be run alone."""
    text = RESULTS.read_text() if RESULTS.exists() else ""
    return {name: body.strip("\n") for name, body in re.findall(r"<!-- (\w+) -->\n(.*?)(?=<!-- \w+ -->|\Z)", text, re.DOTALL)}


def main():
    WORK.mkdir(parents=True, exist_ok=True)
    wanted = sys.argv[1:] or ["all"]
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True).stdout.strip()
    settings = f"BENCH_ROWS={ROWS} BENCH_AGENT_SECONDS={AGENT_SECONDS}"
    scale_settings = f"BENCH_SCALE_AGENTS={SCALE_AGENTS} BENCH_SCALE_DIRECT={SCALE_DIRECT} BENCH_SCALE_SECONDS={SCALE_SECONDS}"
    for name, part in PARTS.items():
        if "all" not in wanted and name not in wanted:
            continue
        print(f"== {name}", flush=True)
        out = []
        part(out)
        peers = f"DuckDB {version('duckdb')}, chdb {version('chdb')}; "
        if name == "scale":
            peers, settings = "", scale_settings
        if name == "map":
            peers, settings = "", f"BENCH_MAP_HOURS={MAP_HOURS}"
        if name == "alerts":
            peers, settings = "", f"BENCH_ALERT_RULES={ALERT_RULES} BENCH_ALERT_SECONDS={ALERT_SECONDS}"
        if name == "configmgr":
            peers, settings = "", f"BENCH_COLLECTIONS={configmgr_bench.COLLECTIONS} BENCH_MEMBERSHIPS={configmgr_bench.MEMBERSHIPS}"
        if name == "itsm":
            peers, settings = "", f"BENCH_INCIDENTS={itsm_bench.INCIDENTS}"
        if name == "console":
            peers, settings = "", "console"
        if name == "probe":
            peers, settings = "", f"BENCH_PROBE_RATE={PROBE_RATE} BENCH_PROBE_SECONDS={PROBE_SECONDS}"
        out.append(f"\n{datetime.date.today()}, commit {commit}, {machine()}; {peers}`make bench` with {settings}.")
        sections = known_sections() | {name: "\n".join(out)}
        ordered = [f"<!-- {key} -->\n{sections[key]}\n" for key in PARTS if key in sections]
        RESULTS.write_text("# Results\n\n" + "\n".join(ordered))
        print("\n".join(out))


if __name__ == "__main__":
    main()
