"""ServiceNow: OAuth token endpoint and Table API, from its public documents ("Table API", "Encoded query strings",
"Inbound REST API rate limiting", "OAuth inbound") and what its public clients meet.

Times are whole seconds in UTC; display values of times are in the user's time zone, as the product shows them.
"""

import base64
import secrets
import time
from datetime import datetime, timedelta, timezone

from .desk import Answer, Desk

HIBERNATING = Answer(
    200, "<!doctype html><html><head><title>Instance hibernating</title></head><body class=\"instance-hibernating-page\">"
    "<h1>Your instance is hibernating</h1><p>Sign in to the site to wake your instance</p></body></html>", kind="text/html")

CHOICES = {
    "incident.state": {"1": "New", "2": "In Progress", "3": "On Hold", "6": "Resolved", "7": "Closed", "8": "Canceled"},
    "change_request.state": {"-5": "New", "-4": "Assess", "-3": "Authorize", "-2": "Scheduled", "-1": "Implement", "0": "Review",
                             "3": "Closed", "4": "Canceled"},
    "urgency": {"1": "1 - High", "2": "2 - Medium", "3": "3 - Low"},
    "impact": {"1": "1 - High", "2": "2 - Medium", "3": "3 - Low"},
    "priority": {"1": "1 - Critical", "2": "2 - High", "3": "3 - Moderate", "4": "4 - Low", "5": "5 - Planning"},
    "escalation": {"0": "Normal", "1": "Moderate", "2": "High", "3": "Overdue"},
    "contact_type": {"monitoring": "Monitoring", "phone": "Phone", "email": "Email", "self-service": "Self-service"},
    "category": {"inquiry": "Inquiry / Help", "software": "Software", "hardware": "Hardware", "network": "Network"},
    "type": {"normal": "Normal", "standard": "Standard", "emergency": "Emergency"},
    "risk": {"2": "High", "3": "Moderate", "4": "Low"},
    "conflict_status": {"Not Run": "Not Run", "Conflict": "Conflict", "No Conflict": "No Conflict"},
}
TASK = ["sys_id", "number", "sys_created_on", "sys_created_by", "sys_updated_on", "sys_updated_by", "sys_mod_count", "active",
        "short_description", "description", "comments", "work_notes", "comments_and_work_notes", "state", "urgency", "impact",
        "priority", "escalation", "opened_at", "opened_by", "closed_at", "closed_by", "contact_type", "assigned_to",
        "assignment_group", "cmdb_ci", "correlation_id", "correlation_display", "close_notes", "work_start", "work_end", "upon_reject"]
TABLES = {
    "incident": TASK + ["category", "subcategory", "resolved_at", "resolved_by", "caller_id", "close_code", "reopen_count"],
    "change_request": TASK + ["category", "type", "risk", "requested_by", "requested_by_date", "start_date", "end_date",
                              "conflict_status"],
    "em_event": ["sys_id", "source", "node", "type", "resource", "metric_name", "severity", "description", "message_key", "state",
                 "additional_info", "sys_created_on", "sys_updated_on", "sys_mod_count"],
    "em_alert": ["sys_id", "number", "source", "node", "metric_name", "severity", "description", "message_key", "state", "active",
                 "work_notes", "incident", "sys_created_on", "sys_updated_on", "sys_mod_count"],
    "cmdb_ci": ["sys_id", "name", "fqdn", "ip_address", "sys_class_name", "discovery_source", "sys_created_on", "sys_updated_on",
                "sys_mod_count"],
    "sys_user": ["sys_id", "name", "user_name", "active", "email", "sys_created_on", "sys_updated_on", "sys_mod_count"],
    "sys_user_group": ["sys_id", "name", "active", "sys_created_on", "sys_updated_on", "sys_mod_count"],
    "sys_template": ["sys_id", "name", "table", "template", "active", "sys_created_on", "sys_updated_on", "sys_mod_count"],
    "sys_choice": ["sys_id", "name", "element", "value", "label", "inactive", "language", "sequence", "sys_created_on",
                   "sys_updated_on", "sys_mod_count"],
}
# a class of the CMDB and the table that its records are in
CLASSES = {"cmdb_ci_computer": "cmdb_ci", "cmdb_ci_server": "cmdb_ci"}
REFERENCES = {"opened_by": "sys_user", "closed_by": "sys_user", "resolved_by": "sys_user", "assigned_to": "sys_user",
              "requested_by": "sys_user", "caller_id": "sys_user", "assignment_group": "sys_user_group", "cmdb_ci": "cmdb_ci"}
