#!/usr/bin/env bash
# Release binaries: target/release/watchkeeper (with the console inside) and watchkeeper-agent (built for size).
source "$(dirname "$0")/lib.sh"
"$root/scripts/setup.sh" run
build_console
say "building the server (the first build takes some twenty minutes on two cores)"
cargo build --release -p watchkeeper-server
say "building the agent"
cargo build --profile release-agent -p watchkeeper-agent
cp target/release-agent/watchkeeper-agent target/release/watchkeeper-agent
