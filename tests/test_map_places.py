"""Places and threats of remote addresses: files of an administrator, read by the server, in rows, queries and the map."""

import csv
import os

from mmdb_writer import MMDBWriter
from netaddr import IPSet

from conftest import wait_until
from service_map_world import World
from test_management_group import get

NAMES = ["Address", "IndicatorThreatType", "Description", "TLPLevel", "Confidence", "Severity", "FirstReportedDateTime",
         "LastReportedDateTime", "IsActive", "ReportReferenceLink", "AdditionalInformation"]


def write_places(file, records):
    """A database as GeoLite2, DB-IP and IP2Location have it; put in its place at once."""
    writer = MMDBWriter(ip_version=6, ipv4_compatible=True, database_type="Test-City", languages=["en"], description="test", float_type="f64")
    for network, (country, code, *more) in records.items():
        record = {"country": {"iso_code": code, "names": {"en": country}}}
        if more:
            record |= {"city": {"names": {"en": more[0]}}, "location": {"latitude": more[1], "longitude": more[2]}}
        writer.insert_network(IPSet([network]), record)
    new = file.with_suffix(".new")
    writer.to_db_file(str(new))
    os.replace(new, file)


def write_threats(file, *lines):
    new = file.with_suffix(".new")
    with new.open("w", newline="") as output:
        csv.writer(output).writerows([NAMES, *lines])
    os.replace(new, file)


def said(product, status, part):
    """What the server says of the files in Operation."""
    rows = product.query_or_none(f'Operation | where OperationCategory == "Map data" and OperationStatus == "{status}" | project Detail') or []
    return [row["Detail"] for row in rows if part in row["Detail"]]


