#!/usr/bin/env bash
# Formatting, clippy with warnings denied, eslint and type check, licences and sources of dependencies.
source "$(dirname "$0")/lib.sh"
need_rust
need_npm_packages console
need_cargo_tool cargo-deny 0.20.2
say "rustfmt"; cargo fmt --all --check
say "clippy"; cargo clippy --workspace --all-targets --quiet -- -D warnings
say "console: eslint, types"; (cd console && npm run --silent lint && npm run --silent typecheck)
say "cargo deny"; cargo deny --log-level error check licenses bans sources
