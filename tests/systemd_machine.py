"""A machine with a real systemd as PID 1, in namespaces of the test's own over an overlay of this machine's root.

What it writes stays in memory. It has its own processes, network (a veth pair to the test), host name, control groups
and journal; kernel, clock, memory and disks are this machine's. It cannot set the clock: systemd would set this one's.
"""

import os
import random
import shutil
import subprocess
import uuid
from pathlib import Path

import pytest

from conftest import wait_until

SYSTEMD = "/lib/systemd/systemd"

# $1 an empty folder, $2 the name of the control group, $3 what is run inside. The outer shell boots the machine once for
# each line of its standard input; when that ends, which also is the case when the test is killed, it ends the machine.
BOOT = r"""
set -eu
mount --make-rprivate /
mkdir "$1/groups" "$1/memory" "$1/root"
mount -t cgroup2 none "$1/groups"
mkdir "$1/groups/$2"
mount -t tmpfs -o mode=755 none "$1/memory"
mkdir "$1/memory/upper" "$1/memory/work"
while read -r boot; do
  wait || true
  unshare --pid --fork --net --uts --ipc --mount sh -euc '
    echo 0 >"$1/groups/$2/cgroup.procs"
    exec unshare --cgroup sh -euc "$3" sh "$1"
  ' sh "$1" "$2" "$3" </dev/null &
done
find "$1/groups/$2" -name cgroup.procs -exec cat {} + | xargs -r kill -KILL || true
wait || true
find "$1/groups/$2" -depth -type d -exec rmdir {} +
"""

# As the container interface of systemd asks: /sys and /proc/sys cannot be written, /dev has what programs need and no disks.
INSIDE = r"""
mount -t overlay overlay -o "lowerdir=/,upperdir=$1/memory/upper,workdir=$1/memory/work" "$1/root"
cd "$1/root"
mount -t proc -o nosuid,nodev,noexec proc proc
mount --bind proc/sys proc/sys
mount -o remount,bind,ro proc/sys
mount -t sysfs -o nosuid,nodev,noexec,ro sysfs sys
mount -t cgroup2 -o nosuid,nodev,noexec cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755,nosuid tmpfs dev
for node in null zero full random urandom tty; do touch dev/$node; mount --bind /dev/$node dev/$node; done
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5 devpts dev/pts
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
mount -t tmpfs -o mode=1777 tmpfs dev/shm
mount -t tmpfs -o mode=755,nosuid,nodev tmpfs run
mount -t tmpfs -o mode=1777 tmpfs tmp
if [ ! -e etc/systemd/journald.conf.d/test.conf ]; then
  # the first boot. What this machine has enabled is not wanted: databases, web servers, network configuration
  rm -rf etc/systemd/system/*.wants etc/systemd/system/*.service var/log/journal etc/watchkeeper var/lib/watchkeeper-agent
  rm -f etc/machine-id
  tr -d - </proc/sys/kernel/random/uuid >etc/machine-id
  echo machine >etc/hostname
  mkdir -p etc/systemd/journald.conf.d
  printf '[Journal]\nStorage=persistent\nRateLimitIntervalSec=0\n' >etc/systemd/journald.conf.d/test.conf
fi
hostname machine
pivot_root . .
umount -l .
exec env -i container=other PATH=/usr/sbin:/usr/bin:/sbin:/bin \
  setpriv --bounding-set=-sys_time,-sys_module,-sys_rawio,-sys_boot --inh-caps=-all \
  /lib/systemd/systemd --system --show-status=no --log-target=journal systemd.unit=multi-user.target
"""


# Whether this machine allows all that; what it mounts is gone with it.
PROBE = r"""
mount --make-rprivate /
mount -t tmpfs none /mnt
cd /mnt
mkdir groups upper work root
mount -t cgroup2 none groups
mkdir "groups/$1"
rmdir "groups/$1"
mount -t overlay overlay -o lowerdir=/,upperdir=/mnt/upper,workdir=/mnt/work root
mount -t proc proc root/proc
mount -t sysfs sysfs root/sys
"""


