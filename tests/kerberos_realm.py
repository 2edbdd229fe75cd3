"""A Kerberos realm of a test's own: the key distribution center of MIT Kerberos on a free port, and a process that accepts
tickets for a service with MIT's library, as web servers do."""

import base64
import glob
import os
import secrets
import socket
import subprocess
import threading

from conftest import wait_until

# runs with the system's Python, whose package python3-gssapi is MIT's library
ACCEPT = """
import base64, sys, gssapi
from gssapi.raw.chan_bindings import ChannelBindings
for line in sys.stdin:
    token, binding = (base64.b64decode(part) for part in line.split())
    try:
        context = gssapi.SecurityContext(usage="accept", creds=gssapi.Credentials(usage="accept"),
                                         channel_bindings=ChannelBindings(application_data=binding))
        context.step(token)
        print("yes", context.initiator_name, flush=True)
    except Exception as error:
        print("no", " ".join(str(error).split()), flush=True)
"""


class Realm:
    def __init__(self, folder, name="CONTOSO.TEST", service="HTTP/localhost"):
        self.name, self.folder, self.lock, self.said = name, folder, threading.Lock(), None
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "krb5.conf").write_text(
            f"[libdefaults]\ndefault_realm = {name}\ndns_lookup_kdc = false\ndns_lookup_realm = false\nrdns = false\n"
            f"dns_canonicalize_hostname = false\n[logging]\nkdc = FILE:{folder}/kdc.log\n")
        self.listen("")
        self.environment = {
            **os.environ, "KRB5_CONFIG": str(folder / "krb5.conf"), "KRB5_KDC_PROFILE": str(folder / "kdc.conf"),
            "KRB5_KTNAME": str(folder / "keytab"), "KRB5RCACHEDIR": str(folder)}
        self.run("kdb5_util", "create", "-s", "-r", name, "-P", secrets.token_hex(8))
        self.admin(f"addprinc -randkey {service}")
        self.admin(f"ktadd -k {folder}/keytab {service}")
        self.server = None
        self.start()
        self.acceptor = subprocess.Popen(["/usr/bin/python3", "-c", ACCEPT], env=self.environment, text=True,
                                         stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def listen(self, place):
        (self.folder / "kdc.conf").write_text(
            f"[kdcdefaults]\nkdc_listen = \"\"\nkdc_tcp_listen = \"{place}\"\n[realms]\n{self.name} = {{\n"
            f"database_name = {self.folder}/principal\nkey_stash_file = {self.folder}/stash\nmax_life = 1h\n}}\n")

    def start(self, clock=None):
        """Starts the key distribution center on a free port; its clock can be another one, for instance "+1h"."""
        shifted = {"LD_PRELOAD": glob.glob("/usr/lib/*/faketime/libfaketime.so.1")[0], "FAKETIME": clock} if clock else {}

        def answers():
            if self.server is None or self.server.poll() is not None:
                # the port that was free may be another one's by now
                with socket.socket() as free:
                    free.bind(("127.0.0.1", 0))
                    self.kdc = f"127.0.0.1:{free.getsockname()[1]}"
                self.listen(self.kdc)
                self.server = subprocess.Popen(["/usr/sbin/krb5kdc", "-n", "-r", self.name], env={**self.environment, **shifted},
                                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            host, port = self.kdc.split(":")
            with socket.socket() as probe:
                return probe.connect_ex((host, int(port))) == 0 and self.server.poll() is None
        wait_until(answers, 30, "the key distribution center")

    def run(self, program, *arguments):
        ended = subprocess.run([f"/usr/sbin/{program}", *arguments], env=self.environment, capture_output=True, text=True, timeout=60)
        assert ended.returncode == 0, f"{program} {arguments}: {ended.stdout}{ended.stderr}"

    def admin(self, command):
        self.run("kadmin.local", "-r", self.name, "-q", command)

    def account(self, user, password, *, options="+requires_preauth"):
        self.admin(f"addprinc {options} -pw {password} {user}")

    def accept(self, token, binding):
        """Who a token proves to be; nothing where it does not."""
        with self.lock:
            self.acceptor.stdin.write(f"{base64.b64encode(token).decode()} {base64.b64encode(binding).decode()}\n")
            self.acceptor.stdin.flush()
            answer, _, self.said = self.acceptor.stdout.readline().strip().partition(" ")
        return self.said if answer == "yes" else None

    def stop(self):
        """Ends the key distribution center; nobody else is on its port before the next start."""
        if self.server is not None:
            self.server.terminate()
            self.server.wait()
            self.server = None

    def close(self):
        self.stop()
        self.acceptor.stdin.close()
        self.acceptor.wait()
        self.acceptor.stdout.close()
