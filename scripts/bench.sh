#!/usr/bin/env bash
# Release build, every workload beside its peers, one page of tables: bench/RESULTS.md.
source "$(dirname "$0")/lib.sh"
"$root/scripts/release.sh"
cargo build --release -p watchkeeper-server -p watchkeeper-simulator
cargo build --release -p watchkeeper-agent --example connect
need_packages prometheus-node-exporter zabbix-agent2
need_python
.venv/bin/pip install --quiet --disable-pip-version-check -r bench/requirements.txt
exec .venv/bin/python bench/run.py "$@"
