#!/usr/bin/env bash
# The wheel of the Python package watchkeeper-kql, for every Python from 3.9 on: target/wheels/watchkeeper_kql-*.whl
source "$(dirname "$0")/lib.sh"
need_rust
need_packages gcc libc6-dev python3 python3-venv
tools=target/python-tools
[ -x $tools/bin/maturin ] || { say "installing maturin"; python3 -m venv $tools; $tools/bin/pip install --quiet --disable-pip-version-check maturin==1.16.0; }
say "building the wheel (the first build takes some twenty minutes on two cores)"
$tools/bin/maturin build --release --manifest-path python/watchkeeper-kql/Cargo.toml --out target/wheels
