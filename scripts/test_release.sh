#!/usr/bin/env bash
# The heavy suites on release binaries: 200 crashes of the store, 10 million random queries, and the product under pulled plugs and full disks.
source "$(dirname "$0")/lib.sh"
"$root/scripts/setup.sh" test
"$root/scripts/release.sh"
say "200 crashes"
WATCHKEEPER_CRASH_RUNS=200 cargo nextest run --release -p watchkeeper-store -p watchkeeper-server -E 'binary(crash)'
say "10 million random queries for the parser and the analyzer"
WATCHKEEPER_FUZZ_RUNS=10000000 cargo nextest run --release -p watchkeeper-kql --test fuzz --no-capture
say "the product's durability"
WATCHKEEPER_BINARIES="$root/target/release" .venv/bin/python -m pytest tests/test_durability.py -q
say "every service desk under faults"
WATCHKEEPER_TEST_ALL_DESKS=1 WATCHKEEPER_BINARIES="$root/target/release" .venv/bin/python -m pytest tests/test_itsm_faults.py -q
say "a server that is cut off"
WATCHKEEPER_TEST_HEAVY=1 WATCHKEEPER_BINARIES="$root/target/release" .venv/bin/python -m pytest tests/test_failover.py -q -k cut_off
