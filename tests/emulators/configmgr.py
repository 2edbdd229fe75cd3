"""Configuration Manager's administration service, from its public documents ("What is the administration service", "How to
use the administration service", the SDK's reference of SMS_Identification, SMS_Site, SMS_SCI_SysResUse, SMS_Collection,
SMS_FullCollectionMembership), Windows sign-in from [MS-NLMP], tokens from Microsoft's identity platform.

Collections are written as the SDK's reference of SMS_Collection has it (AddMembershipRule, AddMembershipRules,
DeleteMembershipRule, DeleteMembershipRules, RequestRefresh) and as clients of the administration service do it: POST
wmi/SMS_Collection, and POST wmi/SMS_Collection('ID')/AdminService.METHOD with rules of the type
#AdminService.SMS_CollectionRuleDirect. A rule makes a member only with the next refresh.

A `Hierarchy` has sites, collections and members; a `Service` is the administration service of one of its sites. Classes and
properties are case-sensitive; what is not allowed is refused as the product refuses it: as 404 with "Access denied".
"""

import base64
import bisect
import hashlib
import hmac
import re
import secrets
import struct
import time
import urllib.parse
from datetime import datetime, timezone

from .desk import Answer, Desk

SERVICE = "/AdminService"
CURRENT = "5.00.9128.1000"
SECONDARY, PRIMARY, CAS = 1, 2, 4
OPTIONS = {"$filter", "$select", "$orderby", "$top", "$skip", "$count"}
CONDITION = re.compile(r"^(\w+) (eq|ne|gt|ge|lt|le) (?:'((?:[^']|'')*)'|(-?\d+)|(true|false))$")
COMPARE = {"eq": lambda a, b: a == b, "ne": lambda a, b: a != b, "gt": lambda a, b: a > b, "ge": lambda a, b: a >= b,
           "lt": lambda a, b: a < b, "le": lambda a, b: a <= b}
FIELDS = {
    "SMS_Identification": ["License", "LocaleID", "SMSBuildNumber", "SMSProviderServer", "SMSSiteServer", "SMSVersion", "ThisSiteCode",
                           "ThisSiteName"],
    "SMS_Site": ["BuildNumber", "InstallDir", "Mode", "ReportingSiteCode", "RequestedStatus", "ServerName", "SiteCode", "SiteName", "Status",
                 "Type", "Version"],
    "SMS_SCI_SysResUse": ["FileType", "ItemName", "ItemType", "NALPath", "NALType", "NetworkOSPath", "Props", "RoleCount", "RoleName",
                          "SiteCode", "SslState", "Type"],
    "SMS_Collection": ["CollectionID", "CollectionType", "Comment", "CurrentStatus", "IsBuiltIn", "LastChangeTime", "LastMemberChangeTime",
                       "LastRefreshTime", "LimitToCollectionID", "LimitToCollectionName", "MemberClassName", "MemberCount", "Name",
                       "OwnedByThisSite"],
    "SMS_R_System": ["Active", "ADSiteName", "Client", "ClientVersion", "CPUType", "CreationDate", "IsVirtualMachine", "LastLogonTimestamp",
                     "LastLogonUserDomain", "LastLogonUserName", "Name", "NetbiosName", "Obsolete", "OperatingSystemNameandVersion",
                     "ResourceDomainORWorkgroup", "ResourceID", "ResourceType"],
    "SMS_G_System_COMPUTER_SYSTEM": ["Domain", "Manufacturer", "Model", "Name", "NumberOfProcessors", "ResourceID", "SystemType", "UserName"],
    "SMS_FullCollectionMembership": ["CollectionID", "Domain", "IsActive", "IsApproved", "IsAssigned", "IsClient", "IsDirect", "IsObsolete",
                                     "Name", "ResourceID", "ResourceType", "SiteCode", "SMSID"],
}
# records within records: a selection leaves them out
EMBEDDED = {"Props"}
DIRECT = "#AdminService.SMS_CollectionRuleDirect"
METHODS = {"AddMembershipRule": "collectionRule", "AddMembershipRules": "collectionRules", "DeleteMembershipRule": "collectionRule",
           "DeleteMembershipRules": "collectionRules", "RequestRefresh": None}