DATES = {"opened_at", "closed_at", "resolved_at", "sys_created_on", "sys_updated_on", "requested_by_date", "start_date", "end_date",
         "work_start", "work_end"}
JOURNALS = {"comments", "work_notes", "comments_and_work_notes"}
OPERATORS = ["NOT IN", "!=", ">=", "<=", "ISNOTEMPTY", "ISEMPTY", "STARTSWITH", "ENDSWITH", "LIKE", "IN", "=", ">", "<"]
# impact and urgency give the priority (base system, "Priority data lookup")
PRIORITY = {("1", "1"): "1", ("1", "2"): "2", ("1", "3"): "3", ("2", "1"): "2", ("2", "2"): "3", ("2", "3"): "4", ("3", "1"): "3",
            ("3", "2"): "4", ("3", "3"): "5"}
NUMBERS = {"incident": ("INC", 7), "change_request": ("CHG", 7), "em_alert": ("Alert", 7)}
EVENT_TABLES = {"em_event", "em_alert"}
CONFIGURATION_TABLES = {"sys_template", "sys_choice", "sys_user_group", "sys_user"}
# the user's time zone
ZONE = timezone(timedelta(hours=-8))


def refused(status, message, detail=None):
    return Answer(status, {"error": {"message": message, "detail": detail}, "status": "failure"})


