"""Many simulated agents on one server: what they cost, how fast configuration, states and alerts get through, and how soon
a dead agent is noticed."""

import json
import os
import subprocess
import threading
import time
from pathlib import Path

from agent_bench import cpu_seconds, resident_megabytes
from product import BINARIES, ROOT

PACK = ROOT / "bench" / "packs" / "Scale.xml"
CONNECT_LIMIT = 1800


class Simulator:
    """`watchkeeper-simulator`, with its last report."""

    def __init__(self, product, folder: Path, agents, gateways):
        token = json.loads(command(product, "tokens", "create", "--format", "json"))
        token = token[0] if isinstance(token, list) else token
        file = folder / "token"
        file.write_text(token["token"])
        file.chmod(0o600)
        self.report, self.reports = {}, 0
        self.errors = (folder / "simulator.log").open("w")
        self.process = subprocess.Popen(
            [BINARIES / "watchkeeper-simulator", "--server", product.ready["agent_endpoint"], "--ca-file", product.ready["ca_file"],
             "--token-file", file, "--agents", str(agents), "--gateways", str(gateways), "--report", "1"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors, text=True)
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for line in self.process.stdout:
            self.report = json.loads(line)
            self.reports += 1

    def tell(self, text):
        self.process.stdin.write(text + "\n")
        self.process.stdin.flush()

    def wait(self, condition, limit, what):
        until = time.monotonic() + limit
        while not (self.report and condition(self.report)):
            if self.process.poll() is not None:
                raise RuntimeError(f"the simulator ended; see {self.errors.name}")
            if time.monotonic() > until:
                raise RuntimeError(f"{what} did not come true within {limit} s: {self.report}")
            time.sleep(0.05)

    def close(self):
        self.process.terminate()
        self.process.wait()


def command(product, *arguments):
    done = subprocess.run(
        [BINARIES / "watchkeeper", *arguments], capture_output=True, text=True, timeout=120,
        env={**os.environ, "WATCHKEEPER_CONNECTION": str(product.data / "connection.json")})
    if done.returncode:
        raise RuntimeError(f"watchkeeper {' '.join(arguments)}: {done.stderr}")
    return done.stdout


def listed(product, *arguments):
    return json.loads(command(product, *arguments, "--format", "json"))


def get(product, path):
    connection = product.connect()
    connection.request("GET", path, headers={"Authorization": f"Bearer {product.bearer()}"})
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    if answer.status != 200:
        raise RuntimeError(f"{path}: {answer.status} {body[:300]!r}")
    return json.loads(body)


def approve_gateways(product, wanted):
    approved = set()
    until = time.monotonic() + 60
    while len(approved) < wanted and time.monotonic() < until:
        for gateway in get(product, "/api/gateways"):
            identity = gateway.get("gatewayId") or gateway["id"]
            if identity not in approved and not gateway.get("approved"):
                command(product, "gateways", "approve", identity)
                approved.add(identity)
        time.sleep(0.2)


def alone(simulator, product, seconds):
    """Percent of a core and MB of the server over a time, and the waits of batches in it."""
    pid = product.process.pid
    before, began, waits = cpu_seconds(pid), time.monotonic(), []
    last = simulator.reports
    while time.monotonic() - began < seconds:
        time.sleep(0.2)
        if simulator.reports != last:
            last = simulator.reports
            waits.append(simulator.report["bulkWait"])
    percent = (cpu_seconds(pid) - before) / (time.monotonic() - began) * 100
    waits = [wait for wait in waits if wait["count"]]
    return percent, resident_megabytes(pid), worst(waits, "p50", middle=True), worst(waits, "p99")


def worst(waits, name, middle=False):
    values = sorted(wait[name] for wait in waits)
    return values[len(values) // 2 if middle else -1] if values else float("nan")


def measure(product, folder: Path, agents, gateways, seconds, say, settle=60):
    """Says each figure as (what, value) when it is known."""
    simulator = Simulator(product, folder, agents, gateways)
    try:
        if gateways:
            approve_gateways(product, gateways)
        began = time.monotonic()
        simulator.wait(lambda report: report["connected"] >= agents, CONNECT_LIMIT, "all agents connected")
        took = time.monotonic() - began
        say("enrolled and connected", f"{took:.0f} s, {agents / took:,.0f} a second")
        time.sleep(settle)
        cpu, memory, median, slow = alone(simulator, product, seconds)
        say(f"steady, {seconds} s", f"{cpu:.0f} % of a core, {memory:,.0f} MB; batch to acknowledgement median {median:.1f} ms, "
            f"worst 99th percentile of a second {slow:.0f} ms")
        beating = product.query("Heartbeat | where TimeGenerated > ago(2m) and Computer startswith 'simulated' | summarize dcount(Computer)")
        say("computers with a heartbeat in the last two minutes", f"{beating[0][0]:,}")

        configured = simulator.report["configurations"]
        began = time.monotonic()
        command(product, "pack", "import", str(PACK))
        imported = time.monotonic() - began
        simulator.wait(lambda report: report["configurations"] >= configured + agents, 900, "all agents configured")
        took = time.monotonic() - began - (simulator.report["secondsSinceConfiguration"] or 0)
        say("a pack imported, all agents have its configuration", f"{imported:.1f} s and {took:.1f} s")

        computer = get(product, "/api/agents?computer=simulated-00000.example")
        computer = next(agent["object"] for agent in computer if agent["computer"] == "simulated-00000.example")
        seen = []
        for _ in range(5):
            health = get(product, f"/api/objects/{computer}")["health"]
            began = time.monotonic()
            simulator.tell("states 1 1")
            while get(product, f"/api/objects/{computer}")["health"] == health and time.monotonic() - began < 30:
                time.sleep(0.005)
            seen.append(time.monotonic() - began)
        say("a state change until the API shows it", f"median {sorted(seen)[2] * 1000:.0f} ms, slowest {max(seen) * 1000:.0f} ms")

        pid, before, began = product.process.pid, cpu_seconds(product.process.pid), time.monotonic()
        simulator.tell("alerts 1000 60")
        waits = []
        while simulator.report["alertsAcknowledged"] < 60_000 and time.monotonic() - began < 600:
            waits.append(simulator.report["urgentWait"])
            time.sleep(0.2)
        took = time.monotonic() - began
        cpu = (cpu_seconds(pid) - before) / took * 100
        waits = [wait for wait in waits if wait["count"]]
        kept, rows = 0, time.monotonic()
        while kept < simulator.report["alertsAcknowledged"] and time.monotonic() - rows < 300:
            kept = product.query("Alert | where AlertName == 'Simulated alert' | summarize count_distinct(AlertId)")[0][0]
            time.sleep(0.5)
        rows = time.monotonic() - rows
        say("1,000 alerts a second for a minute", f"{simulator.report['alertsAcknowledged']:,} acknowledged in {took:.0f} s, {cpu:.0f} % of a core; "
            f"median {worst(waits, 'p50', middle=True):.0f} ms, worst 99th percentile of a second {worst(waits, 'p99'):.0f} ms; {kept:,} different ones in the table after {rows:.0f} s more")

        began = time.monotonic()
        simulator.tell("silence 10")
        names = {f"simulated-{number:05}.example" for number in range(10)}
        noticed = {}
        while len(noticed) < len(names) and time.monotonic() - began < 900:
            for row in product.query("Alert | where AlertName has 'Heartbeat' | distinct SourceDisplayName"):
                if row[0] in names:
                    noticed.setdefault(row[0], time.monotonic() - began)
            time.sleep(1)
        times = sorted(noticed.values()) or [float("nan")]
        say("10 agents silent, alerts of missed heartbeats", f"{len(noticed)} after {times[0]:.0f} to {times[-1]:.0f} s")
        began = time.monotonic()
        simulator.tell("return")
        simulator.wait(lambda report: report["connected"] >= agents, 300, "the silent agents are back")

        simulator.tell("rest")
        time.sleep(3)
        simulator.wait(lambda report: report["batchesAcknowledged"] >= report["batches"], 300, "all batches acknowledged")
        stored = product.query("Perf | where Computer startswith 'simulated' | count")[0][0]
        say("samples stored", f"{stored:,} of {simulator.report['batches'] * 5:,} sent, all acknowledged")
        say("sessions lost, batches refused", f"{simulator.report['sessionsLost']}, {simulator.report['batchesRefused']}")
    finally:
        simulator.close()
