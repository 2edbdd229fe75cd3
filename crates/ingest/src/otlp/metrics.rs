//! Data points as rows of `OTelMetrics`, one a point.

use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point::Buckets;
use opentelemetry_proto::tonic::metrics::v1::{
    Exemplar, ExponentialHistogramDataPoint, HistogramDataPoint, Metric, NumberDataPoint, SummaryDataPoint, exemplar,
    metric, number_data_point,
};
use serde_json::{Map, Value as Json, json};

use super::values::{Origin, SERVICE, attributes, real, set_object};
use super::{ExportMetricsServiceRequest, set, set_time};
use crate::rows::RowsBuilder;
use crate::rows::value::Value;

pub const TABLE: &str = "OTelMetrics";

pub fn read(request: &ExportMetricsServiceRequest, rows: &mut RowsBuilder) {
    for resource in &request.resource_metrics {
        for scope in &resource.scope_metrics {
            let origin = Origin::new(resource.resource.as_ref(), scope.scope.as_ref(), &SERVICE);
            let attributes = scope.scope.as_ref().map(|scope| attributes(&scope.attributes)).unwrap_or_default();
            for metric in &scope.metrics {
                Points { metric, origin: &origin, scope: &attributes, rows }.write();
            }
        }
    }
}

/// The points of one metric on their way into rows.
struct Points<'a> {
    metric: &'a Metric,
    origin: &'a Origin,
    scope: &'a Map<String, Json>,
    rows: &'a mut RowsBuilder,
}

/// What every point has.
struct Common<'a> {
    time: u64,
    start: u64,
    attributes: &'a [KeyValue],
    exemplars: &'a [Exemplar],
    flags: u32,
}

