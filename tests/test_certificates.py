"""Certificates of a company's own authority: what is checked before one is used, and an agent that joins with one."""

import json
import stat
import subprocess

import pytest

from company_authority import Authority
from conftest import BINARIES, product_environment

NAME = "web01.example.com"


@pytest.fixture(scope="module")
def company(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("company") / "ca")


def cert(*arguments):
    return subprocess.run([BINARIES / "watchkeeper", "cert", *map(str, arguments)], env=product_environment(),
                          capture_output=True, text=True, timeout=60)


def make_request(folder, *arguments):
    made = cert("request", "--folder", folder, "--name", NAME, *arguments)
    assert made.returncode == 0, made.stderr
    return made.stdout


def import_it(folder, file, company, *arguments):
    return cert("import", "--folder", folder, "--name", NAME, "--authority", company.root, *arguments, file)


def test_a_request_is_signed_imported_and_shown(company, tmp_path):
    request = make_request(tmp_path, "--also", "web01")
    text = Authority.openssl("req", "-in", tmp_path / "agent-request.csr", "-noout", "-text", "-verify")
    assert f"CN = {NAME}" in text and f"DNS:{NAME}, DNS:web01" in text
    assert "TLS Web Server Authentication, TLS Web Client Authentication" in text
    key = tmp_path / "agent-request.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600 and "PRIVATE KEY" not in request

    file = company.sign(request, NAME)
    done = import_it(tmp_path, file, company)
    assert done.returncode == 0, done.stderr
    assert "PRIVATE KEY" not in done.stdout + done.stderr and not key.exists()
    assert stat.S_IMODE((tmp_path / "agent.key").stat().st_mode) == 0o600

    shown = json.loads(cert("show", "--folder", tmp_path, "--format", "json").stdout)
    assert shown["subject"] == f"CN={NAME}" and shown["names"] == NAME and "Example Issuing" in shown["issuer"]
    thumbprint = Authority.openssl("x509", "-in", file, "-noout", "-fingerprint", "-sha1").split("=")[1].strip()
    assert shown["thumbprint"] == thumbprint.replace(":", "").lower()
    serial = Authority.openssl("x509", "-in", file, "-noout", "-serial").split("=")[1].strip().lower()
    assert shown["serial"] == serial
    assert shown["reversedSerial"] == bytes.fromhex(serial)[::-1].hex()
    assert shown["daysLeft"] in ("29", "30") and shown["origin"] == "imported"
    table = cert("show", "--folder", tmp_path)
    assert "reversedSerial" in table.stdout and thumbprint.replace(":", "").lower() in table.stdout

    # the next one: the same names, a new key, and the present certificate stays until it is there
    renewal = cert("renew", "--folder", tmp_path)
    assert renewal.returncode == 0 and renewal.stdout != request, renewal.stderr
    assert json.loads(cert("show", "--folder", tmp_path, "--format", "json").stdout)["serial"] == serial
    assert import_it(tmp_path, company.sign(renewal.stdout, NAME), company).returncode == 0
    assert json.loads(cert("show", "--folder", tmp_path, "--format", "json").stdout)["serial"] != serial


@pytest.mark.parametrize("legacy", [False, True])
def test_a_pfx_file_is_imported_with_its_key_and_chain(company, tmp_path, legacy):
    key = tmp_path / "own.key"
    Authority.openssl("genrsa", "-out", key, "2048")
    request = make_request(tmp_path / "made", "--key", key)
    file, pfx, password = company.sign(request, NAME), tmp_path / "web01.pfx", tmp_path / "password"
    password.write_text("s3cret-of-pfx\n")
    kind = ["-certpbe", "PBE-SHA1-3DES", "-keypbe", "PBE-SHA1-3DES", "-macalg", "sha1"] if legacy else []
    Authority.openssl("pkcs12", "-export", "-in", file, "-inkey", key, "-certfile", company.issuing, *kind,
                      "-passout", "file:" + str(password), "-out", pfx)
    folder = tmp_path / "other-machine"
    locked = import_it(folder, pfx, company)
    assert locked.returncode == 1 and "--password-file" in locked.stderr and not (folder / "agent.pem").exists()
    done = import_it(folder, pfx, company, "--password-file", password)
    assert done.returncode == 0 and "s3cret" not in done.stdout + done.stderr, done.stderr
    chain = (folder / "agent.pem").read_text()
    assert chain.count("BEGIN CERTIFICATE") == 2, "the machine's and the issuing authority's"
    assert (folder / "agent.key").read_text().startswith("-----BEGIN PRIVATE KEY-----")


