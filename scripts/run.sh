#!/usr/bin/env bash
# Builds and starts the product on this machine. Arguments go to `watchkeeper up`.
source "$(dirname "$0")/lib.sh"
"$root/scripts/release.sh"
exec target/release/watchkeeper up "$@"