def test_remote_addresses_have_places_and_threats_from_files_that_change(own_product, tmp_path):
    places, threats = tmp_path / "places.mmdb", tmp_path / "threats.csv"
    write_places(places, {"203.0.113.0/24": ("Netherlands", "NL", "Amsterdam", 52.37, 4.9), "198.51.100.0/24": ("United States", "US"),
                          "127.0.0.0/8": ("Loopback", "LO")})
    threats.write_text("Address,Severity\n203.0.113.8,high\n")
    own_product.environment = {"WATCHKEEPER_MAP__PLACES": str(places), "WATCHKEEPER_MAP__THREATS": str(threats),
                               "WATCHKEEPER_MAP__LOOK_SECONDS": "1"}
    product = own_product.start()
    # a broken file is named with its line, and nothing stops for it
    wait_until(lambda: said(product, "Failed", f'{threats}, line 2: Severity is "high"'), 60, "the word about the broken list")
    assert said(product, "Succeeded", "Test-City")
    write_threats(threats, ["203.0.113.8", "C2", "a control server", "Amber", 90, 5, "2026-01-01T00:00:00Z", "2026-11-01T00:00:00Z", "True",
                            "https://threats.example/8", "seen twice"],
                  ["198.51.100.0/24", "Proxy", "", "", "", "", "", "", "false", "", ""])
    wait_until(lambda: said(product, "Succeeded", "2 addresses and networks"), 60, "the list is in use")

    world = World()
    world.machine("web", "10.0.1.1")
    world.computer("web", world.at(5))
    world.process("web", "nginx", world.at(5))
    world.port("web", "nginx", "0.0.0.0", 443, world.at(5))
    for client in ("203.0.113.7", "203.0.113.8", "192.0.2.1"):
        world.connection("web", "nginx", "inbound", client, "10.0.1.1", 443, world.at(5))
    world.connection("web", "nginx", "outbound", "10.0.1.1", "198.51.100.25", 25, world.at(5))
    world.send(product)

    def rows():
        found = product.query_or_none('VMConnection | where Computer == "web.example.com"') or []
        return {row["RemoteIp"]: row for row in found} if len(found) == 4 else None

    found = wait_until(rows, 60, "the rows")
    bad = found["203.0.113.8"]
    assert {name: bad[name] for name in ["RemoteCountry", "RemoteLatitude", "RemoteLongitude", "MaliciousIp", *NAMES[1:]]} == {
        "RemoteCountry": "Netherlands", "RemoteLatitude": 52.37, "RemoteLongitude": 4.9, "MaliciousIp": "203.0.113.8",
        "IndicatorThreatType": "C2", "Description": "a control server", "TLPLevel": "Amber", "Confidence": "90", "Severity": 5,
        "FirstReportedDateTime": "2026-01-01T00:00:00Z", "LastReportedDateTime": "2026-11-01T00:00:00Z", "IsActive": "true",
        "ReportReferenceLink": "https://threats.example/8", "AdditionalInformation": "seen twice"}
    assert (found["203.0.113.7"]["RemoteCountry"], found["203.0.113.7"]["MaliciousIp"], found["203.0.113.7"]["Severity"]) == ("Netherlands", "", None)
    assert (found["192.0.2.1"]["RemoteCountry"], found["192.0.2.1"]["RemoteLatitude"]) == ("", None)
    old = found["198.51.100.25"]
    assert (old["RemoteCountry"], old["MaliciousIp"], old["IsActive"], old["Severity"]) == ("United States", "198.51.100.25", "false", 3)
    # rows of agents come the same way: the server's own agent talks to it over loopback
    wait_until(lambda: product.query_or_none('VMConnection | where RemoteIp == "127.0.0.1" and RemoteCountry == "Loopback" | take 1'), 180,
               "a row of the own agent")
    countries = product.query('VMConnection | where Computer == "web.example.com" and isnotempty(RemoteCountry)'
                              "| summarize Bytes = sum(BytesReceived), Ends = dcount(RemoteIp) by RemoteCountry | sort by RemoteCountry asc")
    assert [(row["RemoteCountry"], row["Ends"]) for row in countries] == [("Netherlands", 2), ("United States", 1)]
    [place] = product.query("print Place = geo_info_from_ip_address('203.0.113.9'), None = geo_info_from_ip_address('192.0.2.1')")
    assert str(place["Place"]).replace("'", '"').replace(" ", "") == (
        '{"country":"Netherlands","city":"Amsterdam","latitude":52.37,"longitude":4.9}') and place["None"] in (None, "")

    # the map marks the malicious one, first in its group
    answer = get(product, "/api/map")
    [clients] = [group for group in answer["clientGroups"] if group["members"] == 3]
    assert (clients["malicious"], clients["addresses"]) == (1, ["203.0.113.8", "192.0.2.1", "203.0.113.7"])
    assert answer["remotes"]["203.0.113.7"] == {"country": "Netherlands", "state": "", "city": "Amsterdam", "threat": None}
    assert (answer["remotes"]["203.0.113.8"]["threat"]["kind"], answer["remotes"]["198.51.100.25"]["threat"]["isActive"]) == ("C2", False)
    marked = {edge["port"]: edge["malicious"] for edge in answer["edges"] if edge["port"] in (443, 25)}
    assert marked == {443: True, 25: False}

    # half a database: the last good one stays in use
    places.write_bytes(places.read_bytes()[:300])
    wait_until(lambda: said(product, "Failed", "What was read before stays in use: Test-City"), 60, "the word about the cut file")
    world.connection("web", "nginx", "inbound", "203.0.113.9", "10.0.1.1", 443, world.at(4))
    world.send(product)
    wait_until(lambda: product.query_or_none('VMConnection | where RemoteIp == "203.0.113.9" and RemoteCountry == "Netherlands"'), 60,
               "a row with its place")
    # and a newer one takes its place
    write_places(places, {"203.0.113.0/24": ("Belgium", "BE", "Antwerp", 51.2, 4.4)})
    wait_until(lambda: get(product, "/api/map")["remotes"].get("203.0.113.7", {}).get("country") == "Belgium", 60, "the newer database")
