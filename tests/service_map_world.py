"""Rows of the map's four tables, as agents send them, for tests: machines, processes, ports, and who calls whom."""

import datetime
import uuid

TABLES = ("VMComputer", "VMProcess", "VMBoundPort", "VMConnection")


def text(time):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")


class World:
    """Rows of a few machines. Names are those of machines; identities are made once for each."""

    def __init__(self):
        self.rows = {table: [] for table in TABLES}
        self.machines = {}
        self.now = datetime.datetime.now(datetime.timezone.utc).replace(second=0, microsecond=0)

    def at(self, minutes_ago):
        """A whole minute before the world was made."""
        return self.now - datetime.timedelta(minutes=minutes_ago)

    def window(self, start, end):
        """From so many minutes ago to so many minutes ago, as text."""
        return text(self.at(start)), text(self.at(end))

    def machine(self, name, *addresses, family="linux", **columns):
        self.machines[name] = {"id": f"m-{uuid.uuid4()}", "addresses": addresses, "family": family, **columns}
        return self.machines[name]["id"]

    def _row(self, table, machine, time, **columns):
        known = self.machines[machine]
        self.rows[table].append({
            "TimeGenerated": text(time), "Computer": f"{machine}.example.com", "AgentId": known["id"][2:],
            "Machine": known["id"], **columns})

    def computer(self, name, time):
        known = self.machines[name]
        self._row(
            "VMComputer", name, time, DisplayName=name, FullDisplayName=f"{name}.example.com", HostName=name,
            OperatingSystemFamily=known["family"], OperatingSystemFullName="Debian GNU/Linux 13", BootTime=text(time),
            TimeZone="+00:00", VirtualizationState="virtual", VirtualMachineType="kvm", PhysicalMemoryMB=4096, Cpus=2,
            CpuSpeed=2400, Ipv4Addresses=list(known["addresses"]), Ipv4SubnetMasks=["255.255.255.0"] * len(known["addresses"]),
            Ipv4DefaultGateways=["10.0.0.254"], Ipv6Addresses=[], MacAddresses=["02:00:00:00:00:01"],
            DnsNames=[f"{name}.example.com"], DependencyAgentVersion="1.0")

    def process(self, machine, process, time, **columns):
        self._row(
            "VMProcess", machine, time, Process=f"p-{process}", ExecutableName=process, DisplayName=process.title(),
            UserName="www", CommandLine=f"/usr/bin/{process} --serve", ExecutablePath=f"/usr/bin/{process}", FirstPid=123,
            StartTime=text(time), WorkingDirectory="/", **columns)

    def port(self, machine, process, address, port, time):
        self._row(
            "VMBoundPort", machine, time, Process=f"p-{process}", ProcessName=process, Ip=address, Port=port, Protocol="tcp",
            IsWildcardBind=address == "0.0.0.0", PortId=f"{machine}{process}{address}{port}")

    def connection(self, machine, process, direction, source, destination, port, time, established=1, sent=1000, received=5000,
                   live=1, failed=0, dns=()):
        self._row(
            "VMConnection", machine, time, Process=f"p-{process}", ProcessName=process, Direction=direction, SourceIp=source,
            DestinationIp=destination, DestinationPort=port, Protocol="tcp",
            RemoteIp=source if direction == "inbound" else destination, LinksEstablished=established, LinksTerminated=0,
            LinksFailed=failed, LinksLive=live, BytesSent=sent, BytesReceived=received, Responses=2, ResponseTimeSum=30,
            ResponseTimeMin=10, ResponseTimeMax=20, RemoteDnsQuestions=",".join(dns),
            ConnectionId=str(uuid.uuid5(uuid.NAMESPACE_URL, f"{machine} {process} {direction} {source} {destination} {port}")))

    def call(self, client, server, source, destination, port, time, **figures):
        """A connection that both ends report; the ends are (machine, process)."""
        sent, received = figures.pop("sent", 1000), figures.pop("received", 5000)
        self.connection(*client, "outbound", source, destination, port, time, sent=sent, received=received, **figures)
        figures.pop("dns", None)
        self.connection(*server, "inbound", source, destination, port, time, sent=received, received=sent, **figures)

    def send(self, product):
        """Sends all rows through the Logs Ingestion API."""
        headers = {"Authorization": f"Bearer {product.token()}"}
        rules = f"{product.url}/api/workspaces/{product.ready['workspace_id']}/data-collection-rules"
        for table, rows in self.rows.items():
            flows = [{"streams": [f"Microsoft-{table}"], "destinations": ["here"], "transformKql": "source", "outputStream": f"Microsoft-{table}"}]
            destinations = {"logAnalytics": [{"name": "here", "workspaceId": product.ready["workspace_id"]}]}
            rule = product.session.put(
                f"{rules}/World{table}", headers=headers,
                json={"location": "here", "kind": "Direct", "properties": {"dataFlows": flows, "destinations": destinations}})
            assert rule.status_code in (200, 201), rule.text
            immutable = rule.json()["properties"]["immutableId"]
            for start in range(0, len(rows), 500):
                answer = product.session.post(
                    f"{product.url}/dataCollectionRules/{immutable}/streams/Microsoft-{table}?api-version=2023-01-01",
                    headers=headers, json=rows[start:start + 500])
                assert answer.status_code == 204, answer.text
        self.rows = {table: [] for table in TABLES}


def shop():
    """Two hours of a small shop: a web server, an application server and a database; before that another application server.

    Three hours ago `app1` served; since two hours `app2` does. Clients without an agent come to the web server, the
    application calls a mail server without one, and something on `app2` fails to reach the database.
    """
    world = World()
    world.machine("web", "10.0.0.1")
    world.machine("app1", "10.0.0.2")
    world.machine("app2", "10.0.0.3", "10.1.0.3")
    world.machine("db", "10.0.0.4", family="windows")
    for minutes_ago, app, address in [(170, "app1", "10.0.0.2"), (20, "app2", "10.0.0.3")]:
        then = world.at(minutes_ago)
        for name in ("web", app, "db"):
            world.computer(name, then)
        world.process("web", "nginx", then, Role="webServer", Group="nginx")
        world.process(app, "java", then, Role="appServer")
        world.process("db", "postgres", then, Role="databaseServer")
        for minute in range(3):
            time = then + datetime.timedelta(minutes=minute)
            world.port("web", "nginx", "0.0.0.0", 443, time)
            world.port(app, "java", address, 8080, time)
            world.port("db", "postgres", "10.0.0.4", 5432, time)
            world.connection("web", "nginx", "inbound", "203.0.113.7", "10.0.0.1", 443, time)
            world.connection("web", "nginx", "inbound", "203.0.113.8", "10.0.0.1", 443, time)
            world.call(("web", "nginx"), (app, "java"), "10.0.0.1", address, 8080, time)
            world.call((app, "java"), ("db", "postgres"), address, "10.0.0.4", 5432, time)
            world.connection(app, "java", "outbound", address, "198.51.100.25", 25, time, dns=["mail.example.net"])
            world.call((app, "redis-cli"), (app, "redis"), "127.0.0.1", "127.0.0.1", 6379, time)
        if app == "app2":
            world.connection("app2", "backup", "outbound", "10.1.0.3", "10.0.0.4", 4475, then, established=0, live=0, failed=3, sent=0, received=0)
    return world
