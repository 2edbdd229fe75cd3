"""Cherwell Service Management: token endpoint and REST API, version 1, from its public documents ("Cherwell REST API":
business objects, search operations, security) — the parts that connections use.

Filters for one field are alternatives, those for different fields conditions. Times are shown in the service's own zone
and culture, in whole minutes.
"""

import secrets
import time
from datetime import datetime, timedelta, timezone

from .desk import Answer, Desk

API = "/CherwellAPI/api"
OFFSET = timedelta(hours=-7)
COMMON = ["RecID", "Status", "Urgency", "Impact", "Priority", "CreatedBy", "ClosedBy", "Source", "OwnedBy", "Category", "ShortDescription",
          "Description", "CreatedDateTime", "ClosedDateTime", "LastModDateTime", "ConfigItemDisplayName", "ConfigItemRecID"]
OBJECTS = {
    "Incident": COMMON + ["IncidentID", "Stat_DateTimeResolved", "CloseDescription"],
    "ChangeRequest": COMMON + ["ChangeID", "Type", "Risk", "ScheduledStartDate", "ScheduledEndDate", "ActualStartDate", "ActualEndDate",
                               "RequestedByDate"],
    "ConfigComputer": ["RecID", "HostName", "FriendlyName", "LastModDateTime", "CreatedDateTime"],
    "UserInfo": ["RecID", "FullName", "LastModDateTime", "CreatedDateTime"],
}
DATES = {name for names in OBJECTS.values() for name in names if "Date" in name}
STATUSES = ["New", "Assigned", "In Progress", "Pending", "Resolved", "Closed", "Reopened"]
VALUES = {"Status": STATUSES, "Priority": ["1", "2", "3", "4", "5"], "Urgency": ["High", "Medium", "Low"],
          "Impact": ["High", "Medium", "Low"]}
OPERATORS = {
    "eq": lambda value, wanted: str(value).lower() == wanted.lower(), "contains": lambda value, wanted: wanted.lower() in str(value).lower(),
    "startswith": lambda value, wanted: str(value).lower().startswith(wanted.lower()), "gt": lambda value, wanted: value > wanted,
    "lt": lambda value, wanted: value < wanted}


def failed(status, code, message):
    return Answer(status, {"errorCode": code, "errorMessage": message, "hasError": True})


