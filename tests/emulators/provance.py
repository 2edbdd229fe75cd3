"""Provance on Microsoft Dataverse, from Microsoft's public documents ("Use the Microsoft Dataverse Web API": queries, pages,
metadata, upserts, errors, service protection limits; "Use OAuth authentication with Dataverse"; the error codes of Microsoft
Entra): the parts that connections use. The tables have a publisher's prefix and names of this emulator's own.

Times have whole seconds. What a query names and the table does not have is an error, as in the product.
"""

import json
import re
import secrets
import time
import uuid
from datetime import datetime, timezone
from urllib.parse import quote, unquote

from .desk import Answer, Desk

API = "/api/data/v9.2"
TENANT = "6f8e8f6a-52f5-44a8-8be7-2d3cdd0bd6a5"
FORMATTED = "OData.Community.Display.V1.FormattedValue"
LEVELS = {100000000: "High", 100000001: "Medium", 100000002: "Low"}
STATES = {0: "Active", 1: "Inactive"}
# reason: label, state
REASONS = {1: ("New", 0), 100000001: ("In Progress", 0), 2: ("Closed", 1), 100000003: ("Resolved", 1)}
COMMON = {
    "statecode": ("State", "Status", STATES), "statuscode": ("Status", "Status Reason", REASONS), "ownerid": ("Owner", "Owner", "systemuser"),
    "createdby": ("Lookup", "Created By", "systemuser"), "createdon": ("DateTime", "Created On", None),
    "modifiedon": ("DateTime", "Modified On", None)}
WORK = {
    "prv_title": ("String", "Title", None), "prv_description": ("Memo", "Description", None), "prv_urgency": ("Picklist", "Urgency", LEVELS),
    "prv_impact": ("Picklist", "Impact", LEVELS), "prv_priority": ("Picklist", "Priority", {1: "1", 2: "2", 3: "3"}),
    "prv_number": ("String", "Number", None), "prv_category": ("String", "Category", None),
    "prv_primaryci": ("Lookup", "Primary CI", "prv_configurationitem"), "prv_closedby": ("Lookup", "Closed By", "systemuser"),
    "prv_field27": ("DateTime", "Closed On", None)}
# logical name: set, label, primary name, columns; the primary key is the logical name with "id" behind it
TABLES = {
    "prv_incident": ("prv_incidents", "Incident", "prv_title", {
        **COMMON, **WORK, "prv_escalated": ("Boolean", "Escalated", None), "prv_origin": ("Picklist", "Origin", {1: "Phone", 2: "Event"}),
        "prv_resolvedby": ("Lookup", "Resolved By", "systemuser"), "prv_resolvedon": ("DateTime", "Resolved On", None)}),
    "prv_change": ("prv_changes", "Change Request", "prv_title", {
        **COMMON, **WORK, "prv_risk": ("Picklist", "Risk", LEVELS), "prv_changetype": ("Picklist", "Change Type", {1: "Normal", 2: "Emergency"}),
        "prv_plannedstart": ("DateTime", "Planned Start", None), "prv_plannedend": ("DateTime", "Planned End", None)}),
    "prv_configurationitem": ("prv_configurationitems", "Configuration Item", "prv_name", {**COMMON, "prv_name": ("String", "Name", None)}),
    "incident": ("incidents", "Case", "title", {**COMMON, "title": ("String", "Case Title", None), "ticketnumber": ("String", "Case Number", None)}),
    "systemuser": ("systemusers", "User", "fullname", {"fullname": ("String", "Full Name", None), "isdisabled": ("Boolean", "Status", None),
                                                       "modifiedon": ("DateTime", "Modified On", None)}),
    "team": ("teams", "Team", "name", {"name": ("String", "Team Name", None), "modifiedon": ("DateTime", "Modified On", None)}),
    "annotation": ("annotations", "Note", "subject", {
        "subject": ("String", "Title", None), "notetext": ("Memo", "Description", None), "objectid": ("Lookup", "Regarding", "prv_incident"),
        "modifiedon": ("DateTime", "Modified On", None)}),
}
SETS = {one[0]: logical for logical, one in TABLES.items()}


