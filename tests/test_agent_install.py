"""Installing the agent on other machines: enrolment tokens, the Debian package, several management groups at once."""

import os
import shutil
import signal
import subprocess

import pytest

from conftest import BINARIES, ROOT, Product, product_environment, wait_until


def command(product, *arguments):
    environment = {**product_environment(), "WATCHKEEPER_CONNECTION": str(product.data / "connection.json")}
    return subprocess.run([BINARIES / "watchkeeper", *arguments], env=environment, capture_output=True, text=True, timeout=60)


def agent(*arguments, **more):
    return subprocess.run(
        [BINARIES / "watchkeeper-agent", *arguments], env=product_environment(), capture_output=True, text=True, timeout=60, **more)


def make_token(product, *more):
    made = command(product, "tokens", "create", *more)
    assert made.returncode == 0, made.stderr
    assert "watchkeeper-agent install --server" in made.stderr
    return made.stdout.strip(), made.stderr.split("--ca-fingerprint ")[1].split()[0]


@pytest.fixture
def two_products(tmp_path):
    products = [Product(tmp_path / name) for name in ("north", "south")]
    try:
        for product in products:
            product.start()
        yield products
    finally:
        for product in products:
            product.stop(signal.SIGKILL)


def test_one_agent_reports_to_two_management_groups_with_what_install_wrote(two_products, tmp_path):
    root = tmp_path / "image"
    root.mkdir()
    for product, group in zip(two_products, ([], ["--management-group", "south"])):
        token, fingerprint = make_token(product, "--uses", "1", "--description", "two groups")
        installed = agent(
            "install", "--root", str(root), "--server", product.ready["agent_endpoint"], "--ca-fingerprint", fingerprint,
            "--token-file", "-", "--computer", "both.example", *group, input=token)
        assert installed.returncode == 0, installed.stderr
    configuration = root / "etc/watchkeeper"
    # what the image has inside is run from outside
    for file in configuration.rglob("*.toml"):
        file.write_text(file.read_text().replace('"/etc', f'"{root}/etc') + f'data = "{root}/data/{file.stem}"\n')
    process = subprocess.Popen(
        [root / "usr/bin/watchkeeper-agent", "run", "--config", configuration / "agent.toml"],
        env=product_environment(), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=(tmp_path / "agent.log").open("w"))
    try:
        for product in two_products:
            wait_until(
                lambda: product.query_or_none("Heartbeat | where Computer == 'both.example' | take 1"), 60,
                "a heartbeat in each management group")
        # one group goes, the other stays
        two_products[0].kill()
        count = "Perf | where Computer == 'both.example' | count"
        before = two_products[1].query(count)[0]["Count"]
        wait_until(lambda: two_products[1].query(count)[0]["Count"] > before, 120, "samples go on to the other group")
    finally:
        process.terminate()
        assert process.wait(timeout=15) == 0


def test_tokens_are_listed_used_up_and_revoked(product, tmp_path):
    token, fingerprint = make_token(product, "--uses", "1", "--valid-hours", "2", "--description", "one machine")
    listed = command(product, "tokens", "list", "--format", "csv")
    [line] = [line for line in listed.stdout.splitlines() if "one machine" in line]
    assert token not in listed.stdout and line.endswith(",1")
    config = tmp_path / "agent.toml"
    config.write_text(
        f'servers = ["{product.ready["agent_endpoint"]}"]\ndata = "{tmp_path}/data"\nca_fingerprint = "{fingerprint}"\n'
        f'token = "{token}"\ncomputer = "token.example"\n')
    revoked = command(product, "tokens", "revoke", line.split(",")[0])
    assert revoked.returncode == 0, revoked.stderr
    refused = agent("enrol", "--config", str(config))
    assert refused.returncode == 1 and "token" in refused.stderr and token not in refused.stderr, refused.stderr
    again = command(product, "tokens", "revoke", line.split(",")[0])
    assert again.returncode == 1 and "watchkeeper tokens list" in again.stderr
    for wrong, reason in ((["--uses", "0"], "one agent at least"), (["--valid-hours", "9000"], "8760")):
        bad = command(product, "tokens", "create", *wrong)
        assert bad.returncode == 1 and reason in bad.stderr, bad.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="installing a Debian package needs root")
@pytest.mark.skipif(not shutil.which("dpkg-deb"), reason="this is no Debian system")
def test_the_debian_package_installs_refuses_beside_a_server_and_goes_without_a_trace(tmp_path):
    built = subprocess.run(
        [ROOT / "scripts" / "deb.sh", BINARIES / "watchkeeper-agent", tmp_path], capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    [package] = tmp_path.glob("watchkeeper-agent_*.deb")
    # the whole file system of this machine, on which what is written stays in a folder of the test's
    script = r"""
        set -eu
        mkdir -p "$1/new" "$1/work" "$1/root"
        mount -t tmpfs none "$1/new" 2>/dev/null
        mkdir "$1/new/upper" "$1/new/work"
        mount -t overlay overlay -o "lowerdir=/,upperdir=$1/new/upper,workdir=$1/new/work" "$1/root"
        mkdir -p "$1/root/var/tmp" && cp "$2" "$1/root/var/tmp/agent.deb"
        chroot "$1/root" sh -eu -c '
            dpkg -i /var/tmp/agent.deb
            test -x /usr/bin/watchkeeper-agent && test -e /lib/systemd/system/watchkeeper-agent.service
            watchkeeper-agent --version
            echo token | watchkeeper-agent install --root / --server wk.example --ca-fingerprint 00 --token-file -
            test -L /etc/systemd/system/multi-user.target.wants/watchkeeper-agent.service
            dpkg -i /var/tmp/agent.deb
            test -e /etc/watchkeeper/agent.toml
            dpkg -r watchkeeper-agent
            test ! -e /usr/bin/watchkeeper-agent && test -e /etc/watchkeeper/agent.toml
            dpkg -P watchkeeper-agent
            test ! -e /etc/watchkeeper/agent.toml && test ! -e /var/lib/watchkeeper-agent
            mkdir -p /etc/watchkeeper && touch /etc/watchkeeper/server.toml
            if dpkg -i /var/tmp/agent.deb; then echo "it was not refused"; exit 9; fi
            WATCHKEEPER_BESIDE_SERVER=1 dpkg -i /var/tmp/agent.deb
            echo all of it
        '
    """
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", script, "sh", tmp_path, package], capture_output=True, text=True, timeout=300)
    if "overlay" in done.stderr and "mount" in done.stderr and "unknown filesystem" in done.stderr:
        pytest.skip(f"this kernel has no overlay file system: {done.stderr}")
    assert done.returncode == 0 and done.stdout.rstrip().endswith("all of it"), done.stdout + done.stderr
    assert "a management server or gateway is installed here (/etc/watchkeeper/server.toml)" in done.stderr