impl Points<'_> {
    fn write(&mut self) {
        match &self.metric.data {
            None => {
                self.rows.fail_row(format!("the metric {:?} has no data", self.name()));
                self.rows.end_row();
            }
            Some(metric::Data::Gauge(gauge)) => {
                gauge.data_points.iter().for_each(|point| self.number(point, "Gauge", 0, false));
            }
            Some(metric::Data::Sum(sum)) => {
                let (temporality, is_monotonic) = (sum.aggregation_temporality, sum.is_monotonic);
                sum.data_points.iter().for_each(|point| self.number(point, "Sum", temporality, is_monotonic));
            }
            Some(metric::Data::Histogram(histogram)) => {
                let temporality = histogram.aggregation_temporality;
                histogram.data_points.iter().for_each(|point| self.histogram(point, temporality));
            }
            Some(metric::Data::ExponentialHistogram(histogram)) => {
                let temporality = histogram.aggregation_temporality;
                histogram.data_points.iter().for_each(|point| self.exponential(point, temporality));
            }
            Some(metric::Data::Summary(summary)) => summary.data_points.iter().for_each(|point| self.summary(point)),
        }
    }

    fn name(&self) -> String {
        self.metric.name.chars().take(100).collect()
    }

    /// Starts a row.
    fn common(&mut self, kind: &str, temporality: i32, common: &Common<'_>) {
        if self.metric.name.is_empty() {
            self.rows.fail_row("the metric has no name");
        }
        let temporality = match temporality {
            0 => "",
            1 => "Delta",
            2 => "Cumulative",
            other => {
                self.rows.fail_row(format!("the aggregation temporality {other} is not known"));
                ""
            }
        };
        let rows = &mut *self.rows;
        set_time(rows, "TimeGenerated", common.time);
        set_time(rows, "StartTime", common.start);
        let texts = [
            ("Name", self.metric.name.as_str()),
            ("Description", self.metric.description.as_str()),
            ("Unit", self.metric.unit.as_str()),
            ("Kind", kind),
            ("Temporality", temporality),
        ];
        for (column, text) in texts {
            set(rows, column, Value::Text(text));
        }
        set(rows, "Flags", Value::Long(i64::from(common.flags).min(i32::MAX.into())));
        set_object(rows, "Attributes", attributes(common.attributes));
        set_object(rows, "ScopeAttributes", self.scope.clone());
        if !common.exemplars.is_empty() {
            let all: Vec<Json> = common.exemplars.iter().map(exemplar).collect();
            set(rows, "Exemplars", Value::Json(&Json::Array(all).to_string()));
        }
        self.origin.write(rows);
    }

    fn count(&mut self, count: u64, sum: Option<f64>, min: Option<f64>, max: Option<f64>) {
        match i64::try_from(count) {
            Ok(count) => set(self.rows, "Count", Value::Long(count)),
            Err(_) => self.rows.fail_row(format!("the count {count} is out of range")),
        }
        for (column, value) in [("Sum", sum), ("Min", min), ("Max", max)] {
            if let Some(value) = value {
                set(self.rows, column, Value::Real(value));
            }
        }
    }

    fn number(&mut self, point: &NumberDataPoint, kind: &str, temporality: i32, is_monotonic: bool) {
        let common = Common {
            time: point.time_unix_nano,
            start: point.start_time_unix_nano,
            attributes: &point.attributes,
            exemplars: &point.exemplars,
            flags: point.flags,
        };
        self.common(kind, temporality, &common);
        if kind == "Sum" {
            set(self.rows, "IsMonotonic", Value::Bool(is_monotonic));
        }
        match point.value {
            Some(number_data_point::Value::AsDouble(value)) => set(self.rows, "Value", Value::Real(value)),
            Some(number_data_point::Value::AsInt(value)) => set(self.rows, "Value", Value::Long(value)),
            // the flag says that the sender had no value
            None if point.flags & 1 == 1 => {}
            None => self.rows.fail_row(format!("a point of the metric {:?} has no value", self.name())),
        }
        self.rows.end_row();
    }

    fn histogram(&mut self, point: &HistogramDataPoint, temporality: i32) {
        let common = Common {
            time: point.time_unix_nano,
            start: point.start_time_unix_nano,
            attributes: &point.attributes,
            exemplars: &point.exemplars,
            flags: point.flags,
        };
        self.common("Histogram", temporality, &common);
        self.count(point.count, point.sum, point.min, point.max);
        let (bounds, counts) = (&point.explicit_bounds, &point.bucket_counts);
        if !counts.is_empty() && counts.len() != bounds.len() + 1 {
            let reason = format!(
                "a histogram has {} bounds and {} counts; it has to have one count more",
                bounds.len(),
                counts.len()
            );
            self.rows.fail_row(reason);
        }
        if !counts.is_empty() {
            let bounds: Vec<Json> = bounds.iter().map(|bound| real(*bound)).collect();
            let histogram = json!({"bounds": bounds, "counts": counts}).to_string();
            set(self.rows, "Histogram", Value::Json(&histogram));
        }
        self.rows.end_row();
    }

    fn exponential(&mut self, point: &ExponentialHistogramDataPoint, temporality: i32) {
        let common = Common {
            time: point.time_unix_nano,
            start: point.start_time_unix_nano,
            attributes: &point.attributes,
            exemplars: &point.exemplars,
            flags: point.flags,
        };
        self.common("ExponentialHistogram", temporality, &common);
        self.count(point.count, point.sum, point.min, point.max);
        let buckets = |buckets: &Option<Buckets>| match buckets {
            None => Json::Null,
            Some(buckets) => json!({"offset": buckets.offset, "counts": buckets.bucket_counts}),
        };
        let histogram = json!({
            "scale": point.scale,
            "zeroCount": point.zero_count,
            "zeroThreshold": real(point.zero_threshold),
            "positive": buckets(&point.positive),
            "negative": buckets(&point.negative),
        });
        set(self.rows, "Histogram", Value::Json(&histogram.to_string()));
        self.rows.end_row();
    }

    fn summary(&mut self, point: &SummaryDataPoint) {
        let common = Common {
            time: point.time_unix_nano,
            start: point.start_time_unix_nano,
            attributes: &point.attributes,
            exemplars: &[],
            flags: point.flags,
        };
        self.common("Summary", 0, &common);
        self.count(point.count, Some(point.sum), None, None);
        let quantiles: Vec<Json> = point
            .quantile_values
            .iter()
            .map(|at| json!({"quantile": real(at.quantile), "value": real(at.value)}))
            .collect();
        let histogram = json!({"quantiles": quantiles}).to_string();
        set(self.rows, "Histogram", Value::Json(&histogram));
        self.rows.end_row();
    }
}

fn exemplar(exemplar: &Exemplar) -> Json {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let value = match exemplar.value {
        None => Json::Null,
        Some(exemplar::Value::AsDouble(value)) => real(value),
        Some(exemplar::Value::AsInt(value)) => Json::from(value),
    };
    json!({
        "timeUnixNano": exemplar.time_unix_nano,
        "value": value,
        "traceId": hex(&exemplar.trace_id),
        "spanId": hex(&exemplar.span_id),
        "attributes": attributes(&exemplar.filtered_attributes),
    })
}
