#!/usr/bin/env bash
# Everything: lint, unit and integration tests, the product with real clients, the console in a browser.
source "$(dirname "$0")/lib.sh"
"$root/scripts/setup.sh" test
"$root/scripts/lint.sh"
build_console
say "building the binaries"; cargo build --workspace --bins
say "tests of the crates"; cargo nextest run --workspace --no-fail-fast
say "tests of the product"; .venv/bin/python -m pytest tests -q