def refused(folder, file, company, *arguments):
    done = import_it(folder, file, company, *arguments)
    assert done.returncode == 1, done.stdout
    assert not (folder / "agent.pem").exists() and not (folder / "agent.key").exists()
    return done.stderr


@pytest.mark.parametrize(("how", "found"), [
    ({"days": "-1"}, "has expired"),
    ({"uses": "serverAuth"}, "not for client authentication (1.3.6.1.5.5.7.3.2)"),
    ({"uses": "clientAuth"}, "not for server authentication (1.3.6.1.5.5.7.3.1)"),
    ({"uses": None}, "names no extended key usage"),
    ({"key_usage": "keyEncipherment"}, "not for digital signatures"),
    ({"names": ["db01.example.com"]}, "its names are db01.example.com"),
    ({"names": []}, "no subject alternative name"),
    ({"names": ["*.example.com", NAME]}, "for all machines of a domain"),
    ({"chain": False}, "the chain is not complete"),
    ({"digest": "sha1"}, "SHA-1"),
])
def test_what_is_wrong_is_said_and_nothing_is_imported(company, tmp_path, how, found):
    file = company.sign(make_request(tmp_path), NAME, **how)
    assert found in refused(tmp_path, file, company)


def test_all_that_is_wrong_is_said_at_once(company, tmp_path):
    other = cert("request", "--folder", tmp_path, "--name", "db01.example.com").stdout
    file = company.sign(other, "db01.example.com", uses="clientAuth", days="-1", chain=False)
    said = refused(tmp_path, file, company)
    for part in ("this machine is web01.example.com", "server authentication", "has expired", "the chain is not complete"):
        assert part in said, said
    assert "5 things are wrong" in said, said


def test_a_weak_key_and_a_key_of_another_are_refused(company, tmp_path):
    weak = tmp_path / "weak.key"
    Authority.openssl("genrsa", "-out", weak, "1024")
    Authority.openssl("req", "-new", "-key", weak, "-subj", f"/CN={NAME}", "-out", tmp_path / "weak.csr")
    file = company.sign((tmp_path / "weak.csr").read_text(), NAME)
    said = refused(tmp_path / "identity", file, company, "--key", weak)
    assert "its key is RSA 1024" in said and "make a new key" in said, said

    file = company.sign(make_request(tmp_path / "one"), NAME)
    make_request(tmp_path / "two")
    assert "the private key does not belong to it" in refused(tmp_path / "two", file, company)
    assert "there is no private key" in refused(tmp_path / "three", file, company)


def test_who_is_not_trusted_and_what_was_revoked_is_refused(company, tmp_path):
    stranger = Authority(tmp_path / "stranger", "Stranger")
    file = stranger.sign(make_request(tmp_path / "a"), NAME)
    file.write_text(file.read_text() + stranger.root.read_text())
    said = refused(tmp_path / "a", file, company)
    assert "CN=Stranger Root" in said and "is not trusted here" in said, said
    # an authority of the same name is not the same authority
    double = Authority(tmp_path / "double", "Example")
    said = refused(tmp_path / "b", double.sign(make_request(tmp_path / "b"), NAME), company)
    assert "does not hold" in said, said

    file = company.sign(make_request(tmp_path / "c"), NAME)
    revoked = company.revocation_list(file)
    said = refused(tmp_path / "c", file, company, "--crl", revoked)
    assert "was revoked by its authority on" in said, said
    good = company.sign(make_request(tmp_path / "d"), NAME)
    assert import_it(tmp_path / "d", good, company, "--crl", revoked).returncode == 0
