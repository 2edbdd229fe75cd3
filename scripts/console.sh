#!/usr/bin/env bash
# Builds the web console to console/dist, from where the server's build takes it.
source "$(dirname "$0")/lib.sh"
build_console
