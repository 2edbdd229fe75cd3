"""A real Request Tracker 5 (Debian's packages) of a test's own: SQLite, a free port, mail goes nowhere."""

import os
import shutil
import socket
import sqlite3
import subprocess
import time
from pathlib import Path

import pytest
import requests

from conftest import wait_until

SERVER = Path("/usr/share/request-tracker5/libexec/rt-server")
SETUP = "rt-setup-database-5"
PASSWORD = "Wachtwoord-1"
# what an administrator prepares: a queue of changes, fields, and users for the connection
DATA = r"""
@Queues = ({ Name => 'Changes' }, { Name => 'Hidden' }, { Name => 'Helpdesk' });
@CustomFields = map { { Name => $_, Type => 'FreeformSingle', LookupType => 'RT::Queue-RT::Ticket', Queue => ['General', 'Changes', 'Helpdesk'] } }
    ('Computer', 'Urgency', 'Impact', 'Category', 'Risk');
@Users = (
    { Name => 'integration', Password => 'Geheim-1!', Privileged => 1, Timezone => 'UTC' },
    { Name => 'elsewhere', Password => 'Geheim-1!', Privileged => 1, Timezone => 'Asia/Tokyo' },
    { Name => 'powerless', Password => 'Geheim-1!', Privileged => 1, Timezone => 'UTC' },
);
@ACL = map { my $user = $_; map { my $right = $_; map { +{ UserId => $user, Right => $right, Queue => $_ } } ('General', 'Changes', 'Helpdesk') }
    qw(SeeQueue ShowTicket CreateTicket ModifyTicket CommentOnTicket ShowTicketComments SeeCustomField ModifyCustomField) }
    ('integration', 'elsewhere');
1;
"""


class RequestTracker:
    def __init__(self, folder):
        if not SERVER.exists() or not shutil.which(SETUP):
            pytest.skip("Request Tracker 5 is not installed (scripts/setup.sh test installs its Debian packages)")
        self.folder = Path(folder)
        self.folder.mkdir(parents=True)
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        for name in ("var", "empty", "mason", "session", "log"):
            (self.folder / name).mkdir()
        site = self.folder / "RT_SiteConfig.pm"
        site.write_text(f"""
            Set($rtname, 'desk'); Set($Organization, 'desk.example'); Set($Timezone, 'Europe/Amsterdam');
            Set($WebDomain, '127.0.0.1'); Set($WebPort, {self.port}); Set($WebBaseURL, '{self.url}');
            Set($DatabaseType, 'SQLite'); Set($DatabaseName, '{self.folder}/rt.db');
            Set($MailCommand, 'testfile'); Set($LogToSyslog, undef); Set($LogToSTDERR, 'error');
            Set($MasonDataDir, '{self.folder}/mason'); Set($MasonSessionDir, '{self.folder}/session');
            1;
        """)
        self.environment = {**os.environ, "RT_SITE_CONFIG": str(site), "RT_SITE_CONFIG_DIR": str(self.folder / "empty"),
                            "TMPDIR": str(self.folder / "var")}
        for action in (["init", "--root-password-file", self.file("password", PASSWORD)], ["insert", "--datafile", self.file("data.pl", DATA)]):
            done = subprocess.run(
                [SETUP, "--dba", "rt", "--dba-password", "", "--prompt-for-dba-password", "0", "--action", *action],
                env=self.environment, capture_output=True, text=True, timeout=180, cwd=self.folder)
            assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
        self.log = self.folder / "server.log"
        self.process = None
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.auth = ("root", PASSWORD)

    def file(self, name, text):
        path = self.folder / name
        path.write_text(text)
        return path

    def start(self):
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [SERVER, "--port", str(self.port), "--host", "127.0.0.1", "--server", "Standalone"], env=self.environment,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder)

        def answers():
            assert self.process.poll() is None, self.log.read_text()
            return self.session.get(f"{self.url}/REST/2.0/rt", timeout=10).status_code == 200

        wait_until(answers, 60, f"Request Tracker (log: {self.log})")
        return self

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(timeout=20)

    def rest(self, method, path, body=None, status=(200, 201)):
        answer = self.session.request(method, f"{self.url}/REST/2.0{path}", json=body, timeout=30)
        assert answer.status_code in status, f"{answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    def add_tickets(self, subjects, queue="General"):
        """Many tickets of a queue at one time, written into the database: the product takes a while for each. Gives their keys."""
        keys = []
        at = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime())
        with sqlite3.connect(self.folder / "rt.db", timeout=30) as database:
            nobody, root = (database.execute("SELECT id FROM Users WHERE Name = ?", (name,)).fetchone()[0] for name in ("Nobody", "root"))
            place, = database.execute("SELECT id FROM Queues WHERE Name = ?", (queue,)).fetchone()
            for subject in subjects:
                made = database.execute(
                    "INSERT INTO Tickets (Queue, Type, Owner, Subject, Status, Priority, Creator, Created, LastUpdatedBy, LastUpdated) "
                    "VALUES (?, 'ticket', ?, ?, 'open', 0, ?, ?, ?, ?)", (place, nobody, subject, root, at, root, at))
                keys.append(str(made.lastrowid))
                database.execute("UPDATE Tickets SET EffectiveId = id WHERE id = ?", (made.lastrowid,))
        database.close()
        return keys
