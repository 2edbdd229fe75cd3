"""More than two hundred kinds of broken requests to every endpoint that takes rows.

Each is answered with a 4xx within a second (of an optimized build), nothing of it is stored, and the server goes on.
"""

import base64
import datetime
import gzip
import json
import struct
import time
import zlib

import pytest
import snappy
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from conftest import BINARIES
from test_ingestion import data_collector, field, signed_headers, varint, write_request
from test_ingestion_clients import make_rule

# a debug build decompresses tens of megabytes without optimization
SECONDS = 5.0 if BINARIES.name == "debug" else 1.0
MARKER = "brokenrequestmarker"
NOW = time.time_ns()


def nested(depth, opening="[", closing="]"):
    return opening * depth + "1" + closing * depth


# bodies that are no JSON records, whatever the protocol
BROKEN_JSON = {
    "empty": b"",
    "blank": b"  \n ",
    "not json": b"hello " + MARKER.encode(),
    "xml": b"<rows/>",
    "number": b"42",
    "text": b'"text"',
    "true": b"true",
    "null in a list": b"[null]",
    "numbers in a list": b"[1,2,3]",
    "texts in a list": b'["a"]',
    "lists in a list": b'[[{"a":1}]]',
    "cut object": b'[{"Text":"brokenrequestmarker"',
    "cut text": b'[{"Text":"brokenrequestm',
    "cut escape": b'[{"Text":"\\u00',
    "wrong escape": b'[{"Text":"\\x41"}]',
    "comma at the end": b'[{"Text":"a"},]',
    "comma in the object": b'[{"Text":"a",}]',
    "two commas": b'[{"Text":"a"},,{"Text":"b"}]',
    "no colon": b'[{"Text" "a"}]',
    "no value": b'[{"Text":}]',
    "no key": b'[{:1}]',
    "key without quotes": b'[{Text:1}]',
    "single quotes": b"[{'Text':'a'}]",
    "comment": b'[{"Text":"a"/* x */}]',
    "two bodies": b'[{"Text":"a"}][{"Text":"b"}]',
    "rest": b'[{"Text":"a"}] rest',
    "wrong bracket": b'[{"Text":"a"}}',
    "leading zero": b'[{"N":012}]',
    "plus": b'[{"N":+1}]',
    "point at the end": b'[{"N":1.}]',
    "point at the start": b'[{"N":.5}]',
    "hexadecimal": b'[{"N":0x10}]',
    "NaN": b'[{"N":NaN}]',
    "Infinity": b'[{"N":Infinity}]',
    "minus alone": b'[{"N":-}]',
    "exponent alone": b'[{"N":1e}]',
    "True": b'[{"B":True}]',
    "undefined": b'[{"B":undefined}]',
    "line break in a text": b'[{"Text":"a\nb"}]',
    "control character in a text": b'[{"Text":"a\x01b"}]',
    "not utf-8": b'[{"Text":"\xff\xfe"}]',
    "cut utf-8": b'[{"Text":"\xe2\x82"}]',
    "latin-1": '[{"Text":"é"}]'.encode("latin-1"),
    "utf-16": '[{"Text":"a"}]'.encode("utf-16"),
    "surrogate": b'[{"Text":"\xed\xa0\x80"}]',
    "nul bytes": b"\0" * 100,
    "deep list": f'[{{"D":{nested(200)}}}]'.encode(),
    "very deep list": f'[{{"D":{nested(100_000)}}}]'.encode(),
    "very deep object": f'[{{"D":{nested(50_000, chr(123) + chr(34) + "a" + chr(34) + ":", chr(125))}}}]'.encode(),
    "deep without end": b'[{"D":' + b"[" * 100_000,
    "only brackets": b"[" * 100_000,
    "gzip without saying so": gzip.compress(b'[{"Text":"a"}]'),
}

GOOD = b'[{"Text":"brokenrequestmarker"}]'