def odata_error(status, message, **headers):
    return Answer(status, {"error": {"code": str(status), "message": message}}, headers)


def moment(at=None):
    return (at or datetime.now(timezone.utc)).strftime("%Y-%m-%dT%H:%M:%SZ")


class Hierarchy:
    """Sites, and the collections that they share."""

    def __init__(self, code="P01", version=CURRENT, connection_point="cm01.contoso.com", online=True):
        self.sites, self.roles, self.collections, self.resources, self.groups_of = {}, [], {}, {}, {}
        # of devices that have sent their hardware inventory
        self.hardware = []
        self.next_resource, self.next_collection, self.changes = 16777220, 20, 0
        self.site(code, PRIMARY, version)
        self.site_of_ids = code
        if connection_point:
            self.connection_point(code, connection_point, online)
        self.add_collection("All Systems", "SMS00001")
        self.add_collection("All Users", "SMS00002", kind=1)

    def site(self, code, kind, version=CURRENT, reports_to="", server=None):
        self.sites[code] = {"SiteCode": code, "SiteName": f"Site {code}", "ServerName": server or f"{code.lower()}.contoso.com", "Type": kind,
                            "Version": version, "BuildNumber": int(version.split(".")[2]), "ReportingSiteCode": reports_to, "Status": 1,
                            "Mode": 0, "InstallDir": "C:\\Program Files\\Microsoft Configuration Manager", "RequestedStatus": 110}

    def connection_point(self, site, server, online=True):
        self.roles.append({"RoleName": "SMS Dmp Connector", "SiteCode": site, "NetworkOSPath": f"\\\\{server}", "NALType": "Windows NT Server",
                           "NALPath": f'["Display=\\\\{server}\\"]MSWNET:["SMS_SITE={site}"]\\\\{server}\\', "FileType": 2,
                           "ItemName": f'["Display=\\\\{server}\\"],SMS Dmp Connector', "ItemType": "System Resource Usage", "RoleCount": 0,
                           "SslState": 0, "Type": 2,
                           "Props": [{"PropertyName": "OfflineMode", "Value": 0 if online else 1, "Value1": "", "Value2": ""}]})

    def grow(self, code="CAS"):
        """A primary site that stood alone gets a central administration site above it."""
        for site in self.sites.values():
            if site["Type"] == PRIMARY:
                site["ReportingSiteCode"] = code
        self.site(code, CAS)
        for role in self.roles:
            role["SiteCode"] = code

    def touched(self):
        # the product's clock has seconds; a change within the same second has to be seen all the same
        self.changes += 1
        return datetime.fromtimestamp(int(time.time()) + self.changes, timezone.utc)

    def add_collection(self, name, identity=None, kind=2, comment=""):
        if identity is None:
            identity = f"{self.site_of_ids}{self.next_collection:05X}"
            self.next_collection += 1
        self.collections[identity] = {"CollectionID": identity, "Name": name, "CollectionType": kind, "Comment": comment,
                                      "changed": self.touched(), "members_changed": self.touched(), "members": [], "rules": [],
                                      "limit": "SMS00001"}
        return identity

    def add_rule(self, identity, resource, name):
        """A rule that a person makes."""
        self.collections[identity]["rules"].append({"@odata.type": DIRECT, "ResourceClassName": "SMS_R_System", "ResourceID": resource, "RuleName": name})

    def refresh(self, identity):
        collection = self.collections[identity]
        limit = self.collections[collection["limit"]]["members"]
        members = sorted({rule["ResourceID"] for rule in collection["rules"] if "ResourceID" in rule} & set(limit))
        collection.update(members=members, members_changed=self.touched())

    def rename(self, identity, name):
        self.collections[identity].update(Name=name, changed=self.touched())

    def delete(self, identity):
        del self.collections[identity]

    def computer(self, name, domain="CONTOSO"):
        self.next_resource += 1
        self.resources[self.next_resource] = (name, domain)
        return self.next_resource

    def put(self, identity, resources):
        """The members of a collection."""
        self.collections[identity].update(members=sorted(resources), members_changed=self.touched())

    def named(self, identity, names):
        """Members by their names; computers that are not there yet are made."""
        known = {name: number for number, (name, _) in self.resources.items()}
        self.put(identity, [known.get(name) or self.computer(name) for name in names])


