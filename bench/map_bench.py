"""The map from stored rows: machines with one-minute rows of connections of an hour and of a day, both ends reported, and how
long `/api/map` takes for the last hour, for the day, and again."""

import datetime
import json
import multiprocessing
import statistics
import time

import pyarrow

from product import Product

PORTS = 20
RUNS = 11
# seconds
SETTLING = 45
MINUTE = datetime.timedelta(minutes=1)


def address(number):
    return f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"


class Load:
    """Rows of a network in which machine n calls others on 20 ports."""

    def __init__(self, product: Product, machines: int, edges: int, name="past"):
        self.product, self.machines, self.edges, self.sent = product, machines, edges, 0
        self.name, self.connection = name, product.connect()
        self.known = set()

    def post(self, path, body, content_type, expected, **headers):
        while True:
            self.connection.request("POST", path, body, {
                "Content-Type": content_type, "Authorization": f"Bearer {self.product.bearer()}", **headers})
            answer = self.connection.getresponse()
            text = answer.read()
            if answer.status != 429:
                break
            time.sleep(float(answer.headers.get("Retry-After", "1")))
        if answer.status != expected:
            raise RuntimeError(f"{path}: {answer.status} {text[:500]!r}")
        return text

    def add(self, table, columns):
        """Rows as an Arrow stream; a documented table is made by its first row, over the Logs Ingestion API."""
        workspace = self.product.ready["workspace_id"]
        if table not in self.known:
            self.known.add(table)
            properties = {"dataFlows": [{"streams": [f"Microsoft-{table}"], "transformKql": "source", "outputStream": f"Microsoft-{table}", "destinations": ["here"]}],
                          "destinations": {"logAnalytics": [{"name": "here", "workspaceId": workspace}]}}
            self.connection.request(
                "PUT", f"/api/workspaces/{workspace}/data-collection-rules/Map{table}", json.dumps({"location": "here", "kind": "Direct", "properties": properties}),
                {"Content-Type": "application/json", "Authorization": f"Bearer {self.product.bearer()}"})
            rule = json.loads(self.connection.getresponse().read())["properties"]["immutableId"]
            # a row of long ago, which no window has
            row = [{"TimeGenerated": (datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=3)).isoformat(), "Computer": "first"}]
            self.post(f"/dataCollectionRules/{rule}/streams/Microsoft-{table}?api-version=2023-01-01", json.dumps(row), "application/json", 204)
        batch = pyarrow.record_batch(columns)
        sink = pyarrow.BufferOutputStream()
        with pyarrow.ipc.new_stream(sink, batch.schema) as stream:
            stream.write_batch(batch)
        self.sent += 1
        self.post(f"/api/workspaces/{workspace}/tables/{table}/rows", sink.getvalue().to_pybytes(),
                  "application/vnd.apache.arrow.stream", 200, **{"x-batch-id": f"map-bench-{self.name}/{self.sent}"})

    def inventory(self, now):
        names = [f"m-{n:08x}-0000-4000-8000-000000000000" for n in range(self.machines)]
        moment = pyarrow.array([now] * self.machines, pyarrow.timestamp("us", "UTC"))
        self.add("VMComputer", {
            "TimeGenerated": moment, "Machine": names, "Computer": [f"host{n}.example.com" for n in range(self.machines)],
            "HostName": [f"host{n}" for n in range(self.machines)], "DisplayName": [f"host{n}" for n in range(self.machines)],
            "OperatingSystemFamily": ["linux"] * self.machines, "Ipv4Addresses": [json.dumps([address(n + 1)]) for n in range(self.machines)]})
        programs = [f"p-client-{n}" for n in range(5)] + [f"p-server-{8000 + n}" for n in range(PORTS)]
        pairs = [(name, program) for name in names for program in programs]
        moment = pyarrow.array([now] * len(pairs), pyarrow.timestamp("us", "UTC"))
        self.add("VMProcess", {
            "TimeGenerated": moment, "Machine": [one for one, _ in pairs], "Process": [one for _, one in pairs],
            "ExecutableName": [one[2:] for _, one in pairs], "DisplayName": [one[2:] for _, one in pairs],
            "CommandLine": [f"/usr/bin/{one[2:]} --serve" for _, one in pairs]})

    def connections(self):
        """The columns of one minute that are the same in every minute."""
        columns = {name: [] for name in (
            "Machine", "Computer", "Process", "ProcessName", "Direction", "SourceIp", "DestinationIp", "RemoteIp", "ConnectionId", "DestinationPort", "BytesSent", "BytesReceived")}
        for edge in range(self.edges):
            client, server, port = edge % self.machines, (edge * 7 + edge // self.machines + 1) % self.machines, 8000 + edge // self.machines % PORTS
            sent = 5000 + edge * 13
            for outbound in (True, False):
                at, program = (client, f"client-{edge % 5}") if outbound else (server, f"server-{port}")
                row = (f"m-{at:08x}-0000-4000-8000-000000000000", f"host{at}.example.com", f"p-{program}", program, "outbound" if outbound else "inbound",
                       address(client + 1), address(server + 1), address((server if outbound else client) + 1), f"{edge:024x}{outbound:08x}", port,
                       sent if outbound else 9 * sent, 9 * sent if outbound else sent)
                for column, value in zip(columns.values(), row):
                    column.append(value)
        rows = 2 * self.edges
        numbers = {"DestinationPort": pyarrow.int32()}
        made = {name: pyarrow.array(values, numbers.get(name)) for name, values in columns.items()}
        constant = {"LinksEstablished": 1, "LinksTerminated": 1, "LinksFailed": 0, "LinksLive": 2, "Responses": 4, "ResponseTimeSum": 40, "ResponseTimeMin": 5, "ResponseTimeMax": 15}
        made |= {name: pyarrow.array([value] * rows, pyarrow.int64()) for name, value in constant.items()}
        made["Protocol"] = pyarrow.array(["tcp"] * rows)
        return made

    def minutes(self, begin, count):
        """One row a minute of every end; each machine at its own second."""
        columns = self.connections()
        seconds = [int(name[2:10], 16) % 60 for name in columns["Machine"].to_pylist()]
        for minute in range(count):
            start = begin + minute * MINUTE
            columns["TimeGenerated"] = pyarrow.array([start + datetime.timedelta(seconds=n) for n in seconds], pyarrow.timestamp("us", "UTC"))
            self.add("VMConnection", columns)


    def live(self, stop):
        """The rows of the minute that has just ended, as a network sends them: each machine's at its own second of the next."""
        self.known.add("VMConnection")
        columns = self.connections()
        seconds = [int(name[2:10], 16) % 60 for name in columns["Machine"].to_pylist()]
        slices = [pyarrow.array([row for row, at in enumerate(seconds) if at == second]) for second in range(60)]
        slices = [{name: values.take(rows) for name, values in columns.items()} for rows in slices]
        while not stop.wait(1 - time.time() % 1):
            now = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
            rows = slices[now.second]
            moment = pyarrow.array([now - MINUTE] * len(rows["Machine"]), pyarrow.timestamp("us", "UTC"))
            self.add("VMConnection", {**rows, "TimeGenerated": moment})


def ask(product, begin, end):
    """Milliseconds until a map is computed (its answer begins) and until all of it is there, and its edges."""
    stamp = "%Y-%m-%dT%H:%M:%SZ"
    bearer = product.bearer()
    began = time.perf_counter()
    product.fresh().request("GET", f"/api/map?from={begin.strftime(stamp)}&to={end.strftime(stamp)}", headers={"Authorization": f"Bearer {bearer}"})
    answer = product.connection.getresponse()
    computed = (time.perf_counter() - began) * 1000
    body = answer.read()
    whole = (time.perf_counter() - began) * 1000
    if answer.status != 200:
        raise RuntimeError(f"{answer.status}: {body[:500]!r}")
    return computed, whole, len(json.loads(body)["edges"])


def medians(times):
    computed, whole = (statistics.median(one[at] for one in times) for at in (0, 1))
    return f"{computed:,.0f} ms, with its {whole - computed:,.0f} ms on the way {whole:,.0f} ms"


def measure(product: Product, machines: int, edges: int, hours: int, say):
    load = Load(product, machines, edges)
    now = datetime.datetime.now(datetime.timezone.utc).replace(second=0, microsecond=0)
    began = time.monotonic()
    load.minutes(now - datetime.timedelta(hours=hours), hours * 60)
    load.inventory(now - 2 * MINUTE)
    say("rows", f"{2 * edges * 60 * hours:,}, loaded in {time.monotonic() - began:.0f} s")
    windows = [("hour", 1, 200), ("day" if hours == 24 else f"{hours} hours", hours, 2000)]
    for name, length, _ in reversed(windows):
        _, first, found = ask(product, now - datetime.timedelta(hours=length), now)
        say(f"the last {name}, {found:,} edges: the first map after all rows came at once", f"{first:,.0f} ms")
    # Rows that came within the last seconds count as late, and their sums are made again: in a server that runs those are
    # few. From here on the network goes on sending, a sixtieth of its machines each second.
    load.minutes(now, max(0, (datetime.datetime.now(datetime.timezone.utc) - now) // MINUTE - 1))
    apart = multiprocessing.get_context("fork")
    stop = apart.Event()
    sender = apart.Process(target=Load(product, machines, edges, "live").live, args=(stop,), daemon=True)
    sender.start()
    time.sleep(2 * SETTLING)
    # one that waited is closed
    product.connection = product.connect()
    product.connection.connect()
    now = datetime.datetime.now(datetime.timezone.utc).replace(second=0, microsecond=0)
    for name, length, goal in windows:
        begin = now - datetime.timedelta(hours=length)
        ask(product, begin, now)
        again = [ask(product, begin, now) for _ in range(RUNS)]
        # the window moves on, as it does for who looks at it
        moved = [ask(product, begin + n * MINUTE, now + n * MINUTE) for n in range(1, RUNS + 1)]
        say(f"the last {name}: again, median of {RUNS}", f"{medians(again)} (goal {goal} ms)")
        say(f"the last {name}: a minute later each time, median of {RUNS}", f"{medians(moved)} (goal {goal} ms)")
    stop.set()
    sender.join()