# compressed bodies that are not what their header says
BROKEN_ENCODINGS = {
    "gzip cut": ("gzip", gzip.compress(GOOD * 50)[:-15]),
    "gzip without its end": ("gzip", gzip.compress(GOOD)[:-1]),
    "gzip with a wrong sum": ("gzip", gzip.compress(GOOD)[:-8] + b"\1\2\3\4" + gzip.compress(GOOD)[-4:]),
    "gzip header alone": ("gzip", b"\x1f\x8b\x08\0\0\0\0\0\0\0"),
    "no gzip": ("gzip", GOOD),
    "gzip damaged": ("gzip", gzip.compress(GOOD)[:12] + b"\xff\xff\xff" + gzip.compress(GOOD)[15:]),
    "deflate as gzip": ("gzip", zlib.compress(GOOD)),
    "no deflate": ("deflate", GOOD),
    "no zstd": ("zstd", GOOD),
    "unknown encoding": ("br", GOOD),
    "nonsense encoding": ("nonsense, more", GOOD),
    "twice": ("gzip, gzip", gzip.compress(gzip.compress(GOOD))),
    "bomb": ("gzip", gzip.compress(b" " * (128 << 20), 1)),
}


def bearer(product):
    return {"Authorization": f"Bearer {product.token()}"}


def post(product, path, body, headers):
    return product.session.post(f"{product.url}{path}", data=body, headers=headers, timeout=30)


def jwt(header, claims):
    part = lambda value: base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()
    return f"{part(header)}.{part(claims)}."


# Authorization headers that nobody may send rows with
BAD_TOKENS = {
    "none": None,
    "no scheme": "abc",
    "bearer alone": "Bearer ",
    "nonsense": "Bearer nonsense",
    "three parts": "Bearer a.b.c",
    "unsigned": "Bearer " + jwt({"alg": "none"}, {"exp": 4102444800}),
    "wrong scheme": "Digest abc",
    "basic nonsense": "Basic !!!",
    "basic without colon": "Basic " + base64.b64encode(b"user").decode(),
    "basic wrong": "Basic " + base64.b64encode(b"user:password").decode(),
    "long": "Bearer " + "x" * 8000,
}


