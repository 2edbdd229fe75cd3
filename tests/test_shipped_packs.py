"""The shipped packs: imported at the first start, and each condition caused for real on this very machine."""

import contextlib
import http.server
import mmap
import multiprocessing
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from conftest import BINARIES, ROOT, Product, product_environment, wait_until

PACKS = ROOT / "packs"
# a first run comes within a minute, and the machine may be slow
FIRST_RUN = 180


def watchkeeper(product, *arguments):
    environment = {**product_environment(), "WATCHKEEPER_CONNECTION": str(product.data / "connection.json")}
    return subprocess.run([BINARIES / "watchkeeper", *arguments], env=environment, capture_output=True, text=True, timeout=60)


def done(product, *arguments):
    answer = watchkeeper(product, *arguments)
    assert answer.returncode == 0, f"{arguments}: {answer.stdout}{answer.stderr}"
    return answer.stdout


def get(product, path):
    answer = product.session.get(f"{product.url}{path}", headers={"Authorization": f"Bearer {product.token()}"})
    assert answer.status_code == 200, f"{path}: {answer.status_code} {answer.text}"
    return answer.json()


def objects(product, of_class):
    return get(product, f"/api/objects?class={of_class}")


def monitors(product, object_id):
    return {monitor["monitor"].split("!")[1]: monitor["health"] for monitor in get(product, f"/api/objects/{object_id}")["monitors"]}


def alerts(product, name, object_id, state="open"):
    return [alert for alert in get(product, f"/api/alerts?state={state}") if (alert["name"], alert["object"]) == (name, object_id)]


def override(product, element, context, parameter, value):
    answer = product.session.post(
        f"{product.url}/api/overrides", headers={"Authorization": f"Bearer {product.token()}"},
        json={"element": element, "context": context, "parameter": parameter, "value": str(value)})
    assert answer.status_code in (200, 201), answer.text


def turns_red_and_back(product, object_id, monitor, alert, break_it, mend_it, health="Error", seconds=90.0):
    """Causes a condition and ends it: one alert opens and closes, the monitor follows both times."""
    [opened] = turn_red_and_back(product, [(object_id, monitor, alert, health)], break_it, mend_it, seconds)
    return opened


def turn_red_and_back(product, conditions, break_it, mend_it, seconds=90.0):
    """As `turns_red_and_back`, of several monitors that have the same cause; gives their alerts."""
    before = {}
    for object_id, monitor, alert, _ in conditions:
        wait_until(lambda: monitors(product, object_id).get(monitor) == "Success", seconds, f"{monitor} is healthy at first")
        before[monitor] = {one["id"] for one in alerts(product, alert, object_id, "all")}
    break_it()
    all_opened = []
    for object_id, monitor, alert, health in conditions:
        wait_until(lambda: monitors(product, object_id)[monitor] == health, seconds,
                   lambda: f"{monitor} is {monitors(product, object_id)[monitor]}: that it is {health}")
        [opened] = wait_until(lambda: alerts(product, alert, object_id), 30, f"the alert {alert!r}")
        assert opened["description"] and "$" not in opened["description"] and "{" not in opened["description"], opened
        all_opened.append(opened)
    mend_it()
    for (object_id, monitor, alert, _), opened in zip(conditions, all_opened):
        wait_until(lambda: monitors(product, object_id)[monitor] == "Success", seconds, f"{monitor} sees that it is over")
        wait_until(lambda: alerts(product, alert, object_id) == [], 30, f"the alert {alert!r} is closed")
        after = {one["id"] for one in alerts(product, alert, object_id, "all")}
        assert after - before[monitor] == {opened["id"]}, "there was one alert only"
    return all_opened


LINUX = {
    "Microsoft.Linux.Universal.Library!Microsoft.Linux.Universal.OperatingSystem": 1,
    "Microsoft.Linux.Library!Microsoft.Linux.Processor": os.cpu_count(),
}


def test_the_first_start_imports_the_packs_and_finds_this_machine_whose_parts_roll_up_to_it(tmp_path):
    product = Product(tmp_path / "data", environment={"WATCHKEEPER_PACKS__SHIPPED": "true"})
    try:
        product.start()
        listed = {pack["id"]: pack for pack in get(product, "/api/packs/shipped")}
        assert set(listed) == {file.stem for file in PACKS.glob("*.yaml")}
        imported = {name for name, pack in listed.items() if pack["importedVersion"]}
        assert imported == {"Watchkeeper.Linux", "Watchkeeper.Self"}
        for of_class, count in LINUX.items():
            wait_until(lambda: len(objects(product, of_class)) == count, FIRST_RUN, f"{count} of {of_class}")
        # the agent's own operating system and the one that the pack finds are the same
        [system] = objects(product, "Microsoft.Unix.Library!Microsoft.Unix.OperatingSystem")
        assert get(product, f"/api/objects/{system['id']}")["properties"]["Version"] == os.uname().release
        for processor in objects(product, "Microsoft.Linux.Library!Microsoft.Linux.Processor"):
            assert processor["name"].startswith("Processor "), processor
            wait_until(lambda: monitors(product, processor["id"])["Watchkeeper.Linux.Processor.Interrupts"] == "Success", 60, "the processor is watched")
        [computer] = [agent["object"] for agent in get(product, "/api/agents")]
        wait_until(lambda: get(product, f"/api/objects/{computer}")["health"] != "Uninitialized", 60, "the computer has a health")
        here = set(subprocess.run(["hostname", "-I"], capture_output=True, text=True).stdout.split())
        found = set(get(product, f"/api/objects/{computer}")["properties"].get("IPAddress", "").split(",")) - {""}
        assert found <= here and bool(found) == bool(here), "its addresses, by which a map knows it"
        parts = monitors(product, computer)
        assert parts["Watchkeeper.Linux.Computer.OperatingSystem.Availability"] == "Success", parts
        if clock_is_kept_by_nothing():
            wait_until(lambda: monitors(product, system["id"])["Watchkeeper.Linux.TimeDrift"] == "Warning", FIRST_RUN, "nothing keeps the clock")
            [clock] = wait_until(lambda: alerts(product, "The clock is wrong", system["id"]), 30, "the alert about the clock")
            assert "nothing keeps it" in clock["description"]
        # what a person removes stays away, what is asked for by name comes back
        done(product, "pack", "remove", "Watchkeeper.Self")
        product.stop()
        product.start()
        imported = {pack["id"] for pack in get(product, "/api/packs/shipped") if pack["importedVersion"]}
        assert imported == {"Watchkeeper.Linux"}
        assert "imported Watchkeeper.Self" in done(product, "pack", "import", "Watchkeeper.Self")
        unknown = watchkeeper(product, "pack", "import", "Watchkeeper.Sefl")
        assert unknown.returncode == 1 and "Watchkeeper.Self" in unknown.stderr, "the answer names what there is"
    finally:
        product.stop(signal.SIGKILL)


