//! The columns of places and threats of `VMConnection`, filled for remote addresses that the server's files know
//! (`watchkeeper-places`), whoever sent the rows. What a sender says itself stays.

use std::net::IpAddr;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, Int32Array, RecordBatch, StringViewArray};
use arrow::datatypes::{Float64Type, Int32Type, Schema};
use arrow::error::ArrowError;
use watchkeeper_kql::{Column, Type};
use watchkeeper_places::{Known, Remote, Threat};
use watchkeeper_store::storage_field;

/// The table that has such columns.
pub const TABLE: &str = "VMConnection";
const REMOTE_IP: &str = "RemoteIp";
const COUNTRY: &str = "RemoteCountry";
const MALICIOUS_IP: &str = "MaliciousIp";

/// A column with the text of a threat that it has.
type ThreatText = (&'static str, fn(&Threat) -> &str);

/// The columns of a threat, besides the address and the severity.
const THREAT_TEXTS: [ThreatText; 9] = [
    ("IndicatorThreatType", |threat| &threat.indicator_threat_type),
    ("Description", |threat| &threat.description),
    ("TLPLevel", |threat| &threat.tlp_level),
    ("Confidence", |threat| &threat.confidence),
    ("FirstReportedDateTime", |threat| &threat.first_reported),
    ("LastReportedDateTime", |threat| &threat.last_reported),
    ("IsActive", |threat| if threat.is_active { "true" } else { "false" }),
    ("ReportReferenceLink", |threat| &threat.report_reference_link),
    ("AdditionalInformation", |threat| &threat.additional_information),
];

/// What is to be filled in a row.
#[derive(Default)]
struct Found {
    place: Option<Arc<Remote>>,
    threat: Option<Arc<Threat>>,
}

/// The rows with what is known of their remote addresses; none where nothing is to be filled.
///
/// # Errors
/// When a column of the rows has another type than the table.
pub fn describe(known: &Known, rows: &RecordBatch) -> Result<Option<RecordBatch>, ArrowError> {
    let Some(addresses) = texts(rows, REMOTE_IP) else { return Ok(None) };
    let (countries, malicious) = (texts(rows, COUNTRY), texts(rows, MALICIOUS_IP));
    let mut is_anything = false;
    let mut found = Vec::with_capacity(rows.num_rows());
    for row in 0..rows.num_rows() {
        let address: Option<IpAddr> = value(addresses, row).parse().ok();
        let Some(remote) = address.and_then(|address| known.find(address)) else {
            found.push(Found::default());
            continue;
        };
        let is_free = |column: Option<&StringViewArray>| column.is_none_or(|column| value(column, row).is_empty());
        let threat = remote.threat.clone().filter(|_| is_free(malicious));
        let place = (remote.place.is_some() && is_free(countries)).then_some(remote);
        is_anything |= place.is_some() || threat.is_some();
        found.push(Found { place, threat });
    }
    if !is_anything {
        return Ok(None);
    }
    let mut filled = Filled { fields: rows.schema().fields().to_vec(), columns: rows.columns().to_vec() };
    let place = |row: usize| found[row].place.as_ref().and_then(|remote| remote.place.as_ref());
    let threat = |row: usize| found[row].threat.as_deref();
    filled.texts(rows, COUNTRY, |row| place(row).map(|place| place.country.as_str()));
    filled.reals(rows, "RemoteLatitude", |row| place(row)?.latitude);
    filled.reals(rows, "RemoteLongitude", |row| place(row)?.longitude);
    filled.texts(rows, MALICIOUS_IP, |row| threat(row).map(|_| value(addresses, row)));
    for (column, of) in THREAT_TEXTS {
        filled.texts(rows, column, |row| threat(row).map(of));
    }
    filled.ints(rows, "Severity", |row| threat(row).map(|threat| threat.severity));
    RecordBatch::try_new(Arc::new(Schema::new(filled.fields)), filled.columns).map(Some)
}

fn texts<'a>(rows: &'a RecordBatch, column: &str) -> Option<&'a StringViewArray> {
    rows.column_by_name(column)?.as_string_view_opt()
}

fn value(column: &StringViewArray, row: usize) -> &str {
    if column.is_null(row) { "" } else { column.value(row) }
}

/// Columns while they are filled.
struct Filled {
    fields: Vec<arrow::datatypes::FieldRef>,
    columns: Vec<ArrayRef>,
}

