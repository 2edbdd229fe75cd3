#!/usr/bin/env bash
# Installs what is missing. `setup.sh run` for building and running, `setup.sh test` for everything that tests need.
source "$(dirname "$0")/lib.sh"
need_rust
need_node
need_packages gcc libc6-dev make clang
[ "${1:-run}" = test ] || exit 0
need_packages chromium postgresql redis-server nginx rsyslog systemd systemd-timesyncd dbus bsdutils python3 util-linux openssl iproute2 e2fsprogs binutils slapd krb5-kdc krb5-admin-server python3-gssapi faketime
# a real ITSM product: its database is one of the tests own, its mail goes nowhere
need_packages dbconfig-no-thanks msmtp-mta rt5-db-sqlite rt5-standalone request-tracker5
need_cargo_tool cargo-nextest 0.9.143
need_python
need_npm_packages console
need_npm_packages tests/clients