def data_collector_cases(product):
    for name, body in BROKEN_JSON.items():
        yield f"data collector, {name}", lambda body=body: data_collector(product, body, "Broken")
    for name, (encoding, body) in BROKEN_ENCODINGS.items():
        yield f"data collector, {name}", lambda e=encoding, body=body: data_collector(product, body, "Broken", Content_Encoding=e)
    bodies = {
        "10,000 columns": json.dumps([{f"c{n}": n for n in range(10_000)}]).encode(),
        "10,000 columns in rows": json.dumps([{f"c{n}": n} for n in range(10_000)]).encode(),
        "long column": json.dumps([{"x" * 46: 1}]).encode(),
        "column with spaces": b'[{"a column":1}]',
        "column with a quote": b'[{"a\\"b":1}]',
        "empty column": b'[{"":1}]',
        "column of signs": '[{"größe":1}]'.encode(),
        "one wrong row of two": b'[{"Text":"brokenrequestmarker"},7]',
    }
    for name, body in bodies.items():
        yield f"data collector, {name}", lambda body=body: data_collector(product, body, "Broken")
    workspace = product.ready["workspace_id"]
    changes = {
        "no signature": {"Authorization": None},
        "empty signature": {"Authorization": f"SharedKey {workspace}:"},
        "wrong signature": {"Authorization": f"SharedKey {workspace}:{base64.b64encode(b'x' * 32).decode()}"},
        "short signature": {"Authorization": f"SharedKey {workspace}:{base64.b64encode(b'x').decode()}"},
        "signature that is not base64": {"Authorization": f"SharedKey {workspace}:***"},
        "no workspace": {"Authorization": "SharedKey :abcd"},
        "other workspace": {"Authorization": "SharedKey 00000000-0000-0000-0000-000000000000:abcd"},
        "other scheme": {"Authorization": f"SharedKeyLite {workspace}:abcd"},
        "a token": bearer(product),
        "no date": {"x_ms_date": None},
        "nonsense date": {"date": "yesterday"},
        "iso date": {"date": "2026-01-01T00:00:00Z"},
        "old date": {"date": "Mon, 04 Apr 2016 08:00:00 GMT"},
        "date of the future": {"date": "Mon, 04 Apr 2050 08:00:00 GMT"},
        "date that was not signed": {"x_ms_date": datetime.datetime.now(datetime.timezone.utc).strftime("%a, %d %b %Y 00:00:00 GMT")},
        "no log type": {"Log_Type": None},
        "empty log type": {"Log_Type": ""},
        "log type with a dash": {"Log_Type": "a-b"},
        "log type with a digit first": {"Log_Type": "1a"},
        "log type that climbs": {"Log_Type": "../../etc"},
        "log type with spaces": {"Log_Type": "a b"},
        "long log type": {"Log_Type": "a" * 101},
        "no content type": {"Content_Type": None},
        "text": {"Content_Type": "text/plain"},
        "form": {"Content_Type": "application/x-www-form-urlencoded"},
        "nonsense content type": {"Content_Type": "//"},
    }
    for name, change in changes.items():
        yield f"data collector, {name}", lambda change=change: data_collector(product, GOOD, "Broken", **change)
    for version in ("", "?api-version=", "?api-version=2015-01-01", "?api-version=2016-04-01x", "?version=2016-04-01"):
        yield f"data collector, version {version!r}", lambda version=version: post(product, f"/api/logs{version}", GOOD, signed_headers(product, GOOD))
    yield "data collector, 31 MB", lambda: data_collector(product, b"[" + b" " * (31 << 20) + b"]", "Broken")
    for method in ("GET", "PUT", "DELETE", "PATCH"):
        yield f"data collector, {method}", lambda method=method: product.session.request(method, f"{product.url}/api/logs?api-version=2016-04-01", data=GOOD)


def logs_ingestion_cases(product):
    columns = {"Text": "string", "N": "long", "R": "real", "B": "boolean", "When": "datetime", "G": "guid", "I": "int", "D": "dynamic"}
    rule = make_rule(product, "Broken", columns, "source", "Custom-BrokenRows_CL")
    path = f"/dataCollectionRules/{rule}/streams/Custom-Broken"
    version = "?api-version=2023-01-01"
    headers = {**bearer(product), "Content-Type": "application/json"}
    for name, body in {**BROKEN_JSON, "object": b'{"Text":"brokenrequestmarker"}'}.items():
        yield f"logs ingestion, {name}", lambda body=body: post(product, path + version, body, headers)
    for name, (encoding, body) in BROKEN_ENCODINGS.items():
        yield f"logs ingestion, {name}", lambda e=encoding, body=body: post(product, path + version, body, {**headers, "Content-Encoding": e})
    values = {
        "N": ["x", 1.5, True, [1], {"a": 1}, 10**30, -(10**30), 1e300, "1e400"],
        "R": ["x", True, [1]], "B": ["yes", 7, [True]], "When": ["yesterday", 5, True, "2024-13-01", "2024-02-30T00:00:00Z", [1]],
        "G": ["x", 5, "00000000-0000-0000-0000-00000000000"], "I": [2**31, -(2**31) - 1, "x"],
    }
    for column, wrong in values.items():
        for value in wrong:
            body = json.dumps([{"Text": MARKER}, {column: value}]).encode()
            yield f"logs ingestion, {column} = {value!r}", lambda body=body: post(product, path + version, body, headers)
    for name, token in BAD_TOKENS.items():
        sent = {"Content-Type": "application/json", **({"Authorization": token} if token else {})}
        yield f"logs ingestion, token {name}", lambda sent=sent: post(product, path + version, GOOD, sent)
    for other in ("Custom-Other", "Broken", "Microsoft-Syslog", "Custom-BrokenRows_CL", "custom-broken", "..", "%00", "x" * 5000, "Custom-Broken/more"):
        yield f"logs ingestion, stream {other[:30]}", lambda other=other: post(product, f"/dataCollectionRules/{rule}/streams/{other}{version}", GOOD, headers)
    for other in ("dcr-0", "x", rule.upper(), rule[:-1], "'; DROP TABLE data_collection_rules; --", "%ff", "x" * 5000):
        yield f"logs ingestion, rule {other[:30]}", lambda other=other: post(product, f"/dataCollectionRules/{other}/streams/Custom-Broken{version}", GOOD, headers)
    for other in ("", "?api-version=", "?api-version=2019-01-01", "?api-version=latest", "?api-version=2023-01-01&api-version=2023-01-01", "?api_version=2023-01-01"):
        yield f"logs ingestion, version {other!r}", lambda other=other: post(product, path + other, GOOD, headers)
    for content_type in ("text/plain", "application/xml", "", "application/jsonx", "multipart/form-data"):
        yield f"logs ingestion, content type {content_type!r}", lambda c=content_type: post(product, path + version, GOOD, {**headers, "Content-Type": c})
    yield "logs ingestion, more than 1 MB", lambda: post(product, path + version, b"[" + b" " * (1 << 20) + b"]", headers)
    for method in ("GET", "PUT", "DELETE"):
        yield f"logs ingestion, {method}", lambda method=method: product.session.request(method, product.url + path + version, data=GOOD, headers=headers)