def test_a_newer_server_renews_the_packs_that_it_ships_and_keeps_overrides_and_objects(tmp_path):
    """A server that shipped older packs before, then this one; `Watchkeeper.Tcp` was asked for by name, and is offered."""
    product = Product(tmp_path / "data")
    old = {"Watchkeeper.Linux": "0.9.0.0", "Watchkeeper.Tcp": "0.9.0.0", "Watchkeeper.Self": "99.0.0.0"}
    shipped = lambda: {pack["id"]: (pack["importedVersion"], pack["version"]) for pack in get(product, "/api/packs/shipped")}
    effective = lambda of: {
        one["name"]: one["value"] for one in get(product, f"/api/objects/{of}/overrides?element={LINUX_PACK}.Load") if one["override"]}
    try:
        product.start()
        for name, version in old.items():
            text, count = re.subn(r"(?m)^version: .*$", f"version: {version}", (PACKS / f"{name}.yaml").read_text())
            assert count == 1
            if name == "Watchkeeper.Linux":
                # what was otherwise in the older one
                assert text.count("name: Load for each processor") == 1
                text = text.replace("name: Load for each processor", "name: Load, as it was called")
            file = tmp_path / f"{name}.yaml"
            file.write_text(text)
            done(product, "pack", "import", str(file))
        override(product, f"{LINUX_PACK}.Discovery", "Microsoft.Linux.Library!Microsoft.Linux.Computer", "IntervalSeconds", 5)
        for parameter, value in (("IntervalSeconds", 2), ("Warning", 0), ("Critical", 100000)):
            override(product, f"{LINUX_PACK}.Load", SYSTEM, parameter, value)
        system = one_object(product, SYSTEM)
        load = lambda: monitors(product, system).get("Watchkeeper.Linux.Load")
        wait_until(lambda: load() == "Warning", 60, "the load is above the warning that the override sets")
        assert {name: versions[0] for name, versions in shipped().items() if versions[0]} == old
        before = effective(system)
        assert before == {"IntervalSeconds": "2", "Warning": "0", "Critical": "100000"}

        product.stop()
        product.environment = {"WATCHKEEPER_PACKS__SHIPPED": "true"}
        product.start()
        now = shipped()
        assert now["Watchkeeper.Linux"][0] == now["Watchkeeper.Linux"][1] > "0.9.0.0", "renewed by itself"
        assert now["Watchkeeper.Tcp"] == ("0.9.0.0", now["Watchkeeper.Tcp"][1]), "offered, not forced"
        assert now["Watchkeeper.Self"][0] == "99.0.0.0", "what is newer stays"
        assert "imported Watchkeeper.Tcp" in done(product, "pack", "import", "Watchkeeper.Tcp")
        assert len(set(shipped()["Watchkeeper.Tcp"])) == 1
        text = done(product, "pack", "export", "Watchkeeper.Linux")
        assert "Load for each processor" in text and "as it was called" not in text
        assert [one["id"] for one in objects(product, SYSTEM)] == [system] and effective(system) == before
        # the override still decides in the renewed pack
        assert load() == "Warning"
        done(product, "overrides", "set", f"{LINUX_PACK}.Load", "Critical=0", "--parameter", "--object", system)
        wait_until(lambda: load() == "Error", 60, "the renewed monitor runs")
    finally:
        product.stop(signal.SIGKILL)


def clock_is_kept_by_nothing():
    """What the kernel says, and no time service that could be asked."""
    import ctypes

    return ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(512)) == 5 and not any(
        shutil.which(name) for name in ("chronyc", "ntpq")) and not os.path.isdir("/run/systemd/system")


def test_a_pack_is_the_same_after_it_went_from_yaml_to_xml_and_back(tmp_path):
    run = lambda *arguments: subprocess.run([BINARIES / "watchkeeper", "pack", *arguments], capture_output=True, text=True, timeout=60)
    for file in sorted(PACKS.glob("*.yaml")):
        xml, again = tmp_path / f"{file.stem}.xml", tmp_path / file.name
        for source, target in ((file, xml), (xml, again)):
            converted = run("convert", source, "-o", target)
            assert converted.returncode == 0, converted.stderr
        assert xml.read_text().lstrip().startswith("<"), "XML is XML"
        same = run("diff", file, again)
        assert (same.returncode, same.stdout) == (0, ""), same
        assert run("convert", xml).stdout == again.read_text(), "without -o it goes to standard output"
    changed = tmp_path / "changed.yaml"
    changed.write_text(again.read_text().replace("IntervalSeconds: 60", "IntervalSeconds: 61"))
    assert "61" in run("diff", file, changed).stdout, "the comparison sees a change"
    broken, nothing = tmp_path / "broken.yaml", tmp_path / "nothing.xml"
    broken.write_text(again.read_text().replace("monitors:", "monitorz:"))
    refused = run("convert", broken, "-o", nothing)
    assert refused.returncode == 1 and "monitorz" in refused.stderr and not nothing.exists(), refused