impl Filled {
    fn put(&mut self, name: &str, ty: Type, column: ArrayRef) {
        match self.fields.iter().position(|field| field.name() == name) {
            Some(at) => self.columns[at] = column,
            None => {
                self.fields.push(Arc::new(storage_field(&Column::new(name, ty))));
                self.columns.push(column);
            }
        }
    }

    fn texts<'a>(&mut self, rows: &'a RecordBatch, name: &str, new: impl Fn(usize) -> Option<&'a str>) {
        let old = texts(rows, name);
        let column = (0..rows.num_rows()).map(|row| new(row).unwrap_or_else(|| old.map_or("", |old| value(old, row))));
        self.put(name, Type::String, Arc::new(StringViewArray::from_iter_values(column)));
    }

    fn reals(&mut self, rows: &RecordBatch, name: &str, new: impl Fn(usize) -> Option<f64>) {
        let old = rows.column_by_name(name).and_then(|old| old.as_primitive_opt::<Float64Type>());
        let kept = |row| old.filter(|old| old.is_valid(row)).map(|old| old.value(row));
        let column: Float64Array = (0..rows.num_rows()).map(|row| new(row).or_else(|| kept(row))).collect();
        self.put(name, Type::Real, Arc::new(column));
    }

    fn ints(&mut self, rows: &RecordBatch, name: &str, new: impl Fn(usize) -> Option<i32>) {
        let old = rows.column_by_name(name).and_then(|old| old.as_primitive_opt::<Int32Type>());
        let kept = |row| old.filter(|old| old.is_valid(row)).map(|old| old.value(row));
        let column: Int32Array = (0..rows.num_rows()).map(|row| new(row).or_else(|| kept(row))).collect();
        self.put(name, Type::Int, Arc::new(column));
    }
}

#[cfg(test)]
mod tests {
    use watchkeeper_places::{Files, Remotes};
    use watchkeeper_wire::{Batch, TableBuilder};

    use super::*;
    use crate::writer::tests::{stored, texts, workspace};
    use watchkeeper_management::{AgentIdentity, AgentSink};

    #[tokio::test]
    async fn rows_of_connections_get_what_is_known_of_their_remote_address() {
        let (dir, ingest) = workspace().await;
        let list = dir.path().join("threats.csv");
        std::fs::write(&list, "Address,IndicatorThreatType,Confidence\n203.0.113.0/28,C2,90\n").unwrap();
        let places = concat!(env!("CARGO_MANIFEST_DIR"), "/../places/tests/data/cities.mmdb");
        let remotes = Arc::new(Remotes::new(Files { places: Some(places.into()), threats: Some(list) }));
        assert_eq!(remotes.look().len(), 2);
        ingest.describe_remote_ends(remotes);

        let mut table = TableBuilder::new(TABLE);
        for (address, country, malicious) in [
            ("203.0.113.7", "", ""),
            ("10.0.0.1", "", ""),
            ("203.0.113.99", "Nowhere", "its own"),
            ("2001:db8::1", "", ""),
            ("", "", ""),
        ] {
            table.row().string("Computer", "a").string(REMOTE_IP, address).string(COUNTRY, country);
            if !malicious.is_empty() {
                table.string(MALICIOUS_IP, malicious).int("Severity", 1);
            }
        }
        let agent = AgentIdentity { agent_id: "a1".into(), computer: "a".into(), queue: "q1".into() };
        ingest.accept(&agent, Batch { sequence: 1, tables: vec![table.finish()] }).await.unwrap();
        let batch = stored(&ingest, TABLE);
        assert_eq!(texts(&batch, COUNTRY), ["Netherlands", "", "Nowhere", "Australia", ""]);
        assert_eq!(texts(&batch, MALICIOUS_IP), ["203.0.113.7", "", "its own", "", ""]);
        assert_eq!(texts(&batch, "IndicatorThreatType"), ["C2", "", "", "", ""]);
        assert_eq!(texts(&batch, "IsActive"), ["true", "", "", "", ""]);
        let severity: Vec<_> = batch["Severity"].as_primitive::<Int32Type>().iter().collect();
        assert_eq!(severity, [Some(3), None, Some(1), None, None]);
        let latitude: Vec<_> = batch["RemoteLatitude"].as_primitive::<Float64Type>().iter().collect();
        assert_eq!(latitude, [Some(52.37), None, None, Some(-33.87), None]);
    }
}
