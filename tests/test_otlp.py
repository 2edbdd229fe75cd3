"""The OpenTelemetry SDK's own exporters against the running product."""

import base64
import json
import time
import uuid
from pathlib import Path

import grpc
import pytest
from opentelemetry._logs import SeverityNumber
from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter as GrpcLogs
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter as GrpcMetrics
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter as HttpLogs
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter as HttpMetrics
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest, ExportLogsServiceResponse
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource


@pytest.fixture(autouse=True)
def own_authority(monkeypatch):
    """The exporters trust the file that they are given, unless these variables name another one."""
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)


def basic(product):
    return "Basic " + base64.b64encode(f"{product.ready['workspace_id']}:{product.ready['secondary_key']}".encode()).decode()


def exporters(product, transport, kind):
    """The exporter of a transport, as its documentation configures it; HTTP with a token, gRPC with the key."""
    if transport.startswith("http"):
        exporter = {"logs": HttpLogs, "metrics": HttpMetrics}[kind]
        return exporter(
            endpoint=f"{product.url}/v1/{kind}", certificate_file=product.ready["ca_file"],
            headers={"authorization": f"Bearer {product.token()}"},
            compression=Compression.Gzip if transport == "http-gzip" else Compression.NoCompression)
    exporter = {"logs": GrpcLogs, "metrics": GrpcMetrics}[kind]
    credentials = grpc.ssl_channel_credentials(Path(product.ready["ca_file"]).read_bytes())
    return exporter(
        endpoint=product.url, credentials=credentials, headers=(("authorization", basic(product)),),
        compression=grpc.Compression.Gzip if transport == "grpc-gzip" else grpc.Compression.NoCompression)


def resource(marker):
    return Resource.create({"service.name": f"shop-{marker}", "service.version": "1.2", "k8s.pod.name": "pod-1"})


@pytest.mark.parametrize("transport", ["http", "http-gzip", "grpc", "grpc-gzip"])
def test_log_records_of_the_sdk_can_be_queried(product, transport):
    marker = uuid.uuid4().hex
    provider = LoggerProvider(resource=resource(marker))
    provider.add_log_record_processor(BatchLogRecordProcessor(exporters(product, transport, "logs")))
    logger = provider.get_logger("cart", "3")
    before = time.time_ns()
    for n in range(10):
        logger.emit(
            timestamp=before + n * 1000, severity_number=SeverityNumber.ERROR, severity_text="ERROR", body=f"line {n}",
            attributes={"n": n, "list": ["a", "b"]})
    assert provider.force_flush()
    provider.shutdown()
    rows = product.query(f"OTelLogs | where ServiceName == 'shop-{marker}' | sort by TimeGenerated asc | extend N = tolong(Attributes.n)")
    assert [(row["Body"], row["N"]) for row in rows] == [(f"line {n}", n) for n in range(10)]
    row = rows[0]
    assert (row["SeverityText"], row["SeverityNumber"], row["SeverityLevel"]) == ("ERROR", 17, 3)
    assert (row["ScopeName"], row["ScopeVersion"], row["ServiceVersion"], row["K8sPodName"]) == ("cart", "3", "1.2", "pod-1")


@pytest.mark.parametrize("transport", ["http-gzip", "grpc"])
def test_metrics_of_the_sdk_can_be_queried(product, transport):
    marker = uuid.uuid4().hex
    reader = PeriodicExportingMetricReader(exporters(product, transport, "metrics"), export_interval_millis=3_600_000)
    provider = MeterProvider(metric_readers=[reader], resource=resource(marker))
    meter = provider.get_meter("cart")
    meter.create_counter("orders", unit="1").add(7, {"kind": "book"})
    meter.create_gauge("temperature").set(21.5)
    histogram = meter.create_histogram("latency", unit="ms")
    for value in (1, 20, 300):
        histogram.record(value)
    assert provider.force_flush()
    provider.shutdown()
    rows = {row["Name"]: row for row in product.query(f"OTelMetrics | where ServiceName == 'shop-{marker}' | summarize arg_max(TimeGenerated, *) by Name")}
    orders, temperature, latency = rows["orders"], rows["temperature"], rows["latency"]
    assert (orders["Kind"], orders["Value"], orders["IsMonotonic"], orders["Temporality"]) == ("Sum", 7, True, "Cumulative")
    attributes = orders["Attributes"]
    assert (json.loads(attributes) if isinstance(attributes, str) else attributes) == {"kind": "book"}
    assert (temperature["Kind"], temperature["Value"]) == ("Gauge", 21.5)
    assert (latency["Kind"], latency["Count"], latency["Sum"], latency["Min"], latency["Max"]) == ("Histogram", 3, 321, 1, 300)


def test_wrong_records_are_a_partial_success(product):
    marker = uuid.uuid4().hex
    records = [
        {"timeUnixNano": str(time.time_ns()), "body": {"stringValue": marker}},
        {"timeUnixNano": str(time.time_ns()), "body": {"stringValue": marker}, "severityNumber": 77},
    ]
    body = {"resourceLogs": [{"scopeLogs": [{"logRecords": records}]}]}
    headers = {"Authorization": basic(product)}
    answer = product.session.post(f"{product.url}/v1/logs", json=body, headers=headers)
    assert answer.status_code == 200, answer.text
    partial = answer.json()["partialSuccess"]
    assert partial["rejectedLogRecords"] == "1" and "77" in partial["errorMessage"]

    request = ExportLogsServiceRequest()
    logs = request.resource_logs.add().scope_logs.add()
    logs.log_records.add(time_unix_nano=time.time_ns()).body.string_value = marker
    logs.log_records.add(time_unix_nano=time.time_ns(), trace_id=b"short")
    headers["Content-Type"] = "application/x-protobuf"
    answer = product.session.post(f"{product.url}/v1/logs", data=request.SerializeToString(), headers=headers)
    assert answer.headers["content-type"] == "application/x-protobuf"
    assert ExportLogsServiceResponse.FromString(answer.content).partial_success.rejected_log_records == 1
    assert product.query(f"OTelLogs | where Body == '{marker}' | count")[0]["Count"] == 2


def test_a_wrong_key_is_refused_over_grpc(product):
    channel = grpc.secure_channel(
        product.url.removeprefix("https://"), grpc.ssl_channel_credentials(Path(product.ready["ca_file"]).read_bytes()))
    export = channel.unary_unary("/opentelemetry.proto.collector.logs.v1.LogsService/Export")
    with channel, pytest.raises(grpc.RpcError) as error:
        export(b"", metadata=(("authorization", "Basic eDp5"),), timeout=20)
    assert error.value.code() == grpc.StatusCode.UNAUTHENTICATED