@pytest.fixture(scope="module")
def watched(tmp_path_factory):
    """A product with the packs for lists of addresses, which look every two seconds, and the Linux pack."""
    folder = tmp_path_factory.mktemp("watched")
    product = Product(folder / "data").start()
    product.lists = folder
    yield product
    code = product.stop()
    assert code == 0, f"watchkeeper ended with {code}:\n{product.log_tail()}"


def import_quick(product, name, list_name=None, *lines):
    """Imports a shipped pack whose list of addresses is in the test's folder and whose intervals are short."""
    text = (PACKS / f"{name}.yaml").read_text()
    if list_name:
        (product.lists / list_name).write_text("".join(f"{line}\n" for line in lines))
        assert f"/etc/watchkeeper/{list_name}" in text
        text = text.replace(f"/etc/watchkeeper/{list_name}", str(product.lists / list_name))
    file = product.lists / f"{name}.yaml"
    file.write_text(re.sub(r"IntervalSeconds: \d+", "IntervalSeconds: 2", text))
    done(product, "pack", "import", str(file))


class Page(http.server.BaseHTTPRequestHandler):
    # seconds that an answer takes
    takes = 0

    def do_GET(self):
        time.sleep(Page.takes)
        self.send_response(200)
        self.end_headers()

    do_HEAD = do_GET

    def log_message(self, *_):
        pass


class PageServer:
    """A web server that can be stopped and started at one address; with a certificate it speaks TLS."""

    def __init__(self, certificate=None):
        self.port = 0
        self.start(certificate)

    def start(self, certificate=None):
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", self.port), Page)
        self.port = self.server.server_port
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


def one_object(product, of_class):
    [found] = wait_until(lambda: objects(product, of_class), FIRST_RUN, f"an object of {of_class}")
    return found["id"]


def test_a_page_that_refuses_is_red_until_it_answers(watched):
    server = PageServer()
    import_quick(watched, "Watchkeeper.Http", "pages", f"http://127.0.0.1:{server.port}/")
    page = one_object(watched, "Watchkeeper.Http!Watchkeeper.Availability.Page")
    alert = turns_red_and_back(
        watched, page, "Watchkeeper.Availability.Page.Answers", "A web page does not answer", server.stop, server.start)
    assert f"127.0.0.1:{server.port}" in alert["description"]
    override(watched, "Watchkeeper.Http!Watchkeeper.Availability.Page.ResponseTime", "Watchkeeper.Http!Watchkeeper.Availability.Page", "Warning", 800)
    takes = lambda seconds: setattr(Page, "takes", seconds)
    try:
        slow = turns_red_and_back(
            watched, page, "Watchkeeper.Availability.Page.ResponseTime", "A web page is slow", lambda: takes(1), lambda: takes(0), "Warning")
        assert int(slow["description"].split(" took ")[1].split(".")[0]) >= 1000
    finally:
        takes(0)
    server.stop()


def test_a_port_that_refuses_is_red_until_it_answers(watched):
    listening = socket.create_server(("127.0.0.1", 0))
    port = listening.getsockname()[1]
    sockets = [listening]
    import_quick(watched, "Watchkeeper.Tcp", "ports", f"127.0.0.1 {port}")
    [found] = wait_until(lambda: objects(watched, "Watchkeeper.Tcp!Watchkeeper.Availability.Port"), FIRST_RUN, "the port")
    turns_red_and_back(
        watched, found["id"], "Watchkeeper.Availability.Port.Answers", "A port does not answer",
        lambda: sockets.pop().close(), lambda: sockets.append(socket.create_server(("127.0.0.1", port))))
    sockets.pop().close()


