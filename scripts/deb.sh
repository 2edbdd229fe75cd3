#!/usr/bin/env bash
# The agent as a Debian package: scripts/deb.sh [BINARY [FOLDER]]; without BINARY it is built in release first.
source "$(dirname "$0")/lib.sh"
need_packages dpkg binutils
binary=${1:-}
if [ -z "$binary" ]; then
  need_rust
  cargo build --profile release-agent -p watchkeeper-agent
  binary=target/release-agent/watchkeeper-agent
fi
folder=${2:-target/debian}
version=$(sed -n '/^\[workspace.package\]/,/^\[/s/^version = "\(.*\)"/\1/p' Cargo.toml)
architecture=$(dpkg --print-architecture)
packaging=crates/agent/packaging
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
install -D -m 755 "$binary" "$tree/usr/bin/watchkeeper-agent"
strip "$tree/usr/bin/watchkeeper-agent"
install -D -m 644 $packaging/watchkeeper-agent.service "$tree/lib/systemd/system/watchkeeper-agent.service"
install -D -m 644 LICENSE "$tree/usr/share/doc/watchkeeper-agent/copyright"
mkdir -p "$tree/DEBIAN" "$folder"
sed "s/@VERSION@/$version/; s/@ARCHITECTURE@/$architecture/" $packaging/debian/control >"$tree/DEBIAN/control"
for script in preinst postinst prerm postrm; do install -m 755 $packaging/debian/$script "$tree/DEBIAN/$script"; done
chmod 755 "$tree"
dpkg-deb --root-owner-group -Zxz -z1 --build "$tree" "$folder/watchkeeper-agent_${version}_$architecture.deb"