def remote_write_cases(product):
    auth = "Basic " + base64.b64encode(f"{product.ready['workspace_id']}:{product.ready['primary_key']}".encode()).decode()
    headers = {"Content-Type": "application/x-protobuf", "Content-Encoding": "snappy", "Authorization": auth}
    now = NOW // 1_000_000
    good = write_request(({"__name__": MARKER, "job": "j"}, [(1.0, now)]))
    packed = snappy.compress(good)
    label = lambda name, value: field(1, field(1, name) + field(2, value))
    sample = field(2, varint(1 << 3 | 1) + struct.pack("<d", 1.0) + varint(2 << 3) + varint(now))
    series = lambda *labels: snappy.compress(good + field(1, b"".join(label(*pair) for pair in labels) + sample))
    bodies = {
        "empty": b"", "not snappy": good, "text": b"hello", "zeros": b"\0" * 50, "ones": b"\xff" * 50,
        "cut": packed[:-3], "cut at the start": packed[3:], "more": packed + b"more", "huge length": b"\xff\xff\xff\xff\x0f" + packed,
        "framed snappy": snappy.StreamCompressor().compress(good), "gzip": gzip.compress(good),
        "cut message": snappy.compress(good[:-4]), "text in snappy": snappy.compress(b"hello world"),
        "json in snappy": snappy.compress(GOOD), "wrong wire type": snappy.compress(varint(1 << 3) + varint(7)),
        "group without end": snappy.compress(bytes([0x0B]) * 1000), "tag 0": snappy.compress(b"\0\1"),
        "no name": series((b"job", b"x")), "no labels": series(), "empty name": series((b"__name__", b"")),
        "empty label": series((b"", b"x"), (b"__name__", b"a")), "empty value": series((b"__name__", b"a"), (b"b", b"")),
        "label twice": series((b"__name__", b"a"), (b"b", b"1"), (b"b", b"2")), "not sorted": series((b"b", b"1"), (b"__name__", b"a")),
        "label that is not utf-8": series((b"__name__", b"\xff\xfe")),
        "time out of range": snappy.compress(good + field(1, label(b"__name__", b"a") + field(2, varint(2 << 3) + varint(2**63 - 1)))),
        "bomb": snappy.compress(b"\0" * (100 << 20)),
    }
    for name, body in bodies.items():
        yield f"remote write, {name}", lambda body=body: post(product, "/api/v1/write", body, headers)
    for name, token in BAD_TOKENS.items():
        sent = {key: value for key, value in {**headers, "Authorization": token}.items() if value is not None}
        yield f"remote write, token {name}", lambda sent=sent: post(product, "/api/v1/write", packed, sent)
    changes = {
        "no encoding": {"Content-Encoding": ""}, "gzip encoding": {"Content-Encoding": "gzip"}, "no type": {"Content-Type": ""},
        "json type": {"Content-Type": "application/json"},
        "version 2": {"Content-Type": "application/x-protobuf;proto=io.prometheus.write.v2.Request"},
    }
    for name, change in changes.items():
        yield f"remote write, {name}", lambda change=change: post(product, "/api/v1/write", packed, {**headers, **change})
    yield "remote write, GET", lambda: product.session.get(f"{product.url}/api/v1/write", headers=headers)


