"""Real syslog senders against the running product."""

import shutil
import socket
import ssl
import subprocess
import uuid

import pytest

from conftest import wait_until


def rows(product, marker, count):
    """The rows whose message holds the marker, once there are so many."""
    query = f"Syslog | where SyslogMessage has '{marker}' | sort by SyslogMessage asc"
    return wait_until(lambda: (found := product.query(query)) and len(found) >= count and found, 30, f"{count} rows with {marker}")


@pytest.mark.skipif(not shutil.which("logger"), reason="logger (bsdutils) is not installed")
@pytest.mark.parametrize("transport", ["--udp", "--tcp", "--tcp --octet-count"])
@pytest.mark.parametrize("dialect", ["--rfc5424", "--rfc3164"])
def test_messages_of_logger_are_stored(product, transport, dialect):
    marker = uuid.uuid4().hex
    address = product.ready["syslog_udp" if transport == "--udp" else "syslog_tcp"]
    host, port = address.rsplit(":", 1)
    subprocess.run(
        ["logger", "--server", host, "--port", port, *transport.split(), dialect, "--priority", "local3.warning",
         "--tag", "backup", "--id=4711", f"{marker} disk is full: 99 %"],
        check=True, timeout=20)
    [row] = rows(product, marker, 1)
    assert (row["Facility"], row["SeverityLevel"], row["ProcessName"], row["ProcessID"]) == ("local3", "warning", "backup", 4711)
    assert row["SyslogMessage"] == f"{marker} disk is full: 99 %"
    name = socket.gethostname()
    assert row["Computer"].split(".")[0] == name.split(".")[0] and row["HostIP"] == "127.0.0.1"
    assert row["CollectorHostName"] == name and row["EventTime"] and row["Type"] == "Syslog"


def test_messages_over_tls_are_stored(product):
    marker = uuid.uuid4().hex
    host, port = product.ready["syslog_tls"].rsplit(":", 1)
    context = ssl.create_default_context(cafile=product.ready["ca_file"])
    lines = [f"<14>1 2026-01-02T03:04:05.678Z web{n} app {n} - - {marker} {n}" for n in range(3)]
    with socket.create_connection((host, int(port)), 10) as plain, context.wrap_socket(plain, server_hostname=host) as stream:
        stream.sendall("".join(f"{len(line)} {line}" for line in lines).encode())
    found = rows(product, marker, 3)
    assert [(row["Computer"], row["ProcessID"]) for row in found] == [(f"web{n}", n) for n in range(3)]
    assert all(row["EventTime"].startswith("2026-01-02T03:04:05.678") for row in found)


def test_every_message_of_a_fast_sender_is_stored(product):
    marker = uuid.uuid4().hex
    host, port = product.ready["syslog_tcp"].rsplit(":", 1)
    count = 20_000
    with socket.create_connection((host, int(port)), 10) as stream:
        stream.sendall("".join(f"<14>1 - fast app - - - {marker} {n}\n" for n in range(count)).encode())
    query = f"Syslog | where SyslogMessage has '{marker}' | summarize Rows = count(), Numbers = dcount(SyslogMessage, 4)"
    wait_until(lambda: product.query(query)[0]["Rows"] == count, 60, f"{count} messages")


def test_what_is_no_syslog_message_is_kept_as_text(product):
    marker = uuid.uuid4().hex
    host, port = product.ready["syslog_udp"].rsplit(":", 1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for text in (f"{marker} a", f"<999>{marker} b", f"<13>1 not 5424 {marker} c"):
            sender.sendto(text.encode() + b"\xff", (host, int(port)))
    assert len(rows(product, marker, 3)) == 3


@pytest.mark.skipif(not shutil.which("rsyslogd"), reason="rsyslog is not installed")
def test_rsyslog_forwards(product, tmp_path):
    marker = uuid.uuid4().hex
    host, port = product.ready["syslog_tcp"].rsplit(":", 1)
    spool = tmp_path / "in.log"
    spool.write_text("")
    config = tmp_path / "rsyslog.conf"
    config.write_text(f"""
global(workDirectory="{tmp_path}")
module(load="imfile")
input(type="imfile" File="{spool}" Tag="spool:" Severity="info" Facility="local1")
action(type="omfwd" target="{host}" port="{port}" protocol="tcp" template="RSYSLOG_SyslogProtocol23Format" TCP_Framing="octet-counted")
""")
    daemon = subprocess.Popen(["rsyslogd", "-n", "-f", config, "-i", tmp_path / "pid"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        with spool.open("a") as file:
            file.write(f"{marker} from a file\n")
        [row] = rows(product, marker, 1)
        assert (row["Facility"], row["SeverityLevel"], row["ProcessName"]) == ("local1", "info", "spool")
    finally:
        daemon.terminate()
        daemon.wait(10)
