"""System Center Service Manager behind the web application of `integrations/service-manager`: its contract (docs/itsm.md),
and of Service Manager itself what its public documents say: classes with enumerations and display strings, numbers with
prefixes, priorities from urgency and impact, closed incidents that stay as they are, templates of the incident's
projection, user roles.
"""

import secrets
import time
import uuid
from datetime import datetime, timedelta, timezone

from .desk import Answer, Desk

API = "/watchkeeper/v1"
KINDS = ("Incident", "ChangeRequest")
STATUS = {"Incident": ["Active", "Pending", "Resolved", "Closed"],
          "ChangeRequest": ["New", "In Progress", "On Hold", "Failed", "Completed", "Cancelled", "Closed"]}
LEVELS = {1: "High", 2: "Medium", 3: "Low"}
# the table of priorities as the product comes: urgency, impact
PRIORITY = {("High", "High"): "1", ("High", "Medium"): "2", ("Medium", "High"): "2", ("Medium", "Medium"): "5"}
# properties of the class with their enumerations, and the members of the contract that show them
FIELDS = {"Urgency": list(LEVELS.values()), "Impact": list(LEVELS.values()), "TierQueue": ["Tier 1", "Tier 2"],
          "Classification": ["Configuration Data Problems", "E-Mail Problems", "Hardware Problems", "Networking Problems"],
          "Source": ["Console", "E-Mail", "Operations Manager", "Phone", "Portal", "System"]}
SHOWN = {"Urgency": "urgency", "Impact": "impact", "Classification": "category", "Source": "source", "TierQueue": "tierQueue"}
DATES = ("created", "resolved", "closed", "required", "plannedStart", "plannedEnd", "actualStart", "actualEnd")


def refused(status, code, message):
    return Answer(status, {"error": {"code": code, "message": message}})


def shown(at):
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03}Z"