def otlp_cases(product):
    auth = "Basic " + base64.b64encode(f"{product.ready['workspace_id']}:{product.ready['primary_key']}".encode()).decode()
    logs, metrics = ExportLogsServiceRequest(), ExportMetricsServiceRequest()
    logs.resource_logs.add().scope_logs.add().log_records.add(time_unix_nano=NOW).body.string_value = MARKER
    metric = metrics.resource_metrics.add().scope_metrics.add().metrics.add(name=MARKER)
    metric.gauge.data_points.add(time_unix_nano=NOW, as_double=1.0)
    record = lambda value: {"resourceLogs": [{"scopeLogs": [{"logRecords": [value]}]}]}
    point = lambda value: {"resourceMetrics": [{"scopeMetrics": [{"metrics": [value]}]}]}
    wrong = {
        "logs": {
            "wrong field type": record({"body": 7}), "wrong list": {"resourceLogs": {}}, "wrong time": record({"timeUnixNano": "soon"}),
            "negative time": record({"timeUnixNano": -5}), "time past 64 bits": record({"timeUnixNano": str(2**64)}), "odd trace id": record({"traceId": "abc"}),
            "short trace id": record({"traceId": "abcd"}), "trace id of letters": record({"traceId": "z" * 32}),
            "severity": record({"severityNumber": 25}), "negative severity": record({"severityNumber": -1}),
            "value of a wrong type": record({"attributes": [{"key": "a", "value": {"intValue": "x"}}]}),
            "bytes that are not base64": record({"body": {"bytesValue": "***"}}), "list": [1],
        },
        "metrics": {
            "no data": point({"name": MARKER}), "no name": point({"gauge": {"dataPoints": [{"asDouble": 1}]}}),
            "no value": point({"name": MARKER, "gauge": {"dataPoints": [{}]}}),
            "wrong value": point({"name": MARKER, "gauge": {"dataPoints": [{"asDouble": "many"}]}}),
            "wrong buckets": point({"name": MARKER, "histogram": {"aggregationTemporality": 1, "dataPoints": [{"count": "1", "bucketCounts": ["1"], "explicitBounds": [1, 2]}]}}),
            "wrong temporality": point({"name": MARKER, "sum": {"aggregationTemporality": 9, "dataPoints": [{"asInt": "1"}]}}),
            "negative count": point({"name": MARKER, "histogram": {"dataPoints": [{"count": "-1"}]}}),
            "count out of range": point({"name": MARKER, "summary": {"dataPoints": [{"count": str(2**64 - 1)}]}}),
            "list": [1],
        },
    }
    for kind, message in (("logs", logs.SerializeToString()), ("metrics", metrics.SerializeToString())):
        path = f"/v1/{kind}"
        protobuf = {"Content-Type": "application/x-protobuf", "Authorization": auth}
        text = {**protobuf, "Content-Type": "application/json"}
        bodies = {
            "text": b"hello world", "json": GOOD, "cut": message[:-3], "ones": b"\xff" * 100, "group without end": bytes([0x0B]) * 1000,
            "wrong wire type": varint(1 << 3) + varint(7), "huge length": b"\x0a\xff\xff\xff\xff\x0f", "tag 0": b"\0\1",
            "gzip without saying so": gzip.compress(message), "text that is not utf-8": message.replace(MARKER.encode(), b"\xff" * len(MARKER)),
        }
        if kind == "logs":
            bodies["deep"] = deep_protobuf()
        for name, body in bodies.items():
            yield f"otlp {kind}, protobuf {name}", lambda path=path, body=body, sent=protobuf: post(product, path, body, sent)
        for name, (encoding, body) in BROKEN_ENCODINGS.items():
            yield f"otlp {kind}, {name}", lambda path=path, e=encoding, body=body, sent=protobuf: post(product, path, body, {**sent, "Content-Encoding": e})
        for name in ("empty", "not json", "number", "text", "cut object", "NaN", "not utf-8", "two bodies", "only brackets", "nul bytes"):
            yield f"otlp {kind}, json {name}", lambda path=path, name=name, sent=text: post(product, path, BROKEN_JSON[name], sent)
        for name, body in wrong[kind].items():
            yield f"otlp {kind}, {name}", lambda path=path, body=body, sent=text: post(product, path, json.dumps(body).encode(), sent)
        for name, token in BAD_TOKENS.items():
            sent = {key: value for key, value in {**protobuf, "Authorization": token}.items() if value is not None}
            yield f"otlp {kind}, token {name}", lambda path=path, sent=sent, message=message: post(product, path, message, sent)
        for content_type in ("", "text/plain", "application/protobuf2", "application/grpc"):
            yield f"otlp {kind}, content type {content_type!r}", lambda path=path, c=content_type, sent=protobuf, message=message: post(product, path, message, {**sent, "Content-Type": c})
        yield f"otlp {kind}, GET", lambda path=path: product.session.get(product.url + path)


