"""Writes the small databases beside it, for addresses that are kept for documentation (RFC 5737, 3849)."""

from pathlib import Path

from mmdb_writer import MMDBWriter
from netaddr import IPSet

HERE = Path(__file__).parent


def named(name, code=None):
    return {**({"iso_code": code} if code else {}), "names": {"en": name, "de": f"{name} (de)"}}


def write(name, kind, records):
    writer = MMDBWriter(ip_version=6, ipv4_compatible=True, database_type=kind, languages=["en", "de"], description=kind,
                        float_type="f64")
    for network, record in records.items():
        writer.insert_network(IPSet([network]), record)
    writer.to_db_file(str(HERE / name))


write("cities.mmdb", "Test-City", {
    "203.0.113.0/24": {"country": named("Netherlands", "NL"), "city": named("Amsterdam"), "subdivisions": [named("North Holland", "NH")],
                       "location": {"latitude": 52.37, "longitude": 4.9, "time_zone": "Europe/Amsterdam"}},
    "2001:db8::/32": {"country": named("Australia", "AU"), "location": {"latitude": -33.87, "longitude": 151.2}},
})
write("countries.mmdb", "Test-Country", {"198.51.100.0/24": {"country": named("United States", "US"), "continent": named("North America")}})
write("networks.mmdb", "Test-ASN", {"198.51.100.0/24": {"autonomous_system_number": 64496}})