class Cherwell(Desk):
    def __init__(self, folder, port=0):
        self.user, self.password, self.client_id = "Cherwell\\integration", "Geheim 2!", "5d4f6f1b-f0de-4442-8791-4582816b04de"
        self.may_read = set(OBJECTS)
        self.tokens, self.refresh_tokens = {}, set()
        self.ids = {name: secrets.token_hex(16) for name in OBJECTS}
        self.fields = {name: {field: f"BO:{self.ids[name]},FI:{secrets.token_hex(16)}" for field in fields} for name, fields in OBJECTS.items()}
        self.records = {name: {} for name in OBJECTS}
        self.numbers = {"Incident": 10_000, "ChangeRequest": 20_000}
        super().__init__(folder, port=port)
        for name in ("Beth Anglin", "Don Goodliffe"):
            self.put("UserInfo", FullName=name)

    def put(self, kind, /, **fields):
        """A record; times are given in UTC."""
        with self.lock:
            now = datetime.now(timezone.utc)
            record = {name: "" for name in OBJECTS[kind]}
            record.update(RecID=secrets.token_hex(21), CreatedDateTime=now, LastModDateTime=now)
            if kind in self.numbers:
                self.numbers[kind] += 1
                record["IncidentID" if kind == "Incident" else "ChangeID"] = str(self.numbers[kind])
                record.update(Status="New")
            record.update(fields)
            self.records[kind][record["RecID"]] = record
            return record

    def public_id(self, kind, record):
        return record.get("IncidentID") or record.get("ChangeID") or record["RecID"]

    def end_tokens(self):
        with self.lock:
            self.tokens.clear()

    def work(self, request):
        if request.path == "/CherwellAPI/token":
            return self.token(request)
        if not request.path.startswith(API):
            return Answer(404, "<html><body>404 - File or directory not found.</body></html>", kind="text/html")
        kind, _, token = (request.headers.get("Authorization") or "").partition(" ")
        if kind != "Bearer" or self.tokens.get(token, 0) < time.monotonic():
            return Answer(401, {"Message": "Authorization has been denied for this request."})
        parts = request.path.removeprefix(API).strip("/").split("/")
        if request.query.get("locale") != "en-US":
            return failed(400, "BadRequest", "the emulator's culture is en-US alone")
        match request.method, parts:
            case "GET", ["V1", "serviceinfo"]:
                return Answer(200, {"apiVersion": "10.2.2", "csmCulture": "en-US", "csmVersion": "10.2.2", "systemUtcOffset": "-07:00:00"})
            case "GET", ["V2", "getteams"]:
                return Answer(200, {"teams": [{"teamId": "1", "teamName": "2nd Level Support"}], "hasError": False})
            case "GET", ["V1", "getbusinessobjectsummary", "busobname", name]:
                known = name in OBJECTS and name in self.may_read
                return Answer(200, [{"name": name, "displayName": name, "busObId": self.ids[name]}] if known else [])
            case "POST", ["V1", "getbusinessobjecttemplate"]:
                kind = self.kind(request.json())
                fields = [{"name": name, "displayName": name, "fieldId": identity, "dirty": False, "value": ""}
                          for name, identity in self.fields[kind].items()]
                return Answer(200, {"fields": fields, "hasError": False})
            case "POST", ["V1", "getsearchresults"]:
                return self.search(request.json())
            case "GET", ["V1", "getbusinessobject", "busobid", identity, "busobrecid", record]:
                kind = self.kind({"busObId": identity})
                if record not in self.records[kind]:
                    return failed(404, "RECORDNOTFOUND", "Record not found")
                return Answer(200, self.shown(kind, self.records[kind][record], list(self.fields[kind])))
            case "POST", ["V1", "savebusinessobject"]:
                return self.save(request.json())
            case "POST", ["V1", "fieldvalueslookup"]:
                body = request.json()
                kind = self.kind(body)
                name = next((name for name, identity in self.fields[kind].items() if identity == body.get("fieldId")), None)
                if name not in VALUES:
                    return failed(400, "INVALIDFIELD", "The field has no table of values")
                return Answer(200, {"values": VALUES[name], "hasError": False})
        return Answer(404, {"Message": "No HTTP resource was found that matches the request URI"})

    def token(self, request):
        form = request.form()
        if form.get("client_id") != self.client_id:
            return Answer(400, {"error": "invalid_client_id", "error_description": f"Client '{form.get('client_id')}' is not registered in the system."})
        if form.get("grant_type") == "password" and request.query.get("auth_mode") == "Internal":
            if (form.get("username"), form.get("password")) != (self.user, self.password):
                return Answer(400, {"error": "invalid_grant", "error_description": "Specified login could not be authenticated."})
        elif form.get("grant_type") != "refresh_token" or form.get("refresh_token") not in self.refresh_tokens:
            return Answer(400, {"error": "invalid_grant", "error_description": "invalid_grant"})
        token, refresh = secrets.token_urlsafe(40), secrets.token_hex(16)
        self.tokens[token] = time.monotonic() + 1200
        self.refresh_tokens.add(refresh)
        return Answer(200, {"access_token": token, "token_type": "bearer", "expires_in": 1199, "refresh_token": refresh,
                            "as:client_id": self.client_id, "username": self.user})

    def kind(self, body):
        found = [name for name, identity in self.ids.items() if identity == body.get("busObId")]
        if not found:
            raise failed(400, "INVALIDBUSOB", "Business object not found")
        if found[0] not in self.may_read:
            raise failed(403, "NORIGHTS", "You do not have rights to this business object")
        return found[0]

    @staticmethod
    def local(value):
        """As the service shows a time: whole minutes, its own zone."""
        return (value.astimezone(timezone.utc) + OFFSET).strftime("%-m/%-d/%Y %-I:%M %p") if isinstance(value, datetime) else value

    def search(self, body):
        kind = self.kind(body)
        names = {identity: name for name, identity in self.fields[kind].items()}
        groups = {}
        for one in body.get("filters", []):
            if one["fieldId"] not in names or one["operator"] not in OPERATORS:
                return failed(400, "INVALIDFILTER", f"Filter is not valid: {one}")
            name, wanted = names[one["fieldId"]], one["value"]
            if name in DATES:
                wanted = (datetime.strptime(wanted, "%m/%d/%Y %I:%M %p") - OFFSET).replace(tzinfo=timezone.utc)
            groups.setdefault(name, []).append((OPERATORS[one["operator"]], wanted))
        found = [record for record in self.records[kind].values()
                 if all(any(test(record[name], wanted) for test, wanted in tests) for name, tests in groups.items())]
        for one in reversed(body.get("sorting", [])):
            found.sort(key=lambda record: record[names[one["fieldId"]]], reverse=one["sortDirection"] != 1)
        size, number = body.get("pageSize", 20), body.get("pageNumber", 1)
        page = found[(number - 1) * size:number * size]
        wanted = [names[identity] for identity in body.get("fields", [])]
        return Answer(200, {"businessObjects": [self.shown(kind, record, wanted) for record in page], "totalRows": len(found),
                            "hasError": False, "errorCode": None, "errorMessage": None})

    def shown(self, kind, record, wanted):
        fields = [{"fieldId": self.fields[kind][name], "name": name, "displayName": name, "dirty": False, "value": self.local(record[name])}
                  for name in wanted]
        return {"busObId": self.ids[kind], "busObRecId": record["RecID"], "busObPublicId": self.public_id(kind, record), "fields": fields,
                "hasError": False, "errorCode": None, "errorMessage": None}

    def save(self, body):
        kind = self.kind(body)
        names = {identity: name for name, identity in self.fields[kind].items()}
        changed = {}
        for field in body["fields"]:
            if field["fieldId"] not in names:
                return failed(400, "INVALIDFIELD", f"Field {field['fieldId']} not found")
            if field.get("dirty"):
                changed[names[field["fieldId"]]] = field["value"]
        status = changed.get("Status")
        if status is not None and status not in STATUSES:
            return Answer(200, {"busObRecId": None, "busObPublicId": None, "hasError": False, "fieldValidationErrors": [
                {"error": f"'{status}' is not a valid value for Status", "errorCode": "INVALIDVALUE", "fieldId": self.fields[kind]["Status"]}]})
        record = self.records[kind].get(body.get("busObRecId"))
        if body.get("busObRecId") and record is None:
            return failed(404, "RECORDNOTFOUND", "Record not found")
        if status in ("Resolved", "Closed") and not (changed.get("CloseDescription") or (record or {}).get("CloseDescription")):
            return failed(500, "REQUIREDFIELD", "Close Description is required")
        if record is None:
            record = self.put(kind)
        now = datetime.now(timezone.utc)
        record.update(changed, LastModDateTime=now)
        if status in ("Resolved", "Closed"):
            record["Stat_DateTimeResolved"] = now
        return Answer(200, {"busObRecId": record["RecID"], "busObPublicId": self.public_id(kind, record), "fieldValidationErrors": [],
                            "hasError": False})