class Service(Desk):
    """The administration service of a site. `accounts` may sign in by Windows, `applications` by token."""

    def __init__(self, folder, hierarchy=None, site="P01", port=0):
        self.hierarchy = hierarchy or Hierarchy(site)
        self.site_code = site
        self.account, self.password = "CONTOSO\\reader", "Geheim 3!"
        self.administrators = {"contoso\\reader"}
        # who may change collections, and whether methods take several rules
        self.writers, self.takes_many = set(), True
        self.takes_windows, self.schemes = True, ["Negotiate", "NTLM"]
        self.takes_tokens, self.sorts, self.installed = False, True, True
        self.channel_bindings = True
        # a realm whose tickets are taken, and then nothing else
        self.realm = None
        self.tenant, self.client_id = "5f3c1c2e-6c0b-4a55-9d0c-7c55d7a41a0e", "0b7c9d0e-7d51-4a2e-8a7e-3f1b6ac4d6a1"
        self.secret, self.secret_expired, self.app_id_uri = "tOken-secret/42", False, "https://ConfigMgrService"
        self.tokens, self.token_seconds = {}, 3600
        # at most so many records in an answer; the rest by @odata.nextLink
        self.page = 100_000
        super().__init__(folder, port=port)
        self.administrators.add(self.client_id)

    def close_tokens(self):
        with self.lock:
            self.tokens.clear()

    # sign-in

    def work(self, request):
        if request.path == f"/{self.tenant}/oauth2/v2.0/token" or request.path.endswith("/oauth2/v2.0/token"):
            return self.token(request)
        if not request.path.startswith(SERVICE) or not self.installed:
            return Answer(404, "<html><body>404 - Not Found</body></html>", kind="text/html")
        who = self.caller(request)
        if request.method == "POST":
            return self.change(request, who)
        if request.method != "GET":
            return odata_error(405, "The requested resource does not support this method")
        return self.one(request, who) or self.classes(request, who)

    # collections that are written

    def change(self, request, who):
        body = request.json()
        if who.lower() not in self.administrators | self.writers:
            return odata_error(404, "Access denied")
        world = self.hierarchy
        if request.path == f"{SERVICE}/wmi/SMS_Collection":
            self.refuse_writer(who)
            if set(body) - {"Name", "Comment", "CollectionType", "LimitToCollectionID"} or body.get("CollectionType") != 2:
                return odata_error(400, "The request is invalid.")
            if body.get("LimitToCollectionID") not in world.collections or not str(body.get("Name", "")).strip():
                return odata_error(400, "Generic failure: LimitToCollectionID")
            if any(one["Name"].lower() == body["Name"].lower() for one in world.collections.values()):
                return odata_error(400, "The object already exists.")
            identity = world.add_collection(body["Name"], comment=body.get("Comment", ""))
            world.collections[identity]["limit"] = body["LimitToCollectionID"]
            return Answer(201, {"@odata.context": f"{self.url}{SERVICE}/wmi/$metadata#SMS_Collection/$entity", "CollectionID": identity,
                                "Name": body["Name"], "CollectionType": 2})
        found = re.fullmatch(rf"{SERVICE}/wmi/SMS_Collection\('(\w+)'\)/AdminService\.(\w+)", request.path)
        site = world.sites[self.site_code]
        many = found and found[2].endswith("Rules")
        if not found or found[2] not in METHODS or site["BuildNumber"] < 9068 or (many and not self.takes_many):
            return odata_error(404, "No HTTP resource was found that matches the request URI.")
        identity, method = found[1], found[2]
        self.refuse_writer(who)
        if identity not in world.collections:
            return odata_error(404, f"Not found: SMS_Collection.CollectionID='{identity}'")
        if identity.startswith("SMS"):
            return odata_error(400, "Built-in collections take no rules.")
        wanted = METHODS[method]
        if set(body) != ({wanted} if wanted else set()):
            return odata_error(400, "The parameters of the method are wrong.")
        if method == "RequestRefresh":
            world.refresh(identity)
            return self.returned()
        rules, known = body[wanted] if many else [body[wanted]], world.collections[identity]["rules"]
        for rule in rules:
            if set(rule) != {"@odata.type", "ResourceClassName", "ResourceID", "RuleName"} or rule["@odata.type"] != DIRECT:
                return odata_error(400, "The type of the rule is wrong.")
            if rule["ResourceClassName"] != "SMS_R_System" or not isinstance(rule["ResourceID"], int) or not isinstance(rule["RuleName"], str):
                return odata_error(400, "A property of the rule is wrong.")
            same = [one for one in known if one.get("ResourceID") == rule["ResourceID"] and one["RuleName"] == rule["RuleName"]]
            if method.startswith("Add"):
                if rule["ResourceID"] not in world.resources:
                    return odata_error(400, "No such resource.")
                if same or any(one.get("ResourceID") == rule["ResourceID"] for one in known):
                    return odata_error(400, "The rule already exists.")
                known.append(dict(rule))
            elif not same:
                return odata_error(400, "The rule does not exist.")
            else:
                known.remove(same[0])
        return self.returned()

    def refuse_writer(self, who):
        if who.lower() not in self.writers:
            raise odata_error(404, "Access denied")

    def returned(self):
        return Answer(201, {"@odata.context": f"{self.url}{SERVICE}/$metadata#AdminService", "ReturnValue": 0})

    def one(self, request, who):
        """A collection by its key, the only way to its rules."""
        found = re.fullmatch(rf"{SERVICE}/wmi/SMS_Collection\('(\w+)'\)", request.path)
        if not found:
            return None
        if who.lower() not in self.administrators:
            return odata_error(404, "Access denied  WMI QUERY: select * from SMS_Collection")
        if request.raw_query:
            return odata_error(400, "Query options are not supported here.")
        rows = self.rows("SMS_Collection", [("CollectionID", "eq", found[1])])
        rules = self.hierarchy.collections.get(found[1], {"rules": []})["rules"]
        return Answer(200, {"@odata.context": f"{self.url}{SERVICE}/wmi/$metadata#SMS_Collection",
                            "value": [{**row, "CollectionRules": rules} for row in rows]})

    def caller(self, request):
        scheme, _, value = (request.headers.get("Authorization") or "").partition(" ")
        if self.takes_tokens and scheme == "Bearer":
            if self.tokens.get(value, 0) < time.monotonic():
                raise Answer(401, {"error": {"code": "401", "message": "Unauthorized"}}, {"WWW-Authenticate": "Bearer"})
            return self.client_id
        if self.takes_windows and scheme in self.schemes:
            return self.windows(request, scheme, base64.b64decode(value))
        if self.takes_windows and getattr(request.connection, "windows_user", None):
            return request.connection.windows_user
        offers = self.schemes if self.takes_windows else ["Bearer"]
        # one header is enough for a client that reads them all
        raise Answer(401, "", {"WWW-Authenticate": offers[0]}, kind="text/html")

    def windows(self, request, scheme, message):
        if self.realm:
            name = scheme == "Negotiate" and self.realm.accept(message, self.binding_data() if self.channel_bindings else b"another")
            if not name:
                raise Answer(401, "", {"WWW-Authenticate": scheme}, kind="text/html")
            request.connection.windows_user = name.lower()
            return name.lower()
        if message[:8] != b"NTLMSSP\0":
            raise Answer(401, "", {"WWW-Authenticate": scheme}, kind="text/html")
        connection = request.connection
        if struct.unpack_from("<I", message, 8)[0] == 1:
            connection.ntlm = (message, challenge_message())
            raise Answer(401, "", {"WWW-Authenticate": f"{scheme} {base64.b64encode(connection.ntlm[1]).decode()}"}, kind="text/html")
        first, challenge = getattr(connection, "ntlm", (None, None))
        user = challenge and ntlm_user(first, challenge, message, self.account, self.password,
                                       self.binding() if self.channel_bindings else None)
        connection.ntlm = (None, None)
        if not user:
            raise Answer(401, "", {"WWW-Authenticate": scheme}, kind="text/html")
        connection.windows_user = user
        return user

    def binding_data(self):
        import ssl
        certificate = ssl.PEM_cert_to_DER_cert(self.authority)
        return b"tls-server-end-point:" + hashlib.sha256(certificate).digest()

    def binding(self):
        data = self.binding_data()
        return hashlib.md5(bytes(16) + struct.pack("<I", len(data)) + data).digest()

    def token(self, request):
        if request.method != "POST":
            return Answer(405, {"error": "invalid_request"})
        form, tenant = request.form(), request.path.split("/")[1]

        def refused(number, error, text, status=400):
            return Answer(status, {"error": error, "error_codes": [number], "error_description":
                                   f"AADSTS{number}: {text} Trace ID: 8e1f Correlation ID: 77aa Timestamp: {moment()}"})
        if tenant != self.tenant:
            return refused(90002, "invalid_request", f"Tenant '{tenant}' not found.")
        if form.get("grant_type") != "client_credentials":
            return refused(70003, "unsupported_grant_type", "The app requested an unsupported grant type.")
        if form.get("client_id") != self.client_id:
            return refused(700016, "unauthorized_client", f"Application with identifier '{form.get('client_id')}' was not found in the directory.")
        if form.get("client_secret") != self.secret:
            return refused(7000215, "invalid_client", "Invalid client secret provided.", 401)
        if self.secret_expired:
            return refused(7000222, "invalid_client", "The provided client secret keys for app are expired.", 401)
        if form.get("scope") != f"{self.app_id_uri}/.default":
            return refused(500011, "invalid_resource", f"The resource principal named {form.get('scope')} was not found in the tenant.")
        token = secrets.token_urlsafe(32)
        self.tokens[token] = time.monotonic() + self.token_seconds
        return Answer(200, {"token_type": "Bearer", "expires_in": self.token_seconds, "ext_expires_in": self.token_seconds, "access_token": token})

    # OData

    def classes(self, request, who):
        found = re.fullmatch(rf"{SERVICE}/wmi/(\w+)", request.path)
        if not found or found[1] not in FIELDS:
            return odata_error(404, f"Resource not found for the segment '{request.path.rsplit('/', 1)[-1]}'.")
        name, fields = found[1], FIELDS[found[1]]
        if who.lower() not in self.administrators:
            return odata_error(404, f"Access denied  WMI QUERY: select * from {name}")
        options = dict(urllib.parse.parse_qsl(request.raw_query, keep_blank_values=True, strict_parsing=bool(request.raw_query)))
        unknown = set(options) - OPTIONS
        if unknown:
            return odata_error(400, f"The query parameter '{sorted(unknown)[0]}' is not supported.")
        conditions = self.conditions(name, options.get("$filter", ""))
        order, selected = options.get("$orderby"), [one for one in options.get("$select", "").split(",") if one]
        if order and not self.sorts:
            return odata_error(400, "The query specified in the URI is not valid. The $orderby option is not supported.")
        for field in selected + ([order] if order else []):
            if field not in fields:
                return odata_error(400, f"Could not find a property named '{field}' on type 'AdminService.{name}'.")
        rows = self.rows(name, conditions)
        if order:
            rows = sorted(rows, key=lambda row: row[order])
        skip, top = int(options.get("$skip", 0)), int(options["$top"]) if "$top" in options else None
        rows = rows[skip:] if top is None else rows[skip:skip + top]
        more = len(rows) > self.page
        body = {"@odata.context": f"{self.url}{SERVICE}/wmi/$metadata#{name}"}
        shown = [field for field in selected if field not in EMBEDDED] or fields
        body["value"] = [{**({} if selected else {"@odata.etag": "FC1", "__LAZYPROPERTIES": []}), **{field: row.get(field) for field in shown}}
                         for row in rows[:self.page]]
        if more:
            rest = {**options, "$skip": str(skip + self.page)}
            if top is not None:
                rest["$top"] = str(top - self.page)
            body["@odata.nextLink"] = f"{self.url}{request.path}?{urllib.parse.urlencode(rest, safe='$')}"
        return Answer(200, body)

    @staticmethod
    def conditions(name, text):
        conditions = []
        for part in re.split(r" and (?=\w+ )", text) if text else []:
            found = CONDITION.match(part.strip())
            if not found or found[1] not in FIELDS[name]:
                raise odata_error(400, f"The query specified in the URI is not valid. Syntax error in '{text}'.")
            value = found[3].replace("''", "'") if found[3] is not None else int(found[4]) if found[4] else found[5] == "true"
            conditions.append((found[1], found[2], value))
        return conditions

    def rows(self, name, conditions):
        world = self.hierarchy
        if name == "SMS_FullCollectionMembership":
            return self.members(conditions)
        if name in ("SMS_R_System", "SMS_G_System_COMPUTER_SYSTEM"):
            rows = self.devices() if name == "SMS_R_System" else world.hardware
            return [row for row in rows if all(COMPARE[how](row[field], value) for field, how, value in conditions)]
        site = world.sites[self.site_code]
        if name == "SMS_Identification":
            rows = [{"ThisSiteCode": self.site_code, "ThisSiteName": site["SiteName"], "SMSSiteServer": site["ServerName"],
                     "SMSProviderServer": site["ServerName"], "SMSVersion": "5.0", "SMSBuildNumber": site["BuildNumber"], "License": 1,
                     "LocaleID": 1033}]
        elif name == "SMS_Site":
            own = {self.site_code, site["ReportingSiteCode"]}
            rows = [one for one in world.sites.values()
                    if site["Type"] == CAS or one["SiteCode"] in own or one["ReportingSiteCode"] == self.site_code]
        elif name == "SMS_SCI_SysResUse":
            rows = world.roles
        else:
            names = {identity: one["Name"] for identity, one in world.collections.items()}
            rows = [{"CollectionID": identity, "Name": one["Name"], "Comment": one["Comment"], "CollectionType": one["CollectionType"],
                     "MemberCount": len(one["members"]), "LastMemberChangeTime": moment(one["members_changed"]),
                     "LastChangeTime": moment(one["changed"]), "LastRefreshTime": moment(one["members_changed"]), "IsBuiltIn": identity.startswith("SMS"),
                     "LimitToCollectionID": one["limit"], "LimitToCollectionName": names.get(one["limit"]), "OwnedByThisSite": True,
                     "MemberClassName": f"SMS_CM_RES_COLL_{identity}", "CurrentStatus": 1} for identity, one in world.collections.items()]
        return [row for row in rows if all(COMPARE[how](row[field], value) for field, how, value in conditions)]

    def devices(self):
        return [{"ResourceID": number, "Name": name, "NetbiosName": name, "ResourceDomainORWorkgroup": domain, "ResourceType": 5, "Active": 1,
                 "Client": 1, "Obsolete": 0, "ADSiteName": "Cellar", "ClientVersion": CURRENT, "CPUType": "Intel64 Family 6 Model 85",
                 "OperatingSystemNameandVersion": "Microsoft Windows NT Server 10.0", "IsVirtualMachine": True, "LastLogonUserDomain": domain,
                 "LastLogonUserName": "ada", "LastLogonTimestamp": "2026-11-01T08:30:00Z", "CreationDate": "2024-01-01T00:00:00Z"}
                for number, (name, domain) in sorted(self.hierarchy.resources.items())]

    def members(self, conditions):
        world = self.hierarchy
        chosen = [value for field, how, value in conditions if field == "CollectionID" and how == "eq"]
        after = max([value for field, how, value in conditions if field == "ResourceID" and how == "gt"], default=-1)
        others = [one for one in conditions if (one[0], one[1]) not in {("CollectionID", "eq"), ("ResourceID", "gt")}]
        rows = []
        for identity in chosen[:1] or list(world.collections):
            members = world.collections.get(identity, {"members": []})["members"]
            for number in members[bisect.bisect_right(members, after):]:
                name, domain = world.resources[number]
                rows.append({"CollectionID": identity, "ResourceID": number, "Name": name, "Domain": domain, "ResourceType": 5,
                             "SiteCode": world.site_of_ids, "IsClient": True, "IsActive": True, "IsApproved": 1, "IsAssigned": True,
                             "IsDirect": False, "IsObsolete": False, "SMSID": f"GUID:{number:032X}"})
        if len(chosen) > 1:
            rows = []
        return [row for row in rows if all(COMPARE[how](row[field], value) for field, how, value in others)]


