"""Groups of computers of a directory, over OpenLDAP's slapd (Debian package `slapd`; SLAPD names another one)."""

import os
import shutil
import socket
import subprocess
from pathlib import Path

import pytest

from conftest import wait_until
from test_configmgr import api, members

BASE = "dc=corp,dc=example"
ADMIN = f"cn=admin,{BASE}"
PATH = "/api/computer-group-directories"


class Directory:
    """An slapd of the test's own, with the entries that it is given."""

    def __init__(self, folder, program):
        root = Path(program).resolve().parent.parent.parent
        self.folder, self.program, self.process = Path(folder), program, None
        self.base, self.admin = BASE, ADMIN
        self.folder.mkdir()
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        certificate, key = self.folder / "ca.pem", self.folder / "key.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30",
                        "-keyout", key, "-out", certificate, "-subj", "/CN=directory", "-addext", "subjectAltName=IP:127.0.0.1",
                        "-addext", "basicConstraints=critical,CA:false"], check=True, capture_output=True)
        self.authority = certificate.read_text()
        (self.folder / "slapd.conf").write_text(
            f"include {root}/etc/ldap/schema/core.schema\ninclude {root}/etc/ldap/schema/cosine.schema\n"
            f"include {root}/etc/ldap/schema/inetorgperson.schema\nmodulepath {root}/usr/lib/ldap\n"
            f"moduleload back_mdb\npidfile {self.folder}/pid\nTLSCertificateFile {certificate}\nTLSCertificateKeyFile {key}\n"
            f"database mdb\nsuffix \"{BASE}\"\nrootdn \"{ADMIN}\"\nrootpw geheim\ndirectory {self.folder}/db\n")

    def start(self, computers, groups):
        entries = [f"dn: cn={name},{BASE}\nobjectClass: device\ncn: {name}" for name in computers]
        entries += [f"dn: cn={name},{BASE}\nobjectClass: groupOfNames\ncn: {name}" + "".join(f"\nmember: cn={one},{BASE}" for one in inside)
                    for name, inside in groups.items()]
        self.start_with(entries)

    def start_people(self, people, groups):
        """People by uid with their passwords, and groups of what is named by its own part of the distinguished name."""
        entries = [f"dn: uid={name},{BASE}\nobjectClass: inetOrgPerson\nuid: {name}\ncn: {name}\nsn: {name}\nmail: {name}@corp.example\n"
                   f"displayName: {name.title()} of the directory\nuserPassword: {password}" for name, password in people.items()]
        entries += [f"dn: cn={name},{BASE}\nobjectClass: groupOfNames\ncn: {name}" + "".join(f"\nmember: {one},{BASE}" for one in inside)
                    for name, inside in groups.items()]
        self.start_with(entries)

    def start_with(self, more):
        entries = [f"dn: {BASE}\nobjectClass: dcObject\nobjectClass: organization\no: Corp\ndc: corp"]
        entries += more
        shutil.rmtree(self.folder / "db", ignore_errors=True)
        (self.folder / "db").mkdir()
        (self.folder / "all.ldif").write_text("\n\n".join(entries) + "\n")
        configuration = ["-f", self.folder / "slapd.conf"]
        subprocess.run([self.program, "-T", "add", *configuration, "-l", self.folder / "all.ldif"], check=True, capture_output=True)
        self.process = subprocess.Popen([self.program, "-d", "0", *configuration, "-h", f"ldaps://127.0.0.1:{self.port}/"],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(lambda: socket.create_connection(("127.0.0.1", self.port)).close() is None, 30, "slapd")

    def stop(self):
        if self.process:
            self.process.terminate()
            self.process.wait(30)
            self.process = None


@pytest.fixture
def directory(tmp_path):
    program = os.environ.get("SLAPD") or shutil.which("slapd", path=f"{os.environ['PATH']}:/usr/sbin")
    if not program:
        pytest.skip("no slapd: install Debian's package slapd, or name one in SLAPD")
    running = Directory(tmp_path / "directory", program)
    yield running
    running.stop()


def test_groups_of_a_directory_become_computer_groups_and_are_followed(own_product, directory):
    """Computers of nested groups, in pages; what is wrong is said; a directory that is away leaves the groups as they were."""
    own_product.start()
    names = [f"pc{number:04}" for number in range(1200)]
    directory.start(names, {"All": names, "Servers": names[:3], "Outer": ["Servers", names[5]], "People": ["nobody"]})
    body = {"name": "corp", "url": f"ldaps://127.0.0.1:{directory.port}", "base": BASE, "bindName": ADMIN, "password": "geheim",
            "trusted": directory.authority}
    for wrong, said in [({"password": "wrong"}, "does not take name and password"), ({"trusted": ""}, "cannot be reached"),
                        ({"base": "dc=other"}, "refuses"), ({"computerFilter": "(cn=x)"}, "no computer"), ({"url": "http://x"}, "ldaps://")]:
        answer = api(own_product, "POST", PATH, {**body, **wrong}, status=400)
        assert answer["error"]["code"] == "Directory" and said in answer["error"]["message"] and "geheim" not in str(answer), (wrong, answer)
    assert "password" not in api(own_product, "POST", PATH, body, status=201)

    def groups():
        return {one["name"]: one for one in api(own_product, "GET", "/api/computer-groups") if one["source"] == "ActiveDirectory"}
    found = wait_until(lambda: len(groups()) == 3 and groups(), 40, "the groups of the directory")
    assert {name: one["members"] for name, one in found.items()} == {"All": 1200, "Servers": 3, "Outer": 4}
    assert members(own_product, found["Outer"]["id"]) == [*names[:3], names[5]]
    row = wait_until(lambda: own_product.query_or_none('ComputerGroup | where Group == "Servers" | take 1'), 40, "rows")[0]
    assert (row["GroupSource"], row["GroupSourceName"], row["GroupFullName"]) == ("ActiveDirectory", "corp.example", "ActiveDirectory\\corp.example\\Servers")

    assert api(own_product, "POST", f"{PATH}/corp/test") == {"groups": 3}
    last = api(own_product, "GET", PATH)[0]["lastRun"]
    kept = {name: value for name, value in body.items() if name != "password"}
    refused = api(own_product, "PUT", f"{PATH}/corp", {**kept, "url": "ldaps://localhost:1"}, status=400)
    assert "again" in refused["error"]["message"], "the password goes nowhere else than it was given for"
    assert api(own_product, "PUT", f"{PATH}/corp", {**kept, "hours": 8})["hours"] == 8
    wait_until(lambda: api(own_product, "GET", PATH)[0]["lastRun"] != last, 40, "the import after the change")

    def run():
        last = api(own_product, "GET", PATH)[0]["lastRun"]
        api(own_product, "POST", f"{PATH}/corp/run", status=202)
        return wait_until(lambda: (lambda one: one["lastRun"] != last and one)(api(own_product, "GET", PATH)[0]), 40, "the import's end")
    directory.stop()
    assert "cannot be reached" in run()["problem"] and set(groups()) == set(found)
    directory.start(names[:10], {"Servers": names[:2], "New": names[:1]})
    assert run()["problem"] is None
    assert {name: one["members"] for name, one in groups().items()} == {"Servers": 2, "New": 1}
    assert groups()["Servers"]["id"] == found["Servers"]["id"]
    api(own_product, "DELETE", f"{PATH}/corp", status=204)
    assert groups() == {}