def certificate(folder, name, start, end):
    """A certificate of its own for 127.0.0.1, valid between two days from now, with its key in one file."""
    from datetime import UTC, datetime, timedelta

    day = lambda days: (datetime.now(UTC) + timedelta(days=days)).strftime("%Y%m%d%H%M%SZ")
    key, made = folder / f"{name}.key", folder / f"{name}.crt"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=127.0.0.1", "-keyout", key, "-out", made,
               "-not_before", day(start), "-not_after", day(end)]
    answer = subprocess.run(command, capture_output=True, text=True)
    if answer.returncode != 0:
        # OpenSSL before 3.4 takes dates with `ca` alone
        request = folder / f"{name}.csr"
        subprocess.run(["openssl", "req", "-new", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=127.0.0.1", "-keyout", key, "-out", request],
                       check=True, capture_output=True)
        (folder / "index").write_text("")
        (folder / "ca.cnf").write_text(
            f"[ca]\ndefault_ca=own\n[own]\ndatabase={folder}/index\nnew_certs_dir={folder}\nrand_serial=yes\ndefault_md=sha256\n"
            "policy=any\nunique_subject=no\n[any]\ncommonName=supplied\n")
        subprocess.run(["openssl", "ca", "-batch", "-config", folder / "ca.cnf", "-selfsign", "-keyfile", key, "-in", request, "-out", made,
                        "-notext", "-startdate", day(start), "-enddate", day(end)], check=True, capture_output=True)
    both = folder / f"{name}.pem"
    both.write_text(key.read_text() + made.read_text())
    return both


def test_an_expired_certificate_is_red_until_it_is_renewed(watched, tmp_path):
    if not shutil.which("openssl"):
        pytest.skip("there is no openssl to make certificates with")
    good, expired = certificate(tmp_path, "good", -1, 90), certificate(tmp_path, "expired", -30, -2)
    server = PageServer(good)

    def serve(with_certificate):
        server.stop()
        server.start(with_certificate)

    import_quick(watched, "Watchkeeper.Certificates", "certificates", f"https://127.0.0.1:{server.port}/")
    found = one_object(watched, "Watchkeeper.Certificates!Watchkeeper.Certificate")
    alert = turns_red_and_back(
        watched, found, "Watchkeeper.Certificate.Days", "A certificate runs out", lambda: serve(expired), lambda: serve(good))
    assert " -" in alert["description"], "the days left are negative"
    server.stop()


LINUX_PACK = "Watchkeeper.Linux!Watchkeeper.Linux"
SYSTEM = "Microsoft.Linux.Library!Microsoft.Linux.OperatingSystem"
DISK = "Microsoft.Linux.Library!Microsoft.Linux.LogicalDisk"


def import_linux(product):
    """Imports the Linux pack, whose discovery is every five seconds then."""
    done(product, "pack", "import", "Watchkeeper.Linux")
    override(product, f"{LINUX_PACK}.Discovery", "Microsoft.Linux.Library!Microsoft.Linux.Computer", "IntervalSeconds", 5)


@contextlib.contextmanager
def small_file_system(folder):
    """A file system of its own on this machine, of 32 MiB and 64 inodes, whose name has what scripts stumble over."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount a file system to fill")
    image, point = folder / "small.img", folder / 'a "small" one'
    point.mkdir()
    with image.open("wb") as file:
        file.truncate(32 << 20)
    for command in (["mkfs.ext4", "-q", "-m", "0", "-N", "64", image], ["mount", "-o", "loop", image, point]):
        try:
            answer = subprocess.run(command, capture_output=True, text=True)
        except FileNotFoundError:
            pytest.skip(f"this machine has no {command[0]}")
        if answer.returncode != 0:
            pytest.skip(f"this machine mounts no image of a file system: {answer.stderr.strip()}")
    try:
        yield point
    finally:
        subprocess.run(["umount", "-l", point], check=True)


def test_a_file_system_without_room_or_inodes_is_red_until_there_are_some(watched, tmp_path):
    with small_file_system(tmp_path) as point:
        import_linux(watched)
        for monitor in ("Space", "Inodes"):
            override(watched, f"{LINUX_PACK}.FileSystem.{monitor}", DISK, "Frequency", 2)
        found = lambda: [disk for disk in objects(watched, DISK) if disk["name"] == str(point)]
        [disk] = wait_until(found, FIRST_RUN, "the mounted file system")

        def fill():
            with contextlib.suppress(OSError), (point / "big").open("wb") as file:
                for _ in range(64):
                    file.write(bytes(1 << 20))
                    file.flush()

        alert = turns_red_and_back(
            watched, disk["id"], "Watchkeeper.Linux.FileSystem.Space", "A file system is nearly full", fill, (point / "big").unlink)
        assert str(point) in alert["description"]

        def many():
            with contextlib.suppress(OSError):
                for number in range(64):
                    (point / f"small-{number}").touch()

        alert = turns_red_and_back(
            watched, disk["id"], "Watchkeeper.Linux.FileSystem.Inodes", "A file system has hardly any inodes left", many,
            lambda: [file.unlink() for file in point.glob("small-*")])
        assert f"{point} of " in alert["description"]
    wait_until(lambda: not found(), FIRST_RUN, "the file system that was unmounted is gone")


def memory():
    """What /proc/meminfo says, in bytes."""
    return {line.split(":")[0]: int(line.split()[1]) * 1024 for line in open("/proc/meminfo")}


def hold(size, swapped_out):
    """Takes memory, and where that is asked for has the kernel move it to the swap space; until it is killed."""
    taken = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    piece = os.urandom(1 << 20)
    for _ in range(size >> 20):
        taken.write(piece)
    while True:
        if swapped_out:
            taken.madvise(21)  # MADV_PAGEOUT
        time.sleep(0.2)


@contextlib.contextmanager
def holding(size, swapped_out=False):
    """A process that takes memory when it is started, and is gone afterwards."""
    process = multiprocessing.get_context("fork").Process(target=hold, args=(size, swapped_out), daemon=True)
    try:
        yield process
    finally:
        if process.pid:
            process.kill()
            process.join()


def end(process):
    process.kill()
    process.join()


def test_memory_that_is_used_up_is_red_until_it_is_given_back(watched):
    """The thresholds are set around what one process takes, so that the machine need not be brought to its end."""
    now = memory()
    size = min(now["MemAvailable"] // 3, 3 << 30) >> 20 << 20
    if size < 512 << 20:
        pytest.skip(f"only {now['MemAvailable'] >> 20} MiB of memory are available")
    used, rise = (100 * part / now["MemTotal"] for part in (now["MemTotal"] - now["MemAvailable"], size))
    import_linux(watched)
    for parameter, value in (("Frequency", 2), ("Threshold1", used + 0.4 * rise), ("Threshold2", used + 0.6 * rise)):
        override(watched, f"{LINUX_PACK}.Memory", SYSTEM, parameter, value)
    system = one_object(watched, SYSTEM)
    with holding(size) as process:
        turns_red_and_back(
            watched, system, "Watchkeeper.Linux.Memory", "Memory is nearly used up", process.start, lambda: end(process))
    # what it looked like then; it came through the warning or not
    looked = lambda: [one for one in get(watched, f"/api/tasks?object={system}") if one["task"].startswith(f"{LINUX_PACK}.Memory.")]
    wait_until(lambda: any(str(process.pid) in get(watched, f"/api/tasks/{one['run']}")["output"] for one in looked()), 60,
               "the diagnostic names the process")


@contextlib.contextmanager
def swap_space(folder):
    """64 MiB of swap space, the only one of this machine."""
    if os.geteuid() != 0:
        pytest.skip("only root may make swap space")
    if memory()["SwapTotal"]:
        pytest.skip("this machine has swap space already, which a test does not fill")
    file = folder / "swap"
    with file.open("wb") as out:
        for _ in range(64):
            out.write(bytes(1 << 20))
        os.fsync(out.fileno())
    file.chmod(0o600)
    for command in (["mkswap", "-q", file], ["swapon", file]):
        answer = subprocess.run(command, capture_output=True, text=True)
        if answer.returncode != 0:
            pytest.skip(f"this machine takes no swap space: {answer.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["swapoff", file], check=True)


def test_swap_space_that_fills_up_is_red_until_it_is_free(watched, tmp_path):
    import_linux(watched)
    override(watched, f"{LINUX_PACK}.Swap", SYSTEM, "Frequency", 2)
    system = one_object(watched, SYSTEM)
    with swap_space(tmp_path), holding(60 << 20, swapped_out=True) as process:
        turns_red_and_back(watched, system, "Watchkeeper.Linux.Swap", "Swap space is filling up", process.start, lambda: end(process))


def busy(seconds):
    """The part of processor time that was used."""
    def times():
        numbers = [int(word) for word in open("/proc/stat").readline().split()[1:9]]
        return sum(numbers), numbers[3] + numbers[4]

    all_before, idle_before = times()
    time.sleep(seconds)
    all_after, idle_after = times()
    return 1 - (idle_after - idle_before) / max(1, all_after - all_before)


def burn():
    while True:
        pass


def test_burnt_processor_time_is_red_until_it_ends(watched):
    if (used := busy(5)) > 0.5:
        pytest.skip(f"others use {used:.0%} of the processors: the monitor would not turn green again")
    import_linux(watched)
    override(watched, f"{LINUX_PACK}.Cpu", SYSTEM, "Frequency", 4)
    burning = [multiprocessing.get_context("fork").Process(target=burn, daemon=True) for _ in range(2 * (os.cpu_count() or 1))]
    try:
        system = one_object(watched, SYSTEM)
        turns_red_and_back(
            watched, system, "Watchkeeper.Linux.Cpu", "Processors are busy", lambda: [process.start() for process in burning],
            lambda: [end(process) for process in burning])
    finally:
        for process in burning:
            if process.pid:
                process.kill()


def flood():
    """Sends packets to nobody who reads them, from the first processor and before all others there: the kernel's work."""
    os.sched_setaffinity(0, {0})
    os.nice(-19)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as target, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        target.bind(("127.0.0.1", 0))
        sender.connect(target.getsockname())
        while True:
            sender.send(bytes(9000))


def test_a_processor_that_is_busy_with_interrupts_is_red_until_they_end(watched):
    """The thresholds are low, for a loopback interface interrupts less than a network adapter can."""
    if os.geteuid() != 0 or 0 not in os.sched_getaffinity(0):
        pytest.skip("needs the first processor, and root to come before others on it")
    import_linux(watched)
    processors = "Microsoft.Linux.Library!Microsoft.Linux.Processor"
    first = named(watched, processors, "Processor 0")
    for parameter, value in (("Frequency", 3), ("Threshold1", 2), ("Threshold2", 3)):
        override(watched, f"{LINUX_PACK}.Processor.Interrupts", processors, parameter, value)
    flooding = multiprocessing.get_context("fork").Process(target=flood, daemon=True)
    try:
        alert = turns_red_and_back(
            watched, first, "Watchkeeper.Linux.Processor.Interrupts", "A processor is busy with interrupts", flooding.start,
            lambda: end(flooding))
        assert alert["description"].startswith("The processor 0 of ")
    finally:
        if flooding.pid:
            end(flooding)


# Reads blocks of a disk from the disk itself, so many at a time, as soon as a line of standard input says so.
READERS = """
import ctypes, mmap, os, sys, threading
go = threading.Event()
def read(number, block):
    go.wait()
    while True:
        number = (number * 37 + 101) % 2048
        os.preadv(disk, [block], number * 4096)
disk = os.open(sys.argv[1], os.O_RDONLY | os.O_DIRECT)
for number in range(int(sys.argv[2])):
    threading.Thread(target=read, args=(number, mmap.mmap(-1, 4096)), daemon=True).start()
# nothing of the program itself is read from the disk that is about to be slow
ctypes.CDLL(None).mlockall(3)
print("ready", flush=True)
sys.stdin.readline()
go.set()
sys.stdin.readline()
"""


class SlowDisk:
    """A loop device over a file, whose real disk the kernel lets the readers use as slowly as it is told."""

    READERS = 24

    def __init__(self, folder):
        below = Path(f"/sys/dev/block/{os.major(folder.stat().st_dev)}:{os.minor(folder.stat().st_dev)}").resolve()
        if os.geteuid() != 0 or not below.exists():
            pytest.skip("needs root, and temporary files on a disk")
        whole = below.parent if (below / "partition").exists() else below
        self.below = (whole / "dev").read_text().strip()
        old, new = Path("/sys/fs/cgroup/blkio"), Path("/sys/fs/cgroup")
        self.old = old.is_dir()
        if not self.old and "io" not in ((new / "cgroup.controllers").read_text() if (new / "cgroup.controllers").exists() else "").split():
            pytest.skip("this kernel has no control group that slows disks down")
        self.group = (old if self.old else new) / f"watchkeeper-{os.getpid()}"
        image = folder / "slow.img"
        with image.open("wb") as file:
            file.write(os.urandom(8 << 20))
            os.fsync(file.fileno())
        self.device = subprocess.run(
            ["losetup", "--direct-io=on", "--find", "--show", image], check=True, capture_output=True, text=True).stdout.strip()
        self.name, self.process = self.device.rpartition("/")[2], None
        if not self.old:
            (new / "cgroup.subtree_control").write_text("+io")
        self.group.mkdir()

    def limit(self, what, number):
        """`iops` or `bps` of reads; 0: no limit."""
        if self.old:
            (self.group / f"blkio.throttle.read_{what}_device").write_text(f"{self.below} {number}")
        else:
            (self.group / "io.max").write_text(f"{self.below} r{what}={number or 'max'}")

    def read(self, what, limit):
        self.process = subprocess.Popen(
            [sys.executable, "-c", READERS, self.device, str(self.READERS)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout.readline() == "ready\n"
        self.limit(what, limit)
        (self.group / "cgroup.procs").write_text(str(self.process.pid))
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        wait_until(lambda: self.waiting() > self.READERS / 2, 30, f"the readers of {self.name} wait")

    def waiting(self):
        """The requests that the disk has not answered."""
        return int(Path(f"/sys/block/{self.name}/stat").read_text().split()[8])

    def rest(self):
        """Readers wait for what they asked for until the disk is fast again, and cannot be killed before."""
        if self.process:
            self.process.kill()
            for what in ("iops", "bps"):
                self.limit(what, 0)
            self.process.wait(timeout=60)
            self.process.stdin.close()
            self.process.stdout.close()
            self.process = None

    def remove(self):
        self.rest()
        subprocess.run(["losetup", "--detach", self.device], check=True)
        wait_until(lambda: self.group.rmdir() is None, 30, "the control group is empty")


def test_a_slow_disk_its_queue_and_the_load_of_those_who_wait_are_red_until_it_is_fast(watched, tmp_path):
    """The disk has no hardware of its own: an override names it. Load is looked at over a minute, so that it falls soon."""
    disk = SlowDisk(tmp_path)
    computer, physical = "Microsoft.Linux.Library!Microsoft.Linux.Computer", "Microsoft.Linux.Library!Microsoft.Linux.PhysicalDisk"
    try:
        import_linux(watched)
        override(watched, f"{LINUX_PACK}.Discovery", computer, "AlsoDevices", f"nvme-of-nobody {disk.name}")
        now = float(open("/proc/loadavg").read().split()[0]) / os.cpu_count()
        for element, context, parameters in (
            ("Disk.Latency", physical, {"Frequency": 2}),
            ("Disk.Queue", physical, {"IntervalSeconds": 3, "PeriodSeconds": 2}),
            ("Load", SYSTEM, {"IntervalSeconds": 2, "PeriodSeconds": 60, "Warning": now + 1.6, "Critical": now + 100}),
        ):
            for parameter, value in parameters.items():
                override(watched, f"{LINUX_PACK}.{element}", context, parameter, value)
        found, system = named(watched, physical, disk.name), one_object(watched, SYSTEM)
        assert int(get(watched, f"/api/objects/{found}")["properties"]["Size"]) == 8 << 20
        slow, queue, load = turn_red_and_back(
            watched,
            [(found, "Watchkeeper.Linux.Disk.Latency", "A disk is slow", "Error"),
             (found, "Watchkeeper.Linux.Disk.Queue", "Requests queue up at a disk", "Warning"),
             (system, "Watchkeeper.Linux.Load", "More work waits than the machine can do", "Warning")],
            lambda: disk.read("iops", 40), disk.rest, seconds=120)
        assert f"the disk {disk.name} of " in slow["description"] and f"the disk {disk.name} of " in queue["description"]
        assert load["description"].startswith("The load of the last 1 minutes on ")
        # a disk that answers nobody any more: no request ends, all wait
        stuck = turns_red_and_back(
            watched, found, "Watchkeeper.Linux.Disk.Queue", "Requests queue up at a disk", lambda: disk.read("bps", 1), disk.rest, "Warning")
        assert stuck["description"].startswith(f"On average {disk.READERS}.0 requests")
    finally:
        disk.remove()


def free_port():
    with socket.socket() as any_port:
        any_port.bind(("127.0.0.1", 0))
        return any_port.getsockname()[1]


def need(*programs):
    for program in programs:
        if not shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"):
            pytest.skip(f"{program} is not installed; scripts/setup.sh test installs it")


def named(product, of_class, name):
    [found] = wait_until(
        lambda: [one for one in objects(product, of_class) if one["name"] == name], FIRST_RUN, f"{name} is found")
    return found["id"]


class Daemon:
    """A server process of the test's own."""

    def __init__(self, *command, ready, **how):
        self.command, self.ready, self.how, self.process = command, ready, how, None
        self.start()

    def start(self):
        self.process = subprocess.Popen(
            self.command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **self.how)
        wait_until(self.ready, 60, f"{self.command[0]} is ready")

    def stop(self, how=signal.SIGKILL):
        self.process.send_signal(how)
        self.process.wait(timeout=60)


def accepts(port):
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=5):
        return True
    return False


def test_redis_is_found_by_its_process_and_watched_in_all_its_ways_to_fail(watched, tmp_path):
    need("redis-server", "redis-cli")
    port, folder = free_port(), tmp_path / "dumps"
    folder.mkdir()
    cli = lambda *words: subprocess.run(["redis-cli", "-p", str(port), *words], check=True, capture_output=True, text=True).stdout
    server = Daemon("redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder),
                    "--enable-protected-configs", "yes", ready=lambda: accepts(port))
    try:
        import_quick(watched, "Watchkeeper.Redis")
        found = named(watched, "Watchkeeper.Redis!Watchkeeper.Redis.Server", f"Redis on port {port}")
        full = turns_red_and_back(
            watched, found, "Watchkeeper.Redis.Server.Memory", "Redis has little memory left",
            lambda: cli("config", "set", "maxmemory", "1000"), lambda: cli("config", "set", "maxmemory", "0"))
        assert f"port {port}" in full["description"]

        def cannot_save():
            folder.rmdir()
            cli("bgsave")

        def can_save():
            folder.mkdir()
            wait_until(lambda: "rdb_bgsave_in_progress:0" in cli("info", "persistence"), 30, "the first snapshot has ended")
            cli("config", "set", "dir", str(folder))
            cli("bgsave")

        unsaved = turns_red_and_back(
            watched, found, "Watchkeeper.Redis.Server.Persistence", "Redis cannot save its data", cannot_save, can_save)
        assert "rdb_last_bgsave_status" in unsaved["description"]
        clients = []
        cli("config", "set", "maxclients", "20")
        crowded = turns_red_and_back(
            watched, found, "Watchkeeper.Redis.Server.Clients", "Redis runs out of connections",
            lambda: clients.extend(socket.create_connection(("127.0.0.1", port)) for _ in range(17)),
            lambda: [clients.pop().close() for _ in range(17)], health="Warning")
        assert " of 20 connections" in crowded["description"]
        override(watched, "Watchkeeper.Redis!Watchkeeper.Redis.Server.Replication", "Watchkeeper.Redis!Watchkeeper.Redis.Server", "Warning", 2)
        orphan = turns_red_and_back(
            watched, found, "Watchkeeper.Redis.Server.Replication", "A Redis replica has lost its master",
            lambda: cli("replicaof", "127.0.0.1", str(free_port())), lambda: cli("replicaof", "no", "one"), health="Warning")
        assert "not heard of its master 127.0.0.1 for " in orphan["description"]
        turns_red_and_back(watched, found, "Watchkeeper.Redis.Server.Port", "Redis does not answer", server.stop, server.start)
    finally:
        server.stop()


def test_nginx_is_found_by_its_process_and_a_mistake_in_its_files_is_seen_before_it_starts_again(watched, tmp_path):
    need("nginx")
    port, file = free_port(), tmp_path / "nginx.conf"
    good = (
        f"pid {tmp_path}/nginx.pid; error_log {tmp_path}/error.log; worker_processes 1; daemon off;\n"
        f"events {{ worker_connections 64; }}\nhttp {{ access_log off; server {{ listen 127.0.0.1:{port}; return 200; }} }}\n")
    file.write_text(good)
    program = tmp_path / "nginx"
    install = lambda: shutil.copy(shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin"), tmp_path / "new") and os.replace(tmp_path / "new", program)
    install()
    server = Daemon(program, "-c", str(file), ready=lambda: accepts(port))
    try:
        import_quick(watched, "Watchkeeper.Nginx")
        found = named(watched, "Watchkeeper.Nginx!Watchkeeper.Nginx.Server", f"nginx ({file})")
        mistake = turns_red_and_back(
            watched, found, "Watchkeeper.Nginx.Server.Configuration", "nginx would not start again",
            lambda: file.write_text(good.replace("return 200;", "retrun 200;")), lambda: file.write_text(good), health="Warning")
        assert "retrun" in mistake["description"] and str(file) in mistake["description"]
        turns_red_and_back(
            watched, found, "Watchkeeper.Nginx.Server.Port", "nginx does not answer", lambda: server.stop(signal.SIGTERM), server.start)

        def start_again():
            server.stop(signal.SIGTERM)
            server.start()

        old = turns_red_and_back(
            watched, found, "Watchkeeper.Nginx.Server.Version", "nginx still runs an old version", install, start_again, health="Warning")
        assert str(program) in old["description"]
    finally:
        server.stop(signal.SIGTERM)


def test_a_standby_that_falls_behind_and_transaction_numbers_that_run_out_are_seen(watched):
    from test_failover import NOBODY, postgresql_programs

    programs = postgresql_programs()
    if programs is None or os.geteuid() != 0:
        pytest.skip("needs PostgreSQL, and root to become the owner of its cluster")
    import tempfile

    folder, port, standby_port = Path(tempfile.mkdtemp(prefix="wk-pg-")), free_port(), free_port()
    who = {"user": NOBODY, "group": NOBODY, "extra_groups": [], "cwd": folder}
    os.chown(folder, NOBODY, NOBODY)
    run = lambda *words: subprocess.run(words, check=True, capture_output=True, text=True, **who).stdout
    sql = lambda text, at=port: run(programs / "psql", "-X", "-q", "-A", "-t", "-h", folder, "-p", str(at), "-d", "postgres", "-c", text).strip()

    def server(data, at):
        # otherwise it would clean up by itself what this test makes
        return Daemon(
            programs / "postgres", "-D", folder / data, "-k", folder, "-p", str(at), "-c", "listen_addresses=",
            "-c", "autovacuum_freeze_max_age=2000000000", "-c", "wal_receiver_status_interval=1",
            ready=lambda: subprocess.run([programs / "pg_isready", "-q", "-h", folder, "-p", str(at)]).returncode == 0, **who)

    run(programs / "initdb", "--no-sync", "--auth=trust", "--locale=C", "-D", folder / "data")
    primary = standby = None
    try:
        primary = server("data", port)
        run(programs / "pg_basebackup", "--no-sync", "-c", "fast", "-R", "-C", "-S", "standby", "-h", folder, "-p", str(port), "-D", folder / "standby")
        standby = server("standby", standby_port)
        import_quick(watched, "Watchkeeper.PostgreSQL")
        servers = "Watchkeeper.PostgreSQL!Watchkeeper.PostgreSQL.Server"
        override(watched, f"{servers}.Replication", servers, "Warning", 3)
        first, second = (named(watched, servers, f"PostgreSQL on port {at}") for at in (port, standby_port))
        replication = ("Watchkeeper.PostgreSQL.Server.Replication", "Replication of PostgreSQL is late", "Warning")

        def fall_behind():
            sql("SELECT pg_wal_replay_pause()", standby_port)
            sql("CREATE TABLE more AS SELECT generate_series(1, 1000) AS n")

        late, waits = turn_red_and_back(
            watched, [(second, *replication), (first, *replication)], fall_behind, lambda: sql("SELECT pg_wal_replay_resume()", standby_port))
        assert f"port {standby_port}" in late["description"] and "(standby)" in late["description"]
        assert f"port {port}" in waits["description"] and "(primary)" in waits["description"]
        # nobody reads the slot: its log stays until the disk is full
        [gone] = turn_red_and_back(watched, [(first, *replication)], lambda: standby.stop(signal.SIGQUIT), standby.start)
        assert "(primary)" in gone["description"]
        standby.stop(signal.SIGQUIT)
        sql("SELECT pg_drop_replication_slot('standby')")

        def burn():
            """Transactions up to number 1.2 of 2.1 thousand millions, without making each."""
            primary.stop(signal.SIGINT)
            number = 1_200_000_000
            segment = number // (32 * 8192 * 4)
            file = folder / "data" / "pg_xact" / f"{segment:04X}"
            file.write_bytes(bytes(32 * 8192))
            os.chown(file, NOBODY, NOBODY)
            run(programs / "pg_resetwal", "-x", str(number), "-D", folder / "data")
            primary.start()

        def clean_up():
            # the server does that for its template by itself
            sql("ALTER DATABASE template0 ALLOW_CONNECTIONS true")
            run(programs / "vacuumdb", "--all", "--freeze", "-q", "-h", folder, "-p", str(port))

        used = turns_red_and_back(
            watched, first, "Watchkeeper.PostgreSQL.Server.Wraparound", "PostgreSQL runs out of transaction numbers", burn, clean_up,
            health="Warning")
        assert "has used 55.9 % of its transaction numbers" in used["description"]
    finally:
        for one in (primary, standby):
            if one and one.process.poll() is None:
                one.stop(signal.SIGQUIT)
        shutil.rmtree(folder, ignore_errors=True)


def test_postgresql_is_found_by_its_process_and_watched_inside_and_out(watched):
    from test_failover import NOBODY, postgresql_programs

    programs = postgresql_programs()
    if programs is None or os.geteuid() != 0:
        pytest.skip("needs PostgreSQL, and root to become the owner of its cluster")
    import tempfile

    folder, port = Path(tempfile.mkdtemp(prefix="wk-pg-")), free_port()
    who = {"user": NOBODY, "group": NOBODY, "extra_groups": [], "cwd": folder}
    os.chown(folder, NOBODY, NOBODY)
    subprocess.run([programs / "initdb", "--no-sync", "--auth=trust", "--locale=C", "-D", folder / "data"], check=True, capture_output=True, **who)
    ready = lambda: subprocess.run([programs / "pg_isready", "-q", "-h", folder, "-p", str(port)]).returncode == 0
    server = Daemon(
        programs / "postgres", "-D", folder / "data", "-k", folder, "-p", str(port), "-c", "listen_addresses=", "-c", "max_connections=10",
        ready=ready, **who)
    clients = []

    def crowd():
        for _ in range(7):
            clients.append(subprocess.Popen(
                [programs / "psql", "-X", "-q", "-h", folder, "-p", str(port), "-d", "postgres", "-c", "SELECT pg_sleep(600)"],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **who))

    def leave():
        while clients:
            client = clients.pop()
            client.kill()
            client.wait()
        subprocess.run(
            [programs / "psql", "-X", "-q", "-h", folder, "-p", str(port), "-d", "postgres", "-c",
             "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(600)%' AND pid <> pg_backend_pid()"],
            check=True, capture_output=True, **who)

    try:
        import_quick(watched, "Watchkeeper.PostgreSQL")
        found = named(watched, "Watchkeeper.PostgreSQL!Watchkeeper.PostgreSQL.Server", f"PostgreSQL on port {port}")
        servers = "Watchkeeper.PostgreSQL!Watchkeeper.PostgreSQL.Server"
        override(watched, f"{servers}.Transactions", servers, "Warning", 2)
        crowded, long = turn_red_and_back(
            watched,
            [(found, "Watchkeeper.PostgreSQL.Server.Connections", "PostgreSQL runs out of connections", "Error"),
             (found, "Watchkeeper.PostgreSQL.Server.Transactions", "A transaction of PostgreSQL has been open for long", "Warning")],
            crowd, leave)
        assert " seconds." in long["description"]
        assert " of 10 connections" in crowded["description"]
        turns_red_and_back(
            watched, found, "Watchkeeper.PostgreSQL.Server.Answers", "PostgreSQL does not answer",
            lambda: server.stop(signal.SIGQUIT), server.start)
        for monitor in ("Replication", "Wraparound"):
            wait_until(lambda: monitors(watched, found)[f"Watchkeeper.PostgreSQL.Server.{monitor}"] == "Success", 60, monitor)
    finally:
        server.stop(signal.SIGQUIT)
        shutil.rmtree(folder, ignore_errors=True)