class ServiceNow(Desk):
    def __init__(self, folder, port=0):
        self.user, self.password = "integration", "Geheim 1!"
        self.client_id, self.client_secret = "f0c1a2", "s3cr=t&"
        self.roles = {"itil", "template_editor", "personalize_choices", "evt_mgmt_integration", "evt_mgmt_operator"}
        self.token_life, self.tokens, self.refresh_tokens = 1800, {}, set()
        self.client_active = True
        self.limit = None
        self.tables = {name: {} for name in TABLES}
        self.numbers = {name: 10_000 for name in NUMBERS}
        self.versions = {name: 0 for name in TABLES}
        self.orders = {}
        # fields that a client wrote and the table does not have
        self.ignored = []
        self.clock = lambda: datetime.now(timezone.utc)
        super().__init__(folder, port=port)
        self.people = {name: self.put("sys_user", name=name, user_name=name.lower().replace(" ", "."), active="true")["sys_id"]
                       for name in ("Beth Anglin", "Don Goodliffe", "Integration User")}
        for name in ("Hardware", "Network"):
            self.put("sys_user_group", name=name, active="true")
        self.put("sys_template", name="Disk", table="incident", active="true",
                 template="category=hardware^impact=1^urgency=1^EQ")
        for place, choices in CHOICES.items():
            table, _, element = place.rpartition(".")
            for value, label in choices.items():
                self.put("sys_choice", name=table or "task", element=element, value=value, label=label, inactive="false",
                         language="en", sequence="1")

    # what tests do to it

    def now(self):
        return self.clock().strftime("%Y-%m-%d %H:%M:%S")

    def put(self, table, /, **fields):
        """A record as an administrator would import it: rules do not run, times can be any."""
        with self.lock:
            record = {name: "" for name in TABLES[table]}
            record.update(sys_id=secrets.token_hex(16), sys_created_on=self.now(), sys_updated_on=self.now(), sys_mod_count="0")
            if table in NUMBERS and "number" not in fields:
                record["number"] = self.next_number(table)
            record.update(fields)
            self.tables[table][record["sys_id"]] = record
            self.versions[table] += 1
            return record

    def incident(self, **fields):
        defaults = {"state": "1", "urgency": "3", "impact": "3", "priority": "5", "escalation": "0", "contact_type": "phone",
                    "category": "inquiry", "opened_at": self.now(), "opened_by": self.people["Beth Anglin"], "active": "true"}
        return self.put("incident", **{**defaults, **fields})

    def change_request(self, **fields):
        defaults = {"state": "-5", "urgency": "3", "impact": "3", "priority": "4", "risk": "3", "type": "normal", "opened_at": self.now(),
                    "requested_by": self.people["Don Goodliffe"], "active": "true", "conflict_status": "Not Run", "escalation": "0"}
        return self.put("change_request", **{**defaults, **fields})

    def touch(self, table, key, **fields):
        """Somebody changes a record in the product."""
        with self.lock:
            record = self.tables[table][key]
            record.update(fields)
            self.changed(table, record)

    def remove(self, table, key):
        with self.lock:
            del self.tables[table][key]
            self.versions[table] += 1

    def end_tokens(self):
        with self.lock:
            self.tokens.clear()

    def end_refresh_tokens(self):
        with self.lock:
            self.refresh_tokens.clear()

    # the product

    def next_number(self, table):
        prefix, width = NUMBERS[table]
        self.numbers[table] += 1
        return f"{prefix}{self.numbers[table]:0{width}d}"

    def changed(self, table, record):
        record["sys_updated_on"] = self.now()
        record["sys_mod_count"] = str(int(record["sys_mod_count"] or 0) + 1)
        self.versions[table] += 1

    def work(self, request):
        if request.path == "/oauth_token.do":
            return self.token(request)
        if not request.path.startswith("/api/now/table/"):
            return refused(400, "Requested URI does not represent any resource", None)
        user = self.authenticated(request)
        if self.limit is not None:
            if self.limit <= 0:
                reset = str(int(time.time()) + 1)
                return Answer(429, {"error": {"message": "Rate limit exceeded", "detail": "Rate limit of 500 requests per hour exceeded"},
                                    "status": "failure"},
                              {"X-RateLimit-Limit": "500", "X-RateLimit-Reset": reset, "X-RateLimit-Rule": "itil", "Retry-After": "1"})
            self.limit -= 1
        parts = request.path.removeprefix("/api/now/table/").split("/")
        asked, key = parts[0], parts[1] if len(parts) > 1 else None
        table = CLASSES.get(asked, asked)
        if table not in TABLES or (table in EVENT_TABLES and "evt_mgmt_integration" not in self.roles):
            return refused(400, f"Invalid table {asked}")
        self.may(user, table, request.method)
        if request.method == "GET":
            return self.read(request, table, key)
        if request.method == "POST" and key is None:
            return self.insert(request, table, asked)
        if request.method in ("PATCH", "PUT") and key:
            return self.update(request, table, key)
        return refused(405, "Method not supported")

    def token(self, request):
        if request.method != "POST":
            return Answer(405, {"error": "invalid_request"})
        form = request.form()
        # the product says the same of every wrong value
        denied = Answer(401, {"error_description": "access_denied", "error": "server_error"})
        if form.get("client_id") != self.client_id or form.get("client_secret") != self.client_secret or not self.client_active:
            return denied
        if form.get("grant_type") == "password":
            if form.get("username") != self.user or form.get("password") != self.password:
                return denied
        elif form.get("grant_type") == "refresh_token":
            if form.get("refresh_token") not in self.refresh_tokens:
                return denied
        else:
            return Answer(400, {"error": "unsupported_grant_type", "error_description": "unsupported_grant_type"})
        token, refresh = secrets.token_urlsafe(48), secrets.token_urlsafe(48)
        self.tokens[token] = time.monotonic() + self.token_life
        self.refresh_tokens.add(refresh)
        return Answer(200, {"access_token": token, "refresh_token": refresh, "scope": "useraccount", "token_type": "Bearer",
                            "expires_in": self.token_life})

    def authenticated(self, request):
        kind, _, value = (request.headers.get("Authorization") or "").partition(" ")
        if kind == "Bearer" and self.tokens.get(value, 0) > time.monotonic():
            return self.user
        if kind == "Basic" and base64.b64decode(value).decode() == f"{self.user}:{self.password}":
            return self.user
        raise refused(401, "User Not Authenticated", "Required to provide Auth information")

    def may(self, _user, table, method):
        if table in ("incident", "change_request", "cmdb_ci") and "itil" not in self.roles:
            what = "Query" if method == "GET" else "Update"
            raise refused(403, "Operation Failed", f"ACL Exception {what} Failed due to security constraints")
        if table == "sys_template" and "template_editor" not in self.roles:
            raise refused(403, "Operation Failed", "ACL Exception Query Failed due to security constraints")
        if table in CONFIGURATION_TABLES and method != "GET":
            raise refused(403, "Operation Failed", "ACL Exception Insert Failed due to security constraints")

    def read(self, request, table, key):
        query = request.query
        unknown = set(query) - {"sysparm_query", "sysparm_fields", "sysparm_limit", "sysparm_offset", "sysparm_display_value",
                                "sysparm_exclude_reference_link", "sysparm_no_count", "sysparm_suppress_pagination_header"}
        if unknown:
            return refused(400, f"the client sent parameters that the documents do not have: {sorted(unknown)}")
        if key:
            record = self.tables[table].get(key)
            if record is None:
                return refused(404, "No Record found", "Record doesn't exist or ACL restricts the record retrieval")
            return Answer(200, {"result": self.shown(table, record, query)})
        limit, offset = int(query.get("sysparm_limit", 10_000)), int(query.get("sysparm_offset", 0))
        found = self.select(table, query.get("sysparm_query", ""))
        page = found[offset:offset + limit]
        headers = {"X-Total-Count": str(len(found))}
        if len(found) > limit:
            base = f"{self.url}{request.path}?{request.raw_query}"
            links = [f'<{base}&sysparm_offset=0>;rel="first"']
            if offset + limit < len(found):
                links.append(f'<{base}&sysparm_offset={offset + limit}>;rel="next"')
            links.append(f'<{base}&sysparm_offset={(len(found) - 1) // limit * limit}>;rel="last"')
            headers["Link"] = ",".join(links)
        return Answer(200, {"result": [self.shown(table, record, query) for record in page]}, headers)

    def select(self, table, encoded):
        conditions, orders = [[[]]], []
        for number, block in enumerate(encoded.replace("^^", "\0").split("^NQ")):
            if number:
                conditions.append([[]])
            for part in block.split("^"):
                if part.startswith("ORDERBYDESC"):
                    orders.append((part.removeprefix("ORDERBYDESC"), True))
                elif part.startswith("ORDERBY"):
                    orders.append((part.removeprefix("ORDERBY"), False))
                elif part.startswith("OR"):
                    conditions[-1][-1].append(self.condition(table, part[2:]))
                elif part and part != "EQ":
                    conditions[-1].append([self.condition(table, part)])
        for field, _ in orders:
            self.known(table, field)
        groups = [[alternatives for alternatives in group if alternatives] for group in conditions]
        records = self.ordered(table, tuple(orders))
        return [record for record in records
                if any(all(any(test(record) for test in alternatives) for alternatives in group) for group in groups)]

    def ordered(self, table, orders):
        kept = self.orders.get((table, orders))
        if kept is None or kept[0] != self.versions[table]:
            records = list(self.tables[table].values())
            for field, down in reversed(orders):
                records.sort(key=lambda record: record[field], reverse=down)
            kept = self.orders[table, orders] = (self.versions[table], records)
        return kept[1]

    def known(self, table, field):
        if field not in TABLES[table]:
            # the product leaves such a condition out and gives every record: no client may depend on that
            raise refused(400, f"the table {table} has no field {field}")

    def condition(self, table, text):
        found = [(text.index(operator), -len(operator), operator) for operator in OPERATORS if operator in text]
        if not found:
            raise refused(400, f"no operator in the condition {text!r}")
        place, _, operator = min(found)
        field, value = text[:place], text[place + len(operator):].replace("\0", "^")
        self.known(table, field)
        listed = value.split(",")
        tests = {
            "=": lambda one: one == value, "!=": lambda one: one != value, ">": lambda one: one > value, "<": lambda one: one < value,
            ">=": lambda one: one >= value, "<=": lambda one: one <= value, "IN": lambda one: one in listed,
            "NOT IN": lambda one: one not in listed, "LIKE": lambda one: value.lower() in one.lower(),
            "STARTSWITH": lambda one: one.lower().startswith(value.lower()), "ENDSWITH": lambda one: one.lower().endswith(value.lower()),
            "ISEMPTY": lambda one: not one, "ISNOTEMPTY": lambda one: bool(one),
        }
        # texts compare without regard to case where they are equal
        if operator == "=" and field in ("name", "fqdn"):
            return lambda record: record[field].lower() == value.lower()
        test = tests[operator]
        return lambda record: test(record[field])

    def shown(self, table, record, query):
        names = [name for name in query.get("sysparm_fields", "").split(",") if name] or TABLES[table]
        mode = query.get("sysparm_display_value", "false")
        out = {}
        for name in names:
            owner, field, at = table, name, record
            if "." in name:
                reference, field = name.split(".", 1)
                owner = REFERENCES.get(reference)
                at = self.tables[owner].get(record.get(reference, ""), {}) if owner else {}
            if owner is None or field not in TABLES[owner]:
                # the product leaves unknown fields out
                continue
            value = at.get(field, "")
            display = self.display(owner, field, value, at)
            if field in JOURNALS:
                value = ""
            out[name] = {"all": {"display_value": display, "value": value}, "true": display, "false": value}[mode]
        return out

    def display(self, table, field, value, record):
        if field == "comments_and_work_notes":
            return "\n\n".join(part for part in (record.get("work_notes"), record.get("comments")) if part)
        if not value:
            return ""
        if field in DATES:
            at = datetime.strptime(value, "%Y-%m-%d %H:%M:%S").replace(tzinfo=timezone.utc)
            return at.astimezone(ZONE).strftime("%Y-%m-%d %H:%M:%S")
        if field in REFERENCES:
            return self.tables[REFERENCES[field]].get(value, {}).get("name", "")
        choices = CHOICES.get(f"{table}.{field}") or CHOICES.get(field) or {}
        return choices.get(value, value)

    def insert(self, request, table, asked):
        fields = self.taken(table, request.json())
        record = {name: "" for name in TABLES[table]}
        record.update(sys_id=secrets.token_hex(16), sys_created_on=self.now(), sys_mod_count="-1")
        if table in NUMBERS:
            record["number"] = self.next_number(table)
        if table == "cmdb_ci":
            record["sys_class_name"] = asked
        if table in ("incident", "change_request"):
            record.update(state="1" if table == "incident" else "-5", urgency="3", impact="3", escalation="0", opened_at=self.now(),
                          opened_by=self.people["Integration User"], active="true")
        if table == "em_alert":
            record.update(state="Open", active="true")
        self.write(table, record, fields)
        self.tables[table][record["sys_id"]] = record
        if table == "em_event":
            self.event(record)
        return Answer(201, {"result": self.shown(table, record, request.query)},
                      {"Location": f"{self.url}/api/now/table/{asked}/{record['sys_id']}"})

    def update(self, request, table, key):
        record = self.tables[table].get(key)
        if record is None:
            return refused(404, "No Record found", "Record doesn't exist or ACL restricts the record retrieval")
        self.write(table, record, self.taken(table, request.json()))
        return Answer(200, {"result": self.shown(table, record, request.query)})

    def taken(self, table, body):
        fields = {}
        for name, value in body.items():
            if name in TABLES[table]:
                fields[name] = "" if value is None else str(value)
            else:
                self.ignored.append(f"{table}.{name}")
        return fields

    def write(self, table, record, fields):
        """Business rules and data policies of the base system."""
        before = dict(record)
        after = {**record, **fields}
        for journal in ("work_notes", "comments"):
            if journal in TABLES[table]:
                said = fields.get(journal, "")
                entry = f"{self.now()} - Integration User ({'Work notes' if journal == 'work_notes' else 'Additional comments'})\n{said}"
                after[journal] = "\n\n".join(part for part in (entry if said else "", before[journal]) if part)
        if table == "incident":
            state = after["state"]
            if state not in CHOICES["incident.state"]:
                raise refused(403, "Operation Failed", f"Data Policy Exception: {state!r} is no state")
            if state in ("6", "7"):
                missing = [label for name, label in (("close_code", "Resolution code"), ("close_notes", "Resolution notes"))
                           if not after[name]]
                if missing:
                    raise refused(403, "Operation Failed", f"Data Policy Exception: The following fields are mandatory: {', '.join(missing)}")
            if state in ("6", "7") and before["state"] not in ("6", "7"):
                after.update(resolved_at=self.now(), resolved_by=self.people["Integration User"])
            if state == "7" and before["state"] != "7":
                after.update(closed_at=self.now(), closed_by=self.people["Integration User"], active="false")
            if before["state"] == "7" and state != "7":
                raise refused(403, "Operation Failed", "ACL Exception Update Failed due to security constraints")
            if before["state"] == "6" and state not in ("6", "7"):
                after.update(resolved_at="", resolved_by="", reopen_count=str(int(before["reopen_count"] or 0) + 1))
            # whatever a client writes into it
            after["priority"] = PRIORITY.get((after["impact"], after["urgency"]), "5")
        if table == "em_alert" and after["state"] == "Closed":
            after["active"] = "false"
        record.update(after)
        self.changed(table, record)

    def event(self, event):
        """Events with one key are one alert; severity 0 ends it."""
        found = [alert for alert in self.tables["em_alert"].values() if alert["message_key"] == event["message_key"]]
        if not found:
            found = [self.put("em_alert", **{name: event[name] for name in ("source", "node", "metric_name", "description", "message_key")},
                              state="Open", active="true")]
        alert = found[0]
        alert["severity"] = event["severity"]
        alert["state"] = "Closed" if event["severity"] == "0" else "Open"
        event["state"] = "Processed"
        self.changed("em_alert", alert)