class SystemdMachine:
    """Boots with `start`; `run` runs a command in it."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.name = f"watchkeeper-{uuid.uuid4().hex[:8]}"
        self.log = folder / "boot.log"
        network = f"10.233.{random.randrange(256)}.{4 * random.randrange(64)}".rpartition(".")
        first = int(network[2])
        # the test's end of the veth pair, and the machine's
        self.outside, self.address = (f"{network[0]}.{first + number}" for number in (1, 2))
        self.link = f"wks{self.name[-8:]}"
        self.process = None
        self.init = 0

    def start(self):
        folder = self.folder / "machine"
        folder.mkdir()
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                ["unshare", "--mount", "sh", "-c", BOOT, "sh", folder, self.name, INSIDE],
                stdin=subprocess.PIPE, stdout=log, stderr=log)
        self._boot()
        return self

    def reboot(self):
        """Shuts down and boots again, with the disk as it was left."""
        before = self.init
        self.run("systemctl", "reboot", check=False)
        wait_until(lambda: not Path(f"/proc/{before}").exists(), 60, "the machine is down")
        self._boot()

    def _boot(self):
        self.init = 0
        self.process.stdin.write(b"boot\n")
        self.process.stdin.flush()
        try:
            wait_until(self._is_systemd, 30, "systemd as PID 1")
            wait_until(self._has_booted, 60, "the end of the boot")
        except AssertionError as late:
            raise AssertionError(f"{late}\n{self.log.read_text(errors='replace')}") from None
        self._connect()

    def _is_systemd(self):
        for child in _descendants(self.process.pid):
            status = Path(f"/proc/{child}/status").read_text()
            numbers = next(line for line in status.splitlines() if line.startswith("NSpid:")).split()[1:]
            if status.startswith("Name:\tsystemd\n") and numbers[-1] == "1":
                self.init = child
        return self.init

    def _has_booted(self):
        return self.run("systemctl", "is-system-running", check=False).stdout.strip() in ("running", "degraded")

    def _connect(self):
        def ip(*arguments):
            subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True)

        ip("link", "add", self.link, "type", "veth", "peer", "name", "up0", "netns", str(self.init))
        ip("address", "add", f"{self.outside}/30", "dev", self.link)
        ip("link", "set", self.link, "up")
        for arguments in (("link", "set", "lo", "up"), ("address", "add", f"{self.address}/30", "dev", "up0"), ("link", "set", "up0", "up")):
            self.run("ip", *arguments)

    def run(self, *command, check=True, text=None, seconds=60):
        done = subprocess.run(
            ["nsenter", "--target", str(self.init), "--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup", "--", *command],
            input=text or "", capture_output=True, text=True, timeout=seconds,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"})
        if check:
            assert done.returncode == 0, f"{command} in the machine: {done.stdout}{done.stderr}"
        return done

    def path(self, inside):
        """A file of the machine as it is reached from outside."""
        return Path(f"/proc/{self.init}/root{inside}")

    def put(self, inside, content, mode=0o644):
        """Writes a file: text, or a copy of another file."""
        target = self.path(inside)
        target.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, Path):
            shutil.copyfile(content, target)
        else:
            target.write_text(content)
        target.chmod(mode)

    def show(self, unit, name):
        """A property of a unit."""
        return self.run("systemctl", "show", "--property", name, "--value", unit).stdout.strip()

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.stdin.close()
            assert self.process.wait(timeout=60) == 0, self.log.read_text(errors="replace")


def _descendants(process):
    try:
        children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    except FileNotFoundError:
        return
    for child in children:
        yield int(child)
        yield from _descendants(int(child))


def skip_without_systemd():
    """Skips where such a machine cannot be made, and says why."""
    if os.geteuid() != 0:
        pytest.skip("a machine with systemd needs root: namespaces and mounts of its own")
    for program in (SYSTEMD, "unshare", "nsenter", "setpriv", "ip"):
        if not shutil.which(program):
            pytest.skip(f"{program} is not installed; scripts/setup.sh test installs it")
    probe = subprocess.run(
        ["unshare", "--mount", "--pid", "--fork", "--net", "--cgroup", "sh", "-euc", PROBE, "sh", f"watchkeeper-{uuid.uuid4().hex[:8]}"],
        capture_output=True, text=True)
    if probe.returncode != 0:
        pytest.skip(f"this machine lets nobody make namespaces, mounts and control groups: {probe.stderr.strip()}")
