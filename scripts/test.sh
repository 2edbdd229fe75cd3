#!/usr/bin/env bash
# Everything: lint, unit and integration tests, the product with real clients, the console in a browser.
source "$(dirname "$0")/lib.sh"
"$root/scripts/setup.sh" test
"$root/scripts/lint.sh"
build_console
say "building the binaries"; cargo build --workspace --bins --lib
say "tests of the crates"; cargo nextest run --workspace --no-fail-fast
product_tests() { .venv/bin/python -m pytest tests -q --tb=short "$@"; }
# browsers wait most of the time, and so do the other tests: side by side they take little longer than one of them
say "tests of the product: browsers beside the rest"
product_tests -m browser > target/browser-tests.log 2>&1 & browsers=$!
failed=no
product_tests -m "not browser and not alone" || failed=yes
say "tests of the product: browsers"
wait $browsers || failed=yes
cat target/browser-tests.log
say "tests of the product: machines of their own"
product_tests -m alone || failed=yes
[ $failed = no ]