class ServiceManager(Desk):
    def __init__(self, folder, port=0):
        self.client_id, self.client_secret = str(uuid.uuid4()), "Geheim 3!"
        self.may_read = self.may_write = True
        # whether the Data Access Service answers
        self.is_up = True
        self.tokens = {}
        self.items = {kind: {} for kind in KINDS}
        self.notes, self.computers = {}, {}
        self.numbers = {"Incident": 100, "ChangeRequest": 200}
        self.templates = {"Disk": {"projection": "System.WorkItem.Incident.ProjectionType", "Classification": "Hardware Problems", "Impact": "Low"},
                          "Other": {"projection": "System.WorkItem.Incident.View.ProjectionType"}}
        self.people = ["CONTOSO\\beth", "CONTOSO\\don"]
        super().__init__(folder, port=port)

    def put(self, kind, /, **fields):
        """A work item as somebody made it; times are given in UTC."""
        with self.lock:
            now = datetime.now(timezone.utc)
            self.numbers[kind] += 1
            item = {"id": str(uuid.uuid4()), "number": f"{'IR' if kind == 'Incident' else 'CR'}{self.numbers[kind]}", "lastModified": now,
                    "state": STATUS[kind][0], "title": "", "description": "", "urgency": "Low", "impact": "Low", "priority": "9",
                    "createdBy": self.people[0], "created": now, "configurationItems": [], "correlationId": ""}
            item.update(fields)
            self.items[kind][item["id"]] = item
            return item

    def touch(self, kind, key, **fields):
        with self.lock:
            self.items[kind][key].update(fields, lastModified=datetime.now(timezone.utc))

    def remove(self, kind, key):
        with self.lock:
            del self.items[kind][key]

    def end_tokens(self):
        with self.lock:
            self.tokens.clear()

    def work(self, request):
        if not request.path.startswith(f"{API}/"):
            return Answer(404, "<html><body>Not Found</body></html>", kind="text/html")
        parts = request.path.removeprefix(f"{API}/").split("/")
        if (request.method, parts) == ("POST", ["token"]):
            return self.token(request)
        kind, _, token = (request.headers.get("Authorization") or "").partition(" ")
        if kind != "Bearer" or self.tokens.get(token, 0) < time.monotonic():
            return refused(401, "Unauthorized", "the token is unknown or has ended")
        if not self.is_up:
            return refused(503, "Unavailable", "the System Center Data Access Service does not answer")
        match request.method, parts:
            case "GET", ["about"]:
                return Answer(200, {"product": "System Center Service Manager", "version": "10.22.1068.0", "contract": 1,
                                    "user": "CONTOSO\\watchkeeper", "mayWrite": self.may_write})
            case "GET", ["configuration"]:
                return Answer(200, self.configuration())
            case "GET", ["work-items", kind] if kind in KINDS:
                return self.changed(kind, request.query, {"changedSince", "afterId", "limit"})
            case "GET", ["work-items", kind, "ids"] if kind in KINDS:
                return self.ids(kind, request.query)
            case "GET", ["incidents"]:
                wanted = request.query["correlationId"]
                found = [one for one in self.items["Incident"].values() if one["correlationId"] == wanted]
                return Answer(200, {"items": [self.ticket(one) for one in sorted(found, key=lambda one: one["created"])]})
            case "POST", ["incidents"]:
                return self.create(request.json())
            case "PATCH", ["incidents", key]:
                return self.change(key, request.json())
        return refused(404, "UnknownRoute", f"{request.method} {request.path} is not part of the contract")

    def token(self, request):
        form = request.form()
        if form.get("grant_type") != "client_credentials":
            return Answer(400, {"error": "unsupported_grant_type"})
        if form.get("client_id") != self.client_id:
            return Answer(401, {"error": "invalid_client", "error_description": "the client ID is not known"})
        if form.get("client_secret") != self.client_secret:
            return Answer(401, {"error": "invalid_client", "error_description": "the client secret is wrong"})
        token = secrets.token_urlsafe(32)
        self.tokens[token] = time.monotonic() + 1800
        return Answer(200, {"access_token": token, "token_type": "Bearer", "expires_in": 1800})

    def readable(self):
        if not self.may_read:
            raise refused(403, "Forbidden", "CONTOSO\\watchkeeper may not read work items")

    def changed(self, kind, query, known):
        self.readable()
        if set(query) - known:
            return refused(400, "UnknownParameter", f"{sorted(set(query) - known)}")
        place = (query["changedSince"], query.get("afterId"))
        datetime.strptime(place[0], "%Y-%m-%dT%H:%M:%S.%fZ")
        ordered = sorted(self.items[kind].values(), key=lambda one: (shown(one["lastModified"]), one["id"]))
        if place[1] is None:
            behind = [one for one in ordered if shown(one["lastModified"]) >= place[0]]
        else:
            behind = [one for one in ordered if (shown(one["lastModified"]), one["id"]) > place]
        page = behind[:int(query["limit"])]
        return Answer(200, {"items": [self.shown(one) for one in page], "more": len(behind) > len(page), "total": len(behind)})

    def ids(self, kind, query):
        self.readable()
        since, after = query["changedSince"], query.get("afterId", "")
        found = sorted(key for key, one in self.items[kind].items() if shown(one["lastModified"]) >= since and key > after)
        limit = int(query["limit"])
        return Answer(200, {"ids": found[:limit], "more": len(found) > limit})

    @staticmethod
    def shown(item):
        out = {name: value for name, value in item.items() if name != "correlationId"}
        for name in ("lastModified", *DATES):
            if isinstance(out.get(name), datetime):
                out[name] = shown(out[name].astimezone(timezone.utc))
        return out

    def configuration(self):
        offered = [name for name, one in self.templates.items() if one["projection"] == "System.WorkItem.Incident.ProjectionType"]
        return {
            "templates": [{"name": name, "table": "Incident", "fields": {}} for name in offered],
            "fields": [{"name": name, "label": name, "table": "Incident",
                        "choices": [{"value": value, "label": value} for value in values]} for name, values in FIELDS.items()],
            "users": [{"id": name, "name": name} for name in self.people], "groups": [{"id": "Tier 1", "name": "Tier 1"}]}

    @staticmethod
    def ticket(item):
        return {"id": item["id"], "number": item["number"], "state": item["state"], "open": item["state"] not in ("Resolved", "Closed"), "link": ""}

    def writable(self):
        if not self.may_write:
            raise refused(403, "Forbidden", "CONTOSO\\watchkeeper may not write incidents")

    def create(self, body):
        self.writable()
        wanted = {"correlationId", "title", "description", "urgency", "impact", "configurationItem", "createConfigurationItem", "template", "fields"}
        if set(body) != wanted:
            return refused(400, "InvalidValue", f"the body has {sorted(body)}")
        known = [one for one in self.items["Incident"].values() if one["correlationId"] == body["correlationId"]]
        if known:
            return Answer(200, self.ticket(known[0]))
        chosen = {}
        if body["template"]:
            template = self.templates.get(body["template"])
            if template is None or template["projection"] != "System.WorkItem.Incident.ProjectionType":
                return refused(400, "UnknownTemplate", f"there is no template {body['template']!r} of the incident's projection type")
            chosen.update((name, value) for name, value in template.items() if name != "projection")
        chosen.update(Urgency=LEVELS[body["urgency"]], Impact=LEVELS[body["impact"]], Source="System")
        for name, value in body["fields"].items():
            if name not in FIELDS:
                return refused(400, "UnknownField", f"an incident has no field {name!r}")
            if value not in FIELDS[name]:
                return refused(400, "InvalidValue", f"{name} cannot be {value!r}")
            chosen[name] = value
        fields = {SHOWN[name]: value for name, value in chosen.items()}
        name = body["configurationItem"]
        computers = [known for known in self.computers if known.lower() in (name.lower(), name.split(".")[0].lower())] if name else []
        if name and not computers and body["createConfigurationItem"]:
            self.computers[name] = str(uuid.uuid4())
            computers = [name]
        fields["priority"] = PRIORITY.get((fields["urgency"], fields["impact"]), "9")
        item = self.put("Incident", title=body["title"], description=body["description"], correlationId=body["correlationId"],
                        configurationItems=computers, **fields)
        return Answer(201, self.ticket(item))

    def change(self, key, body):
        self.writable()
        item = self.items["Incident"].get(key)
        if item is None:
            return refused(404, "NotFound", f"there is no incident {key}")
        outcome = body["outcome"]
        if item["state"] == "Closed" and outcome != "close":
            return refused(409, "Closed", f"{item['number']} is closed")
        now = datetime.now(timezone.utc)
        if body["note"]:
            self.notes.setdefault(key, []).append(body["note"])
        if outcome == "resolve" and item["state"] not in ("Resolved", "Closed"):
            item.update(state="Resolved", resolved=now, resolvedBy="CONTOSO\\watchkeeper")
        elif outcome == "close" and item["state"] != "Closed":
            item.update(state="Closed", closed=now, closedBy="CONTOSO\\watchkeeper")
        elif outcome == "reopen" and item["state"] == "Resolved":
            item.update(state="Active", resolved=None, resolvedBy="")
        elif outcome not in ("note", "resolve", "close", "reopen"):
            return refused(400, "InvalidValue", f"outcome cannot be {outcome!r}")
        item["lastModified"] = now
        return Answer(200, self.ticket(item))


def ago(**span):
    return datetime.now(timezone.utc) - timedelta(**span)
