"""Service desks behind a proxy that fails, all alike for the tests: how each is connected, filled and looked at."""

import re
from datetime import datetime, timedelta, timezone

from emulators.cherwell import Cherwell
from emulators.provance import Provance
from emulators.service_manager import ServiceManager
from emulators.servicenow import ServiceNow
from fault_proxy import FaultProxy

QUEUE = "Helpdesk"


class Side:
    """A product with the proxy in front of it. `create` and `page` are requests that make a work item and that read a page
    of them, by line and body."""

    partner = ""
    page, page_body = "", ()
    # more than one page
    items = 540

    def __init__(self, desk, certificate=None, key=None):
        self.desk = desk
        self.proxy = FaultProxy(desk.url, certificate, key)
        self.keys = []

    def form(self):
        return {"name": self.partner, "partner": self.partner, "url": self.proxy.url, "days": 30, "workItems": ["Incident"],
                "authority": getattr(self.desk, "authority", ""), **self.secrets()}

    def secrets(self):
        raise NotImplementedError

    def fill(self):
        self.keys = [self.add(f"item {number}") for number in range(self.items)]

    # of one ticket: (key, whether it is open), by title
    def tickets(self, title):
        raise NotImplementedError

    def on_change(self, kind, key):
        """A fault of the request that changes a work item of this key."""
        return self.proxy.fault(kind, self.change.format(key=re.escape(key)))

    def on_note(self, kind, key):
        return self.on_change(kind, key)


class ServiceNowSide(Side):
    partner = "ServiceNow"
    create, page = r"^POST /api/now/table/incident", r"^GET /api/now/table/incident\?.*ORDERBYsys_updated_on"
    change = r"^PATCH /api/now/table/incident/{key}"

    def secrets(self):
        desk = self.desk
        return {"userName": desk.user, "password": desk.password, "clientId": desk.client_id, "clientSecret": desk.client_secret}

    def add(self, title):
        at = (datetime.now(timezone.utc) - timedelta(days=1)).strftime("%Y-%m-%d %H:%M:%S")
        return self.desk.incident(short_description=title, sys_updated_on=at)["sys_id"]

    def touch(self, key, title):
        self.desk.touch("incident", key, short_description=title)

    def tickets(self, title):
        with self.desk.lock:
            return [(one["sys_id"], one["state"] not in ("6", "7", "8")) for one in self.desk.tables["incident"].values()
                    if one["short_description"] == title]


class ServiceManagerSide(Side):
    partner = "ServiceManager"
    create, page = r"^POST /watchkeeper/v1/incidents", r"^GET /watchkeeper/v1/work-items/Incident\?.*limit=500"
    change = r"^PATCH /watchkeeper/v1/incidents/{key}"

    def secrets(self):
        return {"clientId": self.desk.client_id, "clientSecret": self.desk.client_secret}

    def add(self, title):
        return self.desk.put("Incident", title=title, lastModified=datetime.now(timezone.utc) - timedelta(days=1))["id"]

    def touch(self, key, title):
        self.desk.touch("Incident", key, title=title)

    def tickets(self, title):
        with self.desk.lock:
            return [(one["id"], one["state"] not in ("Resolved", "Closed")) for one in self.desk.items["Incident"].values() if one["title"] == title]


class ProvanceSide(Side):
    partner = "Provance"
    create, page = r"^PATCH .*/prv_incidents\(", r"^GET .*/prv_incidents\?(?!.*ge 9999).*orderby=modifiedon"
    change = r"^PATCH .*/prv_incidents\({key}"

    def __init__(self, desk, *certificate):
        super().__init__(desk, *certificate)
        desk.behind = self.proxy.url

    def secrets(self):
        return {"userName": self.desk.user, "password": self.desk.password, "clientId": self.desk.client_id}

    def add(self, title):
        # in one second as many as the product is asked for at once would be a page that has to grow
        at = datetime.now(timezone.utc) - timedelta(days=1, seconds=-(len(self.desk.rows["prv_incident"]) // 300))
        return self.desk.incident(prv_title=title, modifiedon=at)["prv_incidentid"]

    def touch(self, key, title):
        self.desk.touch("prv_incident", key, prv_title=title)

    def tickets(self, title):
        with self.desk.lock:
            return [(key, one["statecode"] == 0) for key, one in self.desk.rows["prv_incident"].items() if one["prv_title"] == title]

    def on_note(self, kind, key):
        return self.proxy.fault(kind, r"^PATCH .*/annotations\(", body=key)


class CherwellSide(Side):
    partner = "Cherwell"
    create, page = r"savebusinessobject", r"getsearchresults"

    def __init__(self, desk, *certificate):
        super().__init__(desk, *certificate)
        self.page_body = ('"pageSize":500', desk.fields["Incident"]["LastModDateTime"])

    def secrets(self):
        return {"userName": self.desk.user, "password": self.desk.password, "clientId": self.desk.client_id}

    def add(self, title):
        at = datetime.now(timezone.utc) - timedelta(days=1, seconds=-60 * (len(self.desk.records["Incident"]) // 300))
        return self.desk.put("Incident", ShortDescription=title, Description="", LastModDateTime=at)["RecID"]

    def touch(self, key, title):
        with self.desk.lock:
            self.desk.records["Incident"][key].update(ShortDescription=title, LastModDateTime=datetime.now(timezone.utc))

    def tickets(self, title):
        with self.desk.lock:
            return [(key, one["Status"] not in ("Resolved", "Closed")) for key, one in self.desk.records["Incident"].items()
                    if one["ShortDescription"] == title]

    def on_change(self, kind, key):
        return self.proxy.fault(kind, self.create, body=key)


class RequestTrackerSide(Side):
    partner = "RequestTracker"
    create, page = r"^POST /REST/2.0/ticket$", r"^GET /REST/2.0/tickets\?.*Queue = 'Helpdesk' AND .*LastUpdated"
    change = r"^PUT /REST/2.0/ticket/{key}$"
    items = 60

    def __init__(self, tracker):
        super().__init__(tracker)

    def secrets(self):
        return {"userName": "integration", "password": "Geheim-1!", "places": {"Incident": QUEUE}}

    def fill(self):
        self.keys = self.desk.add_tickets([f"item {number}" for number in range(self.items)], queue=QUEUE)

    def touch(self, key, title):
        self.desk.rest("PUT", f"/ticket/{key}", {"Subject": title})

    def tickets(self, title):
        found = self.desk.rest("GET", f"/tickets?query=Queue = '{QUEUE}' AND Subject = '{title}'&fields=Status&per_page=100")
        return [(str(one["id"]), one["Status"] not in ("resolved", "rejected")) for one in found["items"]]

    def on_note(self, kind, key):
        return self.proxy.fault(kind, rf"^POST /REST/2.0/ticket/{key}/comment$")


def emulated(folder, partners):
    """Those of the products that are emulated, each behind a proxy of its own."""
    sides = [(ServiceNowSide, ServiceNow), (ServiceManagerSide, ServiceManager), (ProvanceSide, Provance), (CherwellSide, Cherwell)]
    made = []
    for side, product in [pair for pair in sides if pair[0].partner in partners]:
        place = folder / side.partner
        desk = product(place)
        made.append(side(desk, str(place / "desk.pem"), str(place / "desk.key")))
    return made
