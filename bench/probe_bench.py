"""The connection probe under many short connections: what it counts, and what it costs, for each kind of probe."""

import json
import os
import subprocess
import time
from pathlib import Path

from agent_bench import cpu_seconds
from product import BINARIES

STATISTICS = Path("/proc/sys/kernel/bpf_stats_enabled")


def start_agent(product, folder: Path, probe):
    folder.mkdir()
    environment = {**os.environ, "WATCHKEEPER_CONNECTION": str(product.data / "connection.json")}
    made = subprocess.run([BINARIES / "watchkeeper", "tokens", "create", "--uses", "1", "--format", "json"],
                          env=environment, capture_output=True, text=True, check=True)
    (folder / "token").write_text(json.loads(made.stdout)["token"])
    (folder / "agent.toml").write_text(
        f'servers = ["{product.ready["agent_endpoint"]}"]\ndata = "{folder}/data"\ncomputer = "{probe}.bench"\n'
        f'ca_file = "{product.ready["ca_file"]}"\ntoken_file = "{folder}/token"\n'
        f'[collect.inventory]\nports_interval_seconds = 10\n[collect.connections]\nprobe = "{probe}"\n')
    return subprocess.Popen([BINARIES / "watchkeeper-agent", "run", "--config", folder / "agent.toml"],
                            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=(folder / "log").open("wb"))


def kernel_seconds(pid):
    """What the programs that a process has loaded into the kernel have run, while the kernel measures it (bpf(2))."""
    total = 0
    for entry in Path(f"/proc/{pid}/fdinfo").iterdir():
        fields = dict(line.split(":", 1) for line in entry.read_text().splitlines() if ":" in line)
        if "prog_id" in fields and "link_type" not in fields:
            total += int(fields.get("run_time_ns", "0"))
    return total / 1e9


def wait(condition, seconds=120):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if found := condition():
                return found
        except RuntimeError:
            pass  # the table is not there yet
        time.sleep(0.5)
    return None


def measure(product, folder: Path, generator, rate, seconds):
    """[(probe, connections made, counted at their beginning, at their end, processor seconds, seconds in the kernel)]"""
    results = []
    STATISTICS.write_text("1\n")
    try:
        for probe in ("off", "netlink", "ebpf"):
            agent = start_agent(product, folder / probe, probe)
            try:
                wait(lambda: product.query(f'VMBoundPort | where Computer == "{probe}.bench" | take 1'))
                time.sleep(10)
                before, inside = cpu_seconds(agent.pid), kernel_seconds(agent.pid)
                began = time.monotonic()
                made = subprocess.run([generator, str(rate), str(seconds)], capture_output=True, text=True, check=True)
                port, figures = made.stdout.splitlines()
                connections, took = int(figures.split()[0]), float(figures.split()[1])
                # the cost of what is read after the last connection belongs to it
                time.sleep(15)
                used, used_inside = cpu_seconds(agent.pid) - before, kernel_seconds(agent.pid) - inside
                lasted = time.monotonic() - began

                def counted(direction):
                    rows = product.query(
                        f'VMConnection | where Computer == "{probe}.bench" and DestinationPort == {port} and Direction == "{direction}"'
                        " | summarize sum(LinksEstablished), sum(LinksTerminated)")
                    return rows[0]

                if probe != "off":
                    wait(lambda: counted("outbound")[1] >= connections, 30)
                outbound = counted("outbound") if probe != "off" else (0, 0)
                inbound = counted("inbound") if probe != "off" else (0, 0)
                results.append((probe, connections, connections / took, outbound, inbound, used, used_inside, took, lasted))
                print("  ", results[-1], flush=True)
            finally:
                agent.terminate()
                agent.wait()
    finally:
        STATISTICS.write_text("0\n")
    return results
