# Sourced by the other scripts: where the project is, and how to install what is missing.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"

say() { printf '\n== %s\n' "$*" >&2; }

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

# Debian packages, only those that are not there yet.
need_packages() {
  local missing=()
  for package in "$@"; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing+=("$package")
  done
  [ ${#missing[@]} -eq 0 ] && return 0
  say "installing Debian packages: ${missing[*]}"
  as_root apt-get update -qq
  # services that Debian would start are not wanted: tests start their own on free ports
  local policy=/usr/sbin/policy-rc.d made=no
  if [ ! -e $policy ]; then printf '#!/bin/sh\nexit 101\n' | as_root tee $policy >/dev/null; as_root chmod +x $policy; made=yes; fi
  DEBIAN_FRONTEND=noninteractive as_root apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
  [ $made = no ] || as_root rm -f $policy
}

need_rust() {
  command -v cargo >/dev/null || { echo "cargo is missing: install Rust 1.95 or newer from https://rustup.rs" >&2; exit 1; }
}

need_node() {
  command -v npm >/dev/null || { echo "npm is missing: install Node.js 20 or newer" >&2; exit 1; }
}

# A cargo subcommand from crates.io, built without optimization: it is used a few times only.
need_cargo_tool() {
  local name=$1 version=$2
  command -v "$name" >/dev/null || {
    say "installing $name $version"
    cargo install --quiet --locked --debug "$name@$version" --target-dir "$root/target/tools"
    rm -rf "$root/target/tools"
  }
}

# The Python packages that product tests drive the server with, in .venv.
need_python() {
  local stamp=.venv/requirements.stamp
  [ -x .venv/bin/python ] || { need_packages python3; python3 -m venv .venv 2>/dev/null || { need_packages python3-venv; python3 -m venv .venv; }; }
  cmp -s tests/requirements.txt "$stamp" || {
    say "installing Python packages for the tests"
    .venv/bin/pip install --quiet --disable-pip-version-check -r tests/requirements.txt
    cp tests/requirements.txt "$stamp"
  }
}

# need_npm_packages FOLDER: what the lock file there says
need_npm_packages() {
  need_node
  local stamp=$1/node_modules/.package-lock.stamp
  cmp -s "$1/package-lock.json" "$stamp" 2>/dev/null || {
    say "installing the packages of $1"
    (cd "$1" && npm ci --no-audit --no-fund --loglevel=error)
    cp "$1/package-lock.json" "$stamp"
  }
}

build_console() {
  need_npm_packages console
  # built anew only when a source is newer than the result
  if [ ! -e console/dist/index.html ] || [ -n "$(find console -path console/node_modules -prune -o -path console/dist -prune -o -type f -newer console/dist/index.html -print -quit)" ]; then
    say "building the console"
    (cd console && npm run --silent build)
  fi
}