# NTLM, the server's side


def wide(text):
    return text.encode("utf-16-le")


def challenge_message():
    pairs = b"".join(struct.pack("<HH", kind, len(value)) + value for kind, value in [
        (2, wide("CONTOSO")), (1, wide("CM01")), (4, wide("contoso.com")), (3, wide("cm01.contoso.com")),
        (7, struct.pack("<Q", int((time.time() + 11644473600) * 10_000_000))), (0, b"")])
    target = wide("CONTOSO")
    flags = 0xE2898215 & ~0x40000000
    head = struct.pack("<8sIHHII8s8sHHI8s", b"NTLMSSP\0", 2, len(target), len(target), 56, flags, secrets.token_bytes(8), bytes(8),
                       len(pairs), len(pairs), 56 + len(target), bytes([10, 0, 0x63, 0x45, 0, 0, 0, 15]))
    return head + target + pairs


def ntlm_user(first, challenge, message, account, password, binding):
    """The account that a last message proves, or nothing."""
    def field(number):
        length, _, at = struct.unpack_from("<HHI", message, 12 + 8 * number)
        return message[at:at + length]
    response, domain, user = field(1), field(2).decode("utf-16-le"), field(3).decode("utf-16-le")
    known_domain, _, known_user = account.partition("\\")
    if domain.lower() != known_domain.lower() or user.lower() != known_user.lower() or len(response) < 44:
        return None
    key = hmac.digest(md4(wide(password)), wide(user.upper() + domain), "md5")
    proof, client = response[:16], response[16:]
    if not hmac.compare_digest(proof, hmac.digest(key, challenge[24:32] + client, "md5")):
        return None
    pairs, at = {}, 28
    while at + 4 <= len(client):
        kind, length = struct.unpack_from("<HH", client, at)
        if kind == 0:
            break
        pairs[kind] = client[at + 4:at + 4 + length]
        at += 4 + length
    # the time of the server came back, an integrity code is there and right, the sign-in is bound to this TLS connection
    sent_time = challenge[challenge.index(struct.pack("<HH", 7, 8)) + 4:][:8]
    if pairs.get(7) != sent_time or not struct.unpack("<I", pairs.get(6, bytes(4)))[0] & 2:
        return None
    code = hmac.digest(hmac.digest(key, proof, "md5"), first + challenge + message[:72] + bytes(16) + message[88:], "md5")
    if not hmac.compare_digest(code, message[72:88]):
        return None
    if binding is not None and pairs.get(10) != binding:
        return None
    return f"{domain}\\{user}".lower()