def refused(status, code, message):
    return Answer(status, {"error": {"code": code, "message": message}})


def label(text):
    return {"LocalizedLabels": [{"Label": text, "LanguageCode": 1033}], "UserLocalizedLabel": {"Label": text, "LanguageCode": 1033}}


def at(text):
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc)


def written(value):
    return value.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


class Provance(Desk):
    def __init__(self, folder, port=0):
        self.user, self.password, self.client_id = "integration@contoso.example", "Geheim 4!", str(uuid.uuid4())
        self.is_public, self.may = True, {"read", "write"}
        self.tokens, self.refresh_tokens = {}, set()
        self.rows = {logical: {} for logical in TABLES}
        self.limit, self.version, self.number = None, 1000, 1000
        self.ordered = {}
        super().__init__(folder, port=port)
        self.people = {name: self.put("systemuser", fullname=name, isdisabled=False)["systemuserid"] for name in ("Beth Anglin", "Don Goodliffe")}
        self.put("team", name="Service Desk")

    def put(self, logical, key=None, /, **fields):
        """A row as it is imported; times are given in UTC."""
        with self.lock:
            now = datetime.now(timezone.utc).replace(microsecond=0)
            self.version += 1
            row = {f"{logical}id": key or str(uuid.uuid4()), "createdon": now, "modifiedon": now, "version": self.version}
            columns = TABLES[logical][3]
            if "statecode" in columns:
                row.update(statecode=0, statuscode=1)
            if "prv_number" in columns:
                self.number += 1
                row["prv_number"] = f"{'I' if logical == 'prv_incident' else 'C'}-{self.number}"
            row.update({name: value.replace(microsecond=0) if isinstance(value, datetime) else value for name, value in fields.items()})
            self.rows[logical][row[f"{logical}id"]] = row
            self.ordered.pop(logical, None)
            return row

    def incident(self, **fields):
        return self.put("prv_incident", **{"createdby": self.people["Beth Anglin"], "ownerid": self.people["Don Goodliffe"], **fields})

    def touch(self, logical, key, **fields):
        with self.lock:
            self.version += 1
            now = datetime.now(timezone.utc).replace(microsecond=0)
            self.rows[logical][key].update(fields, modifiedon=now, version=self.version)
            self.ordered.pop(logical, None)

    def remove(self, logical, key):
        with self.lock:
            del self.rows[logical][key]
            self.ordered.pop(logical, None)

    def end_tokens(self):
        with self.lock:
            self.tokens.clear()

    def work(self, request):
        if request.path == f"/{TENANT}/oauth2/v2.0/token":
            return self.token(request)
        if not request.path.startswith(f"{API}/"):
            return Answer(404, "<html><body>Not Found</body></html>", kind="text/html")
        kind, _, token = (request.headers.get("Authorization") or "").partition(" ")
        if kind != "Bearer" or self.tokens.get(token, 0) < time.monotonic():
            where = f"Bearer authorization_uri={self.url}/{TENANT}/oauth2/authorize, resource_id={self.url}/"
            return Answer(401, "", {"WWW-Authenticate": where}, kind="text/plain")
        if self.limit is not None:
            if self.limit <= 0:
                return Answer(429, {"error": {"code": "0x80072322", "message": "Number of requests exceeded the limit of 6000 over time window of "
                                              "300 seconds."}}, {"Retry-After": "1"})
            self.limit -= 1
        if request.headers.get("OData-Version") != "4.0":
            return refused(400, "0x80060888", "the client names no version of OData")
        path = unquote(request.path.removeprefix(f"{API}/"))
        if path == "WhoAmI":
            return Answer(200, {"BusinessUnitId": TENANT, "UserId": TENANT, "OrganizationId": TENANT})
        if path == "RetrieveVersion()":
            return Answer(200, {"Version": "9.2.25111.182"})
        if path.startswith("EntityDefinitions"):
            return self.metadata(request, path)
        found = re.fullmatch(r"(\w+)(?:\(([0-9a-f-]{36})\))?", path)
        if found is None or found[1] not in SETS:
            return refused(404, "0x80060888", f"Resource not found for the segment '{path}'.")
        logical, key = SETS[found[1]], found[2]
        if ("read" if request.method == "GET" else "write") not in self.may:
            return refused(403, "0x80040220", f"Principal user is missing prv{'Read' if request.method == 'GET' else 'Create'}{logical} privilege")
        match request.method, key:
            case "GET", None:
                return self.query(request, logical)
            case "GET", _:
                return self.one(request, logical, key)
            case "PATCH", str():
                return self.upsert(request, logical, key)
        return refused(405, "0x80060888", "the method is not allowed here")

    def token(self, request):
        form = request.form()

        def denied(status, error, number, text):
            return Answer(status, {"error": error, "error_codes": [number], "error_description": f"AADSTS{number}: {text}\r\nTrace ID: 1"})
        if form.get("client_id") != self.client_id:
            return denied(400, "unauthorized_client", 700016, f"Application with identifier '{form.get('client_id')}' was not found in the directory.")
        if not self.is_public and "client_secret" not in form:
            return denied(401, "invalid_client", 7000218, "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.")
        if form.get("scope", "").split(" ")[0] != f"{self.audience(request)}/.default":
            return denied(400, "invalid_scope", 70011, "The provided value for the input parameter 'scope' is not valid.")
        if form.get("grant_type") == "password":
            if form.get("username") != self.user:
                return denied(400, "invalid_grant", 50034, "The user account does not exist in the directory.")
            if form.get("password") != self.password:
                return denied(400, "invalid_grant", 50126, "Error validating credentials due to invalid username or password.")
        elif form.get("grant_type") != "refresh_token" or form.get("refresh_token") not in self.refresh_tokens:
            return denied(400, "invalid_grant", 700082, "The refresh token has expired due to inactivity.")
        token, refresh = secrets.token_urlsafe(40), secrets.token_urlsafe(40)
        self.tokens[token] = time.monotonic() + 3600
        self.refresh_tokens.add(refresh)
        return Answer(200, {"token_type": "Bearer", "scope": form["scope"], "expires_in": 3599, "access_token": token, "refresh_token": refresh})

    # the address that clients know it by, where something stands in front of it
    behind = None

    def audience(self, _request):
        return self.behind or self.url

    def metadata(self, request, path):
        if path == "EntityDefinitions":
            return Answer(200, {"value": [
                {"LogicalName": logical, "EntitySetName": one[0], "DisplayName": label(one[1]), "PrimaryIdAttribute": f"{logical}id",
                 "PrimaryNameAttribute": one[2], "IsCustomEntity": logical.startswith("prv_")} for logical, one in TABLES.items()]})
        found = re.fullmatch(r"EntityDefinitions\(LogicalName='(\w+)'\)/(\w+)(?:/Microsoft\.Dynamics\.CRM\.(\w+))?", path)
        if found is None or found[1] not in TABLES:
            return refused(404, "0x80060888", f"Resource not found for the segment '{path}'.")
        logical, what, cast = found.groups()
        columns = TABLES[logical][3]
        if what == "ManyToOneRelationships":
            return Answer(200, {"value": [
                {"ReferencingAttribute": name, "ReferencedEntity": target, "ReferencingEntityNavigationPropertyName": f"{name}_nav"}
                for name, (kind, _, target) in columns.items() if kind in ("Lookup", "Owner")]})
        if cast is None:
            return Answer(200, {"value": [{"LogicalName": name, "AttributeType": kind, "DisplayName": label(text)}
                                          for name, (kind, text, _) in columns.items()]
                                + [{"LogicalName": f"{logical}id", "AttributeType": "Uniqueidentifier", "DisplayName": label("Id")}]})
        if "OptionSet" not in request.query.get("$expand", ""):
            return refused(400, "0x80060888", "options come with $expand alone")
        value = []
        for name, (kind, _, options) in columns.items():
            if f"{kind}AttributeMetadata" == cast:
                shown = [{"Value": number, "Label": label(text[0] if kind == "Status" else text), **({"State": text[1]} if kind == "Status" else {})}
                         for number, text in options.items()]
                value.append({"LogicalName": name, "OptionSet": {"Options": shown}, "GlobalOptionSet": None})
        return Answer(200, {"value": value})

    def column(self, logical, name):
        """The column that a property of a row is of."""
        columns = TABLES[logical][3]
        if name == f"{logical}id":
            return name
        referred = re.fullmatch(r"_(\w+)_value", name)
        if referred and columns.get(referred[1], ("",))[0] in ("Lookup", "Owner"):
            return referred[1]
        if name in columns and columns[name][0] not in ("Lookup", "Owner"):
            return name
        raise refused(400, "0x80060888", f"Could not find a property named '{name}' on type 'Microsoft.Dynamics.CRM.{logical}'.")

    def chosen(self, request, logical):
        names = [name for name in request.query.get("$select", "").split(",") if name]
        return {name: self.column(logical, name) for name in names}

    def query(self, request, logical):
        query = request.query
        unknown = set(query) - {"$select", "$filter", "$orderby", "$top", "$count", "$skiptoken"}
        if unknown:
            return refused(400, "0x80060888", f"The query parameter {sorted(unknown)} is not supported")
        names, test = self.chosen(request, logical), self.condition(logical, query.get("$filter", ""))
        orders = tuple(self.column(logical, part.split(" ")[0]) for part in query.get("$orderby", f"{logical}id").split(","))
        kept = self.ordered.setdefault(logical, {})
        if orders not in kept:
            kept[orders] = sorted(self.rows[logical].values(), key=lambda row: tuple(row.get(name) or "" for name in orders))
        found = [row for row in kept[orders] if test(row)]
        preferred = request.headers.get("Prefer") or ""
        size = re.search(r"odata\.maxpagesize=(\d+)", preferred)
        size = min(int(size[1]), 5000) if size else 5000
        begin = 0
        if "$skiptoken" in query:
            # a cookie holds the last row of the page before
            last = json.loads(query["$skiptoken"])
            begin = next((place for place, row in enumerate(found) if [self.plain(row.get(name)) for name in orders] > last), len(found))
        page = found[begin:begin + min(size, int(query.get("$top", 5000)))]
        body = {"value": [self.shown(request, logical, row, names) for row in page]}
        if query.get("$count") == "true":
            body["@odata.count"] = min(len(found), 5000)
        if "$top" not in query and begin + len(page) < len(found):
            token = json.dumps([self.plain(page[-1].get(name)) for name in orders])
            rest = "&".join(f"{quote(name)}={quote(value)}" for name, value in query.items() if name != "$skiptoken")
            body["@odata.nextLink"] = f"{self.url}{request.path}?{rest}&%24skiptoken={quote(token)}"
        return Answer(200, body)

    @staticmethod
    def plain(value):
        return written(value) if isinstance(value, datetime) else value

    def condition(self, logical, text):
        if not text:
            return lambda row: True
        found = re.fullmatch(r"(\w+) (eq|ge|gt|le|lt) ('(?:[^']|'')*'|[\w:.-]+)", text)
        if found is None:
            raise refused(400, "0x80060888", f"Syntax error in '{text}'")
        name, operator, value = self.column(logical, found[1]), found[2], found[3]
        if value.startswith("'"):
            value = value[1:-1].replace("''", "'").lower()
            return lambda row: (row.get(name) or "").lower() == value
        if value in ("true", "false"):
            return lambda row: row.get(name) == (value == "true")
        value = at(value)
        tests = {"eq": lambda one: one == value, "ge": lambda one: one >= value, "gt": lambda one: one > value,
                 "le": lambda one: one <= value, "lt": lambda one: one < value}
        return lambda row: row.get(name) is not None and tests[operator](row[name])

    def shown(self, request, logical, row, names):
        wants = FORMATTED in (request.headers.get("Prefer") or "")
        out = {"@odata.etag": f'W/"{row["version"]}"', f"{logical}id": row[f"{logical}id"]}
        for name, column in names.items():
            value = row.get(column)
            out[name] = self.plain(value)
            kind, _, options = TABLES[logical][3].get(column, ("", "", None))
            if not wants or value is None:
                continue
            text = None
            if kind in ("Picklist", "State"):
                text = options[value]
            elif kind == "Status":
                text = options[value][0]
            elif kind in ("Lookup", "Owner"):
                target = TABLES[options]
                text = self.rows[options].get(value, {}).get(target[2], "")
            elif kind == "Boolean":
                text = "Yes" if value else "No"
            elif kind == "DateTime":
                text = value.strftime("%-m/%-d/%Y %-I:%M %p")
            if text is not None:
                out[f"{name}@{FORMATTED}"] = text
        return out

    def one(self, request, logical, key):
        row = self.rows[logical].get(key)
        if row is None:
            return refused(404, "0x80040217", f"Entity '{logical}' With Id = {key} Does Not Exist")
        return Answer(200, self.shown(request, logical, row, self.chosen(request, logical)))

    def upsert(self, request, logical, key):
        row = self.rows[logical].get(key)
        if request.headers.get("If-None-Match") == "*" and row is not None:
            return refused(412, "0x80040237", "A record with matching key values already exists.")
        if request.headers.get("If-Match") == "*" and row is None:
            return refused(404, "0x80040217", f"Entity '{logical}' With Id = {key} Does Not Exist")
        fields = self.taken(logical, request.json())
        names = self.chosen(request, logical)
        status = 201 if row is None else 200
        if row is None:
            if not fields.get(TABLES[logical][2]):
                return refused(400, "0x80040203", f"'{TABLES[logical][2]}' is required")
            row = self.put(logical, key, **fields)
        else:
            self.touch(logical, key, **fields)
        if "return=representation" not in (request.headers.get("Prefer") or ""):
            return Answer(204, None, {"OData-EntityId": f"{self.url}{request.path}"})
        return Answer(status, self.shown(request, logical, row, names))

    def taken(self, logical, body):
        columns, fields = TABLES[logical][3], {}
        for name, value in body.items():
            if name.endswith("@odata.bind"):
                bound = re.fullmatch(r"/(\w+)\(([0-9a-f-]{36})\)", value)
                place = name.removesuffix("@odata.bind")
                column = "objectid" if logical == "annotation" else place.removesuffix("_nav")
                right = place == f"objectid_{SETS.get(bound[1] if bound else '')}" if logical == "annotation" else place.endswith("_nav")
                if bound is None or not right or column not in columns:
                    raise refused(400, "0x80060888", f"An undeclared property '{place}' was found")
                if bound[2] not in self.rows[SETS[bound[1]]]:
                    raise refused(404, "0x80040217", f"Entity '{bound[1]}' With Id = {bound[2]} Does Not Exist")
                fields[column] = bound[2]
                continue
            kind, _, options = columns.get(name, (None, None, None))
            if kind is None or kind in ("Lookup", "Owner"):
                raise refused(400, "0x80060888", f"An undeclared property '{name}' was found")
            if kind in ("Picklist", "State", "Status") and value not in options:
                raise refused(400, "0x8004431A", f"A validation error occurred. The value {value} of '{name}' is outside of the valid range.")
            if kind in ("String", "Memo") and not isinstance(value, str):
                raise refused(400, "0x80060888", f"Cannot convert the value of '{name}' to Edm.String")
            fields[name] = value
        if "statuscode" in fields and REASONS[fields["statuscode"]][1] != fields.get("statecode", REASONS[fields["statuscode"]][1]):
            raise refused(400, "0x80048408", "The status code is not valid for the state")
        return fields

    def notes(self, key):
        return [note["notetext"] for note in self.rows["annotation"].values() if note.get("objectid") == key]
