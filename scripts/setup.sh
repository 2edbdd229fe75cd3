#!/usr/bin/env bash
# Installs what is missing. `setup.sh run` for building and running, `setup.sh test` for everything that tests need.
source "$(dirname "$0")/lib.sh"
need_rust
need_node
need_packages gcc libc6-dev make clang
[ "${1:-run}" = test ] || exit 0
need_packages chromium postgresql redis-server nginx rsyslog systemd systemd-timesyncd dbus bsdutils python3 util-linux openssl iproute2 e2fsprogs binutils
need_cargo_tool cargo-nextest 0.9.143
need_python
need_npm_packages console
need_npm_packages tests/clients