def md4(data):
    """RFC 1320; OpenSSL has it no more."""
    def turn(value, by):
        value &= 0xFFFFFFFF
        return (value << by | value >> 32 - by) & 0xFFFFFFFF
    state = [0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476]
    padded = data + b"\x80" + bytes((55 - len(data)) % 64) + struct.pack("<Q", 8 * len(data))
    rounds = [(lambda x, y, z: x & y | ~x & z, 0, range(16), (3, 7, 11, 19)),
              (lambda x, y, z: x & y | x & z | y & z, 0x5A827999, [4 * (n % 4) + n // 4 for n in range(16)], (3, 5, 9, 13)),
              (lambda x, y, z: x ^ y ^ z, 0x6ED9EBA1, [0, 8, 4, 12, 2, 10, 6, 14, 1, 9, 5, 13, 3, 11, 7, 15], (3, 9, 11, 15))]
    for start in range(0, len(padded), 64):
        block = struct.unpack_from("<16I", padded, start)
        a, b, c, d = state
        for mix, constant, order, shifts in rounds:
            for step, index in enumerate(order):
                a, b, c, d = d, turn(a + mix(b, c, d) + block[index] + constant, shifts[step % 4]), b, c
        state = [(one + other) & 0xFFFFFFFF for one, other in zip(state, (a, b, c, d))]
    return struct.pack("<4I", *state)