def deep_protobuf():
    """A body that is a list in a list in a list …, deeper than readers follow."""
    value = field(1, b"x")
    for _ in range(2000):
        value = field(5, field(1, value))
    return field(1, field(2, field(2, field(5, value))))


@pytest.mark.parametrize("cases", [data_collector_cases, logs_ingestion_cases, remote_write_cases, otlp_cases], ids=lambda cases: cases.__name__)
def test_broken_requests_are_refused_at_once_and_nothing_is_stored(product, cases):
    count, wrong = 0, []
    for name, send in cases(product):
        count += 1
        try:
            answer = send()
        except OSError:
            # the server closes the connection after a body that it did not read to the end: the next is a new one
            product.session.close()
            answer = send()
        if answer.elapsed.total_seconds() > SECONDS:
            # once more: a machine that is busy with other things is not the server's fault
            answer = send()
        if not 400 <= answer.status_code < 500:
            wrong.append(f"{name}: {answer.status_code} {answer.text[:200]}")
        # the time until the answer's headers, without the test's own preparations
        if answer.elapsed.total_seconds() > SECONDS:
            wrong.append(f"{name}: took {answer.elapsed.total_seconds():.1f} s")
    assert not wrong, f"{len(wrong)} of {count}:\n" + "\n".join(wrong)
    assert count >= 40
    assert product.process.poll() is None
    # the last of them may have been one whose body was not read to the end
    product.session.close()
    assert product.query_or_none("Broken_CL") is None
    assert product.query_or_none("BrokenRows_CL") is None
    for query in (f"OTelLogs | where Body has '{MARKER}'", f"OTelMetrics | where Name == '{MARKER}'", f"PrometheusMetrics | where Name == '{MARKER}' or Name == 'a'", f"Syslog | where SyslogMessage has '{MARKER}'"):
        assert product.query(f"{query} | count")[0]["Count"] == 0, query
