"""Certificates of a company's own authority: what is checked before one is used, and an agent that joins with one."""

import contextlib
import functools
import http.server
import json
import re
import stat
import subprocess
import threading

import pytest

from company_authority import Authority
from conftest import BINARIES, product_environment, wait_until
from test_management_group import get, watchkeeper

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


@contextlib.contextmanager
def published(folder):
    """The files of a folder at an address, as authorities publish their lists."""
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=folder)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


class Machine:
    """An agent with a certificate of the company."""

    def __init__(self, product, folder, computer=NAME, server=None):
        folder.mkdir(parents=True)
        self.folder, self.process, self.log = folder, None, folder / "agent.log"
        self.config = folder / "agent.toml"
        self.config.write_text(
            f'servers = ["{server or product.ready["agent_endpoint"]}"]\ndata = "{folder}/data"\ncomputer = "{computer}"\n'
            f'ca_file = "{product.ready["ca_file"]}"\n[collect.performance]\nenabled = false\n[collect.syslog]\n'
            "enabled = false\n[collect.inventory]\nenabled = false\n")

    def cert(self, *arguments):
        what, *others = arguments
        done = subprocess.run([BINARIES / "watchkeeper-agent", "cert", what, "--config", self.config, *map(str, others)],
                              env=product_environment(), capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def certify(self, company, name=NAME):
        self.signed = company.sign(self.cert("request", "--name", name), name)
        self.cert("import", "--name", name, "--authority", company.root, self.signed)
        return next(line.split()[1] for line in self.cert("show").splitlines() if line.startswith("serial"))

    def run(self):
        with self.log.open("ab") as log:
            self.process = subprocess.Popen([BINARIES / "watchkeeper-agent", "run", "--config", self.config],
                                            env=product_environment(), stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def end(self):
        if self.process:
            self.process.kill()
            self.process.wait()


@pytest.fixture
def running(own_product):
    own_product.start()
    return own_product


@pytest.fixture
def machine(running, tmp_path):
    made = []

    def make(folder, computer=NAME, server=None):
        made.append(Machine(running, tmp_path / folder, computer, server))
        return made[-1]

    yield make
    for one in made:
        one.end()


def agents(product, computer=NAME):
    return [agent for agent in get(product, "/api/agents") if agent["computer"] == computer]


def audit(product, action):
    return product.query_or_none(f"Audit | where Action == '{action}'")


def test_an_agent_joins_with_a_company_certificate_and_is_revoked(own_product, machine, company):
    web = machine("web01")
    serial = web.certify(company)
    assert watchkeeper(own_product, "agents", "approval", "pending").returncode == 0
    trusted = watchkeeper(own_product, "cert", "trust", str(company.root))
    assert trusted.returncode == 0, trusted.stderr
    web.run()
    [waiting] = wait_until(lambda: agents(own_product), 60, "the agent waits for approval")
    assert waiting["status"] == "pending" and not waiting["connected"]
    assert watchkeeper(own_product, "agents", "approve", NAME).returncode == 0
    wait_until(lambda: agents(own_product)[0]["connected"], 90, "the agent is connected")
    wait_until(lambda: own_product.query_or_none(f"Heartbeat | where Computer == '{NAME}' | take 1"), 60, "its heartbeat")
    shown = json.loads(watchkeeper(own_product, "cert", "list", "--format", "json").stdout)
    [mine] = [one for one in shown if one["computer"] == NAME]
    assert mine["serial"] == serial and mine["origin"] == "company" and not mine["revoked"], mine
    assert "Example Root" in watchkeeper(own_product, "cert", "authorities").stdout
    told = watchkeeper(own_product, "cert", "renew", NAME)
    assert told.returncode == 1 and "cert renew" in told.stderr, told.stdout

    revoked = watchkeeper(own_product, "cert", "revoke", NAME, "--reason", "the machine was stolen", "--format", "json")
    assert revoked.returncode == 0, revoked.stderr
    assert json.loads(revoked.stdout)["sessionsEnded"] == 1
    wait_until(lambda: not agents(own_product)[0]["connected"], 30, "its session ends")
    assert "the machine was stolen" in watchkeeper(own_product, "cert", "revoked").stdout
    [row] = wait_until(lambda: audit(own_product, "revoke certificate"), 60, "the row of Audit")
    assert row["Reason"] == "the machine was stolen" and serial in row["Target"]
    # a new connection is refused in the handshake
    web.end()
    web.run()
    wait_until(lambda: "revoked" in web.log.read_text().lower(), 60, "the refusal")
    assert not agents(own_product)[0]["connected"]

    # the machine's next certificate is the same machine: no approval, no second agent
    web.end()
    assert web.certify(company) != serial
    web.run()
    wait_until(lambda: agents(own_product)[0]["connected"], 90, "the agent is back with another certificate")
    assert [agent["id"] for agent in agents(own_product)] == [waiting["id"]]

    distrusted = watchkeeper(own_product, "cert", "distrust", mine["issuer"])
    assert distrusted.returncode == 1, "the issuing authority is not the one that is trusted"
    fingerprint = json.loads(watchkeeper(own_product, "cert", "authorities", "--format", "json").stdout)[0]["fingerprint"]
    assert watchkeeper(own_product, "cert", "distrust", fingerprint).returncode == 0
    wait_until(lambda: not agents(own_product)[0]["connected"], 30, "its session ends with the trust")


def test_who_is_on_the_list_of_its_authority_is_refused(own_product, machine, company, tmp_path):
    own_product.stop()
    own_product.environment = {"WATCHKEEPER_CERTIFICATES__LIST_SECONDS": "1"}
    own_product.start()
    lists = lambda *arguments: watchkeeper(own_product, "cert", "lists", *map(str, arguments))
    connected = lambda: [agent["connected"] for agent in agents(own_product)]
    own = Authority(tmp_path / "own")
    early = tmp_path / "early.crl"
    early.write_bytes(own.revocation_list().read_bytes())
    assert watchkeeper(own_product, "cert", "trust", str(own.root)).returncode == 0
    web = machine("web01")
    serial = web.certify(own)
    web.run()
    wait_until(lambda: connected() == [True], 90, "the agent is connected")

    said = lists("add", early)
    assert said.returncode == 1 and "Example Issuing" in said.stderr and "--issuer" in said.stderr, said
    stranger = Authority(tmp_path / "stranger")
    said = lists("add", stranger.revocation_list(), "--issuer", stranger.issuing)
    assert said.returncode == 1 and "no chain of signatures" in said.stderr, "an authority of the same name is not the same"
    said = lists("add", own.root)
    assert said.returncode == 1 and "not a list of revoked certificates" in said.stderr, said
    assert lists("add", early, "--issuer", own.issuing).returncode == 0
    assert connected() == [True], "it is on no list"

    # a newer list in a file
    added = lists("add", own.revocation_list(web.signed), "--issuer", own.issuing, "--format", "json")
    assert added.returncode == 0, added.stderr
    assert (json.loads(added.stdout)["certificates"], json.loads(added.stdout)["sessionsEnded"]) == (1, 1)
    wait_until(lambda: connected() == [False], 30, "its session ends")
    web.end()
    web.run()
    wait_until(lambda: "revoked" in web.log.read_text().lower(), 60, "the refusal")
    [mine] = [one for one in json.loads(watchkeeper(own_product, "cert", "list", "--format", "json").stdout) if one["computer"] == NAME]
    assert (mine["serial"], mine["revoked"]) == (serial, True)
    said = lists("add", early, "--issuer", own.issuing)
    assert said.returncode == 1 and "older than the one that is here" in said.stderr, "an old list brings nobody back"
    web.end()
    web.certify(own)
    web.run()
    wait_until(lambda: connected() == [True], 90, "another certificate of the same machine")

    # the next list is fetched by itself
    with published(own.folder) as address:
        assert lists("add", f"{address}/none.crl").returncode == 1
        assert lists("add", f"{address}/issuing.crl", "--issuer", own.issuing).returncode == 0
        own.revocation_list(web.signed)
        wait_until(lambda: connected() == [False], 60, "the session ends with the list")
        row = wait_until(lambda: audit(own_product, "update revocation list"), 60, "the row of Audit")[0]
        assert row["Target"].endswith("CN=Example Issuing") and row["Reason"] == f"{address}/issuing.crl", row
    # while the address does not answer, what it had holds
    failing = lambda: [one for one in json.loads(lists("--format", "json").stdout) if "cannot reach" in one["problem"]]
    [failed] = wait_until(failing, 30, "what is the matter with the list")
    assert failed["certificates"] == 2 and connected() == [False]
    assert lists("refresh", failed["url"]).returncode == 1
    for one in json.loads(lists("--format", "json").stdout):
        assert lists("remove", one["id"]).returncode == 0
    assert lists("--format", "json").stdout.strip() == "[]"
    # one that is refused asks again after two minutes at most; a start asks at once
    web.end()
    web.run()
    wait_until(lambda: connected() == [True], 90, "nobody speaks against it any more")


@pytest.fixture
def gateway(running, tmp_path):
    """An approved gateway on this machine; its address and its log."""
    made = json.loads(watchkeeper(running, "tokens", "create", "--uses", "1", "--format", "json").stdout)
    made = made[0] if isinstance(made, list) else made
    (tmp_path / "gateway-token").write_text(made["token"])
    config, log = tmp_path / "gateway.toml", tmp_path / "gateway.log"
    config.write_text(
        f'server = "{running.ready["agent_endpoint"]}"\nnames = ["127.0.0.9"]\nlisten = "127.0.0.9:0"\n'
        f'data = "{tmp_path / "gateway"}"\nca_file = "{running.ready["ca_file"]}"\n'
        f'token_file = "{tmp_path / "gateway-token"}"\n')
    with log.open("wb") as out:
        process = subprocess.Popen([BINARIES / "watchkeeper", "gateway", "--config", config], env=product_environment(),
                                   stdin=subprocess.DEVNULL, stdout=out, stderr=out)
    try:
        [waiting] = wait_until(lambda: get(running, "/api/gateways"), 60, "the gateway waits for approval")
        assert watchkeeper(running, "gateways", "approve", waiting["id"]).returncode == 0
        found = wait_until(lambda: re.search(r"gateway listens for agents.*address=(127\.0\.0\.9:\d+)", plain(log)), 60,
                           "the gateway listens")
        yield found[1], log
    finally:
        process.kill()
        process.wait()


def plain(log):
    return re.sub("\x1b\\[[0-9;]*m", "", log.read_text())


def test_an_agent_with_a_company_certificate_comes_through_a_gateway_and_is_revoked(own_product, gateway, machine, company):
    address, log = gateway
    behind = machine("behind", server=address)
    behind.certify(company)
    file = behind.signed
    behind.run()
    # nobody trusts the company yet: the handshake with the gateway fails
    wait_until(lambda: "UnknownIssuer" in log.read_text(), 60, "the refusal")
    assert not agents(own_product)
    assert watchkeeper(own_product, "cert", "trust", str(company.root)).returncode == 0
    wait_until(lambda: agents(own_product) and agents(own_product)[0]["connected"], 120, "the agent is connected")
    wait_until(lambda: own_product.query_or_none(f"Heartbeat | where Computer == '{NAME}' | take 1"), 60, "its heartbeat")
    [listed] = get(own_product, "/api/gateways")
    assert listed["behind"] == [NAME], listed
    # the gateway follows the lists that the server has
    listed = watchkeeper(own_product, "cert", "lists", "add", company.revocation_list(file), "--issuer", company.issuing)
    assert listed.returncode == 0, listed.stderr
    wait_until(lambda: not agents(own_product)[0]["connected"], 60, "its session with the gateway ends")
    wait_until(lambda: "was revoked" in behind.log.read_text(), 60, "the reason")


def test_a_certificate_of_another_name_is_refused_and_written_down(own_product, machine, company):
    assert watchkeeper(own_product, "cert", "trust", str(company.root)).returncode == 0
    thief = machine("thief", "db01.example.com")
    thief.certify(company)
    thief.run()
    [row] = wait_until(lambda: audit(own_product, "agent gives another name"), 90, "the row of Audit")
    assert row["Result"] == "Refused" and NAME in row["Reason"] and "db01.example.com" in row["Reason"], row
    assert not agents(own_product) and not agents(own_product, "db01.example.com")
    not_an_authority = watchkeeper(own_product, "cert", "trust", str(thief.folder / "data/identity/agent.pem"))
    assert not_an_authority.returncode == 1 and "certificates in it" in not_an_authority.stderr
