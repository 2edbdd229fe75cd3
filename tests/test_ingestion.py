"""Senders that speak HTTP without a client library: the Data Collector API and Prometheus remote write."""

import base64
import datetime
import gzip
import hashlib
import hmac
import json
import struct
import time

import pytest
import snappy


def signed_headers(product, body, log_type="Broken", key="primary_key", date=None):
    """The headers of a request, signed as the documentation of the API says."""
    date = date or datetime.datetime.now(datetime.timezone.utc).strftime("%a, %d %b %Y %H:%M:%S GMT")
    signed = f"POST\n{len(body)}\napplication/json\nx-ms-date:{date}\n/api/logs"
    digest = hmac.new(base64.b64decode(product.ready[key]), signed.encode(), hashlib.sha256).digest()
    return {
        "Content-Type": "application/json", "Log-Type": log_type, "x-ms-date": date,
        "Authorization": f"SharedKey {product.ready['workspace_id']}:{base64.b64encode(digest).decode()}",
    }


def data_collector(product, body, log_type="Orders", key="primary_key", date=None, **headers):
    """Sends a signed body; headers replace or (None) remove what is sent."""
    sent = signed_headers(product, body, log_type, key, date)
    sent.update({name.replace("_", "-"): value for name, value in headers.items()})
    sent = {name: value for name, value in sent.items() if value is not None}
    return product.session.post(f"{product.url}/api/logs?api-version=2016-04-01", data=body, headers=sent, timeout=30)


def test_a_data_collector_batch_can_be_queried_at_once(product):
    records = [
        {"Order": "A-1", "Price": 12.5, "Count": 3, "Paid": True, "At": "2024-05-06T07:08:09Z", "Key": "6f1c2d0e-9d7e-4a57-8b3e-0d2f6a1b4c5d"},
        {"Order": "A-2", "Price": 1, "Paid": False, "More": {"colour": "red"}},
    ]
    answer = data_collector(product, json.dumps(records).encode(), "Orders")
    assert (answer.status_code, answer.text) == (200, "")
    rows = product.query("Orders_CL | sort by Order_s asc")
    assert [(row["Order_s"], row["Price_d"], row["Count_d"], row["Paid_b"]) for row in rows] == [
        ("A-1", 12.5, 3, True), ("A-2", 1, None, False)]
    assert rows[0]["At_t"].startswith("2024-05-06T07:08:09") and rows[0]["Key_g"] == records[0]["Key"]
    assert json.loads(rows[1]["More_s"]) == {"colour": "red"}
    assert rows[0]["Type"] == "Orders_CL" and rows[0]["TenantId"] and rows[0]["SourceSystem"] == "RestAPI"


def test_a_data_collector_batch_can_be_compressed_and_name_its_time_and_resource(product):
    when = (datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(hours=3)).strftime("%Y-%m-%dT%H:%M:%SZ")
    body = gzip.compress(json.dumps([{"Text": "packed", "When": when}]).encode())
    answer = data_collector(
        product, body, "Packed", "secondary_key", Content_Encoding="gzip", time_generated_field="When",
        x_ms_AzureResourceId="/subscriptions/s/machines/m",
    )
    assert answer.status_code == 200, answer.text
    [row] = product.query("Packed_CL")
    assert row["TimeGenerated"].startswith(when[:-1]) and row["_ResourceId"] == "/subscriptions/s/machines/m"


def test_a_large_data_collector_batch_is_taken_and_a_larger_one_is_not(product):
    count = 20_000
    body = json.dumps([{"N": n, "Text": "x" * 400} for n in range(count)]).encode()
    assert 8 << 20 < len(body) < 30 << 20
    answer = data_collector(product, body, "Large")
    assert answer.status_code == 200, answer.text
    assert product.query("Large_CL | summarize Rows = count(), Numbers = dcount(N_d, 4)")[0]["Rows"] == count
    answer = data_collector(product, b"[" + b" " * (30 << 20) + b"]", "Larger")
    assert answer.status_code == 404 and "30 MB" in answer.json()["Message"]
    assert product.query_or_none("Larger_CL") is None


@pytest.mark.parametrize("change, status, code", [
    ({"Authorization": None}, 403, "InvalidAuthorization"),
    ({"Authorization": "SharedKey x:y"}, 400, "InvalidCustomerId"),
    ({"date": "Mon, 04 Apr 2016 08:00:00 GMT"}, 403, "InvalidAuthorization"),
    ({"Log_Type": "no-dashes"}, 400, "InvalidLogType"),
    ({"Content_Type": "text/plain"}, 400, "UnsupportedContentType"),
], ids=lambda value: str(value))
def test_a_wrong_data_collector_request_gets_the_documented_code(product, change, status, code):
    answer = data_collector(product, b'[{"Text":"refused"}]', "Refused", **change)
    assert (answer.status_code, answer.json()["Error"]) == (status, code), answer.text
    assert product.query_or_none("Refused_CL") is None


def varint(number):
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes(out) + bytes([number])


def field(tag, payload):
    return varint(tag << 3 | 2) + varint(len(payload)) + payload


def write_request(*series):
    """`prometheus.WriteRequest` of (labels, [(value, milliseconds)])."""
    out = b""
    for labels, samples in series:
        one = b"".join(field(1, field(1, name.encode()) + field(2, value.encode())) for name, value in sorted(labels.items()))
        for value, at in samples:
            one += field(2, varint(1 << 3 | 1) + struct.pack("<d", value) + varint(2 << 3) + varint(at))
        out += field(1, one)
    return out


def remote_write(product, body, auth=None, **headers):
    sent = {
        "Content-Type": "application/x-protobuf", "Content-Encoding": "snappy", "X-Prometheus-Remote-Write-Version": "0.1.0",
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    auth = auth or (product.ready["workspace_id"], product.ready["primary_key"])
    return product.session.post(f"{product.url}/api/v1/write", data=body, headers=sent, auth=auth, timeout=30)


def test_samples_of_remote_write_can_be_queried(product):
    now = int(time.time() * 1000)
    labels = {"__name__": "http_requests_total", "job": "web", "instance": "a:80", "code": "200"}
    body = snappy.compress(write_request((labels, [(10.0, now - 1000), (12.5, now)])))
    answer = remote_write(product, body)
    assert answer.status_code == 204, answer.text
    rows = product.query("PrometheusMetrics | where Name == 'http_requests_total' | sort by TimeGenerated asc | extend Code = tostring(Labels.code)")
    assert [(row["Job"], row["Instance"], row["Code"], row["Val"]) for row in rows] == [("web", "a:80", "200", 10.0), ("web", "a:80", "200", 12.5)]


def test_remote_write_needs_a_key_or_a_token(product):
    body = snappy.compress(write_request(({"__name__": "refused"}, [(1.0, int(time.time() * 1000))])))
    assert remote_write(product, body, auth=(product.ready["workspace_id"], "wrong")).status_code == 401
    bearer = {"Authorization": f"Bearer {product.token()}", "Content-Type": "application/x-protobuf", "Content-Encoding": "snappy"}
    assert product.session.post(f"{product.url}/api/v1/write", data=b"no snappy", headers=bearer).status_code == 400
    assert product.query("PrometheusMetrics | where Name == 'refused' | count")[0]["Count"] == 0
