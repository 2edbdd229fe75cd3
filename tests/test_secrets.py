"""The key of secrets at rest is replaced: on one server through a crash and by systemd's credentials, and on two servers
over one PostgreSQL."""

import json
import os
import shutil

from conftest import Product, wait_until
from test_failover import Serve, postgresql, second  # noqa: F401
from test_management_group import watchkeeper


def rows(server, *arguments):
    done = watchkeeper(server, *arguments, "--format", "json")
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    return answer if isinstance(answer, list) else [answer]


def add_account(server, name, secret):
    file = server.data.parent / "secret"
    file.write_text(secret)
    done = watchkeeper(server, "run-as", "accounts", "add", name, "--kind", "Basic", "--user", "me", "--secret-file", str(file))
    assert done.returncode == 0, done.stderr


def keys_of(server):
    return {one["key"] for one in rows(server, "secrets", "list")}


def files(folder):
    return sorted(path.name for path in folder.iterdir() if path.name.startswith("state.key"))


def still_reads_its_secrets(server, before):
    """What the ready file has from the store is what it was."""
    assert (server.ready["primary_key"], server.ready["client_secret"]) == (before["primary_key"], before["client_secret"])


def test_a_new_key_outlives_a_crash_and_comes_from_systemd_credentials(tmp_path):
    server = Product(tmp_path / "data").start()
    try:
        before, old = server.ready, (server.data / "state.key").read_bytes()
        add_account(server, "reporting", "very-secret-word")
        listed = watchkeeper(server, "secrets", "list").stdout
        assert "Run As account" in listed and "reporting" in listed and "very-secret-word" not in listed
        [first] = keys_of(server)

        [rotated] = rows(server, "secrets", "rotate")
        assert keys_of(server) == {rotated["key"]} != {first}
        assert {one["place"]: one["key"] for one in rows(server, "secrets", "keys")} == {"current": rotated["key"], "past": first}
        again = watchkeeper(server, "secrets", "rotate")
        assert again.returncode != 0 and "wait a minute" in again.stderr
        assert files(server.data) == ["state.key", "state.key.next"]
        server.kill()
        server.start()
        still_reads_its_secrets(server, before)
        assert files(server.data) == ["state.key"] and (server.data / "state.key").read_bytes() != old
        assert [one["place"] for one in rows(server, "secrets", "keys")] == ["current"]

        # the credential has another key: it takes over with the next rotation, and the file goes
        assert server.stop() == 0
        given = tmp_path / "credentials"
        given.mkdir()
        (given / "state.key").write_bytes(os.urandom(32))
        (given / "state.key").chmod(0o400)
        server.environment = {"CREDENTIALS_DIRECTORY": str(given)}
        server.start()
        still_reads_its_secrets(server, before)
        [credential] = rows(server, "secrets", "rotate")
        assert server.stop() == 0
        server.start()
        still_reads_its_secrets(server, before)
        assert keys_of(server) == {credential["key"]} and files(server.data) == []
        refused = watchkeeper(server, "secrets", "rotate")
        assert refused.returncode != 0 and "state.key.next" in refused.stderr

        # without it, it says what is missing
        assert server.stop() == 0
        server.environment = {}
        log = server.log_file.stat().st_size
        try:
            server.start()
            raise SystemError("it started without the key of its secrets")
        except AssertionError as error:
            assert credential["key"] in str(error) and "restore it from the backup" in str(error), server.log_file.read_text()[log:]
    finally:
        if server.process.poll() is None:
            server.stop()


def test_what_ends_soon_is_an_alert_that_closes_by_itself(tmp_path):
    server = Product(tmp_path / "data", environment={"WATCHKEEPER_CERTIFICATES__EXPIRY_SECONDS": "1"}).start()
    try:
        def principal(name, days):
            made = watchkeeper(server, "workspace", "principals", "add", name, "--days", str(days))
            assert made.returncode == 0, made.stderr
            return json.loads(made.stdout)["clientId"]

        def alerts(state="open"):
            return {one["name"]: one for one in rows(server, "alerts", "--state", state) if " service principal " in one["name"]}

        def named(found, name):
            return [one for title, one in found.items() if name in title]

        principal("later", 100)
        soon, now = principal("soon", 20), principal("now", 2)
        wait_until(lambda: len(alerts()) == 2, 30, "both are warned of")
        assert [one["severity"] for one in named(alerts(), "soon")] == ["Information"]
        [critical] = named(alerts(), "now")
        assert critical["severity"] == "Error"
        listed = rows(server, "secrets", "expiring")
        assert [(one["severity"], one["daysLeft"]) for one in listed] == [("Critical", 1), ("Informational", 19)]
        kinds = {one["kind"] for one in rows(server, "secrets", "expiring", "--all")}
        assert {"secret of the service principal", "certificate of APIs and console", "authority of the management group"} <= kinds

        for client_id in (soon, now):
            assert watchkeeper(server, "workspace", "principals", "remove", client_id).returncode == 0
        wait_until(lambda: not alerts(), 30, "the alerts are closed")
        assert len(alerts("all")) == 2
        table = wait_until(lambda: server.query_or_none("Alert | where AlertName has 'service principal' | summarize arg_max(TimeGenerated, *) by AlertId"), 30, "rows")
        assert len(table) == 2
    finally:
        server.stop()


def test_every_server_of_a_group_gets_the_new_key(postgresql, tmp_path):  # noqa: F811
    one = Serve(tmp_path / "one", postgresql).start()
    two = second(one, tmp_path / "two", postgresql)
    (tmp_path / "away").mkdir()
    shutil.copy(one.data / "state.key", tmp_path / "away" / "state.key")
    try:
        old = (one.data / "state.key").read_bytes()
        add_account(one, "reporting", "very-secret-word")
        wait_until(lambda: sum(server["alive"] for server in rows(one, "servers")) == 2, 30, "both are alive")
        [rotated] = rows(one, "secrets", "rotate")
        for server in (one, two):
            assert keys_of(server) == {rotated["key"]}
            assert rotated["key"] in {key["key"] for key in rows(server, "secrets", "keys")}
        add_account(two, "another", "secret-of-two")
        wait_until(lambda: all(files(server.data) == ["state.key"] for server in (one, two)), 90, "the old key is gone")
        new = (one.data / "state.key").read_bytes()
        assert new == (two.data / "state.key").read_bytes() != old
        assert keys_of(one) == {rotated["key"]}

        # one that was away is told which file it needs
        away = Serve(tmp_path / "third", postgresql)
        shutil.copy(tmp_path / "away" / "state.key", away.data / "state.key")
        try:
            away.start()
            raise SystemError("it started with the old key")
        except AssertionError as error:
            assert "copy state.key from the data folder of another server" in str(error)
    finally:
        codes = [server.stop(seconds=60) for server in (one, two)]
    assert codes == [0, 0], one.log_tail() + two.log_tail()
