"""The agent's memory and processor time beside other agents, all running at once on this machine."""

import shutil
import subprocess
import time
from pathlib import Path

PEERS = {
    "prometheus-node-exporter": ["prometheus-node-exporter", "--web.listen-address=127.0.0.1:0"],
    "zabbix-agent2": ["zabbix_agent2", "-f", "-c", "{folder}/zabbix.conf"],
}
ZABBIX = "Server=127.0.0.1\nListenPort=10950\nListenIP=127.0.0.1\nLogType=console\nControlSocket={folder}/zabbix.sock\n"


def cpu_seconds(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / 100


def resident_megabytes(pid):
    line = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


def find_agent(product):
    children = Path(f"/proc/{product.process.pid}/task/{product.process.pid}/children").read_text().split()
    everyone = [pid.name for pid in Path("/proc").iterdir() if pid.name.isdigit()]
    for pid in children or everyone:
        try:
            name, status = Path(f"/proc/{pid}/comm").read_text().strip(), Path(f"/proc/{pid}/stat").read_text()
        except FileNotFoundError:
            continue
        if name == "watchkeeper-age" and int(status.rsplit(")", 1)[1].split()[1]) == product.process.pid:
            return int(pid)
    raise RuntimeError("the local agent does not run")


def measure(product, seconds, folder: Path):
    """[(name, resident MB, percent of a core)]"""
    (folder / "zabbix.conf").write_text(ZABBIX.format(folder=folder))
    started, pids = [], {"watchkeeper-agent": find_agent(product)}
    for name, command in PEERS.items():
        command = [part.format(folder=folder) for part in command]
        program = shutil.which(command[0]) or shutil.which(command[0], path="/usr/sbin:/sbin")
        if program is None:
            print(f"  {name} is not installed")
            continue
        process = subprocess.Popen([program, *command[1:]], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        started.append(process)
        pids[name] = process.pid
    try:
        time.sleep(5)
        before = {name: cpu_seconds(pid) for name, pid in pids.items()}
        time.sleep(seconds)
        return [(name, resident_megabytes(pid), (cpu_seconds(pid) - before[name]) / seconds * 100) for name, pid in pids.items()]
    finally:
        for process in started:
            process.terminate()
            process.wait()
