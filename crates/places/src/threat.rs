//! Addresses that are known to be malicious, from a list in CSV: an address or a network in each line, and what is known
//! of it in the columns that VM insights documents ("How to query logs", "Malicious IP").

use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use csv::{ReaderBuilder, StringRecord};

use crate::FileError;
use crate::network::{Network, Networks};

/// The columns of a list, the first one and then those that may be left out.
pub const COLUMNS: [&str; 11] = [
    ADDRESS,
    "IndicatorThreatType",
    "Description",
    "TLPLevel",
    "Confidence",
    "Severity",
    "FirstReportedDateTime",
    "LastReportedDateTime",
    "IsActive",
    "ReportReferenceLink",
    "AdditionalInformation",
];
const ADDRESS: &str = "Address";
/// Other names of columns: that of the table, and the one that the document has by mistake.
const ALIASES: [(&str, &str); 4] =
    [("MaliciousIp", ADDRESS), ("Ip", ADDRESS), ("Network", ADDRESS), ("IndicatorThreadType", "IndicatorThreatType")];
const LEVELS: [&str; 4] = ["White", "Green", "Amber", "Red"];
/// Where a list says nothing (the document's default).
const DEFAULT_SEVERITY: i32 = 3;
const MOST_SEVERE: i32 = 5;
const MOST_CONFIDENT: u8 = 100;

/// What is known of a malicious address.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Threat {
    /// `Botnet`, `C2`, `CryptoMining`, `Darknet`, `DDos`, `MaliciousUrl`, `Malware`, `Phishing`, `Proxy`, `PUA`, `Watchlist`.
    pub indicator_threat_type: String,
    pub description: String,
    /// `White`, `Green`, `Amber`, `Red`.
    pub tlp_level: String,
    /// 0 to 100; empty: not said.
    pub confidence: String,
    /// 0 to 5, the most severe.
    pub severity: i32,
    pub first_reported: String,
    pub last_reported: String,
    /// Whether the indicator still holds.
    pub is_active: bool,
    pub report_reference_link: String,
    pub additional_information: String,
}

/// A list of threats.
#[derive(Debug, Default)]
pub struct Threats {
    networks: Networks<Arc<Threat>>,
}

impl Threats {
    /// Reads a list.
    ///
    /// # Errors
    /// When the file cannot be read, or with the first line that is wrong: a list is taken as a whole.
    pub fn read(file: &Path) -> Result<Threats, FileError> {
        let bytes = std::fs::read(file).map_err(|source| FileError::Read { file: file.to_owned(), source })?;
        Threats::of(&bytes, file)
    }

    fn of(bytes: &[u8], file: &Path) -> Result<Threats, FileError> {
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let mut reader = ReaderBuilder::new().comment(Some(b'#')).trim(csv::Trim::All).from_reader(bytes);
        let header = |reason: String| FileError::Header { file: file.to_owned(), reason };
        let columns = columns(reader.headers().map_err(|error| header(error.to_string()))?).map_err(header)?;
        let mut threats = Threats::default();
        for record in reader.records() {
            let record = record.map_err(|error| {
                let line = error.position().map_or(0, csv::Position::line);
                FileError::Line { file: file.to_owned(), line, reason: error.to_string() }
            })?;
            let line = record.position().map_or(0, csv::Position::line);
            let wrong = |reason| FileError::Line { file: file.to_owned(), line, reason };
            let (network, threat) = entry(&columns, &record).map_err(wrong)?;
            threats.networks.insert(network, Arc::new(threat));
        }
        Ok(threats)
    }

    /// What is known of an address; none: it is not in the list.
    #[must_use]
    pub fn find(&self, address: IpAddr) -> Option<&Arc<Threat>> {
        self.networks.find(address)
    }

    /// Addresses and networks in the list.
    #[must_use]
    pub fn count(&self) -> usize {
        self.networks.len()
    }
}

/// The documented name of each column of a list.
fn columns(header: &StringRecord) -> Result<Vec<&'static str>, String> {
    let mut columns = Vec::new();
    for name in header {
        let known = COLUMNS.iter().find(|known| known.eq_ignore_ascii_case(name)).copied();
        let other = || ALIASES.iter().find(|(alias, _)| alias.eq_ignore_ascii_case(name)).map(|(_, known)| *known);
        let Some(column) = known.or_else(other) else {
            return Err(format!("it has no column {name:?}; there are {}", COLUMNS.join(", ")));
        };
        if columns.contains(&column) {
            return Err(format!("the column {column} is there twice"));
        }
        columns.push(column);
    }
    if !columns.contains(&ADDRESS) {
        return Err(format!("its first line does not name the column {ADDRESS}; there are {}", COLUMNS.join(", ")));
    }
    Ok(columns)
}

fn entry(columns: &[&'static str], record: &StringRecord) -> Result<(Network, Threat), String> {
    let mut network = None;
    let mut threat = Threat { severity: DEFAULT_SEVERITY, is_active: true, ..Threat::default() };
    for (column, text) in columns.iter().zip(record) {
        if *column == ADDRESS {
            let read = Network::parse(text);
            network =
                Some(read.ok_or_else(|| format!("{text:?} is no address and no network such as 203.0.113.0/24"))?);
            continue;
        }
        if text.is_empty() {
            continue;
        }
        let wrong = |wanted: &str| format!("{column} is {text:?}; it has to be {wanted}");
        let owned = text.to_owned();
        match *column {
            "IndicatorThreatType" => threat.indicator_threat_type = owned,
            "Description" => threat.description = owned,
            "TLPLevel" => {
                // version 2 of the protocol calls the first level Clear
                let level = if text.eq_ignore_ascii_case("clear") { LEVELS[0] } else { text };
                let level = LEVELS.iter().find(|known| known.eq_ignore_ascii_case(level));
                threat.tlp_level = (*level.ok_or_else(|| wrong("White, Green, Amber or Red"))?).to_owned();
            }
            "Confidence" => {
                let read = text.parse::<u8>().ok().filter(|number| *number <= MOST_CONFIDENT);
                threat.confidence = read.ok_or_else(|| wrong("0 to 100"))?.to_string();
            }
            "Severity" => {
                let read = text.parse::<i32>().ok().filter(|number| (0..=MOST_SEVERE).contains(number));
                threat.severity = read.ok_or_else(|| wrong("0 to 5"))?;
            }
            "FirstReportedDateTime" => threat.first_reported = owned,
            "LastReportedDateTime" => threat.last_reported = owned,
            "IsActive" => {
                let read = text.to_ascii_lowercase().parse::<bool>();
                threat.is_active = read.map_err(|_| wrong("true or false"))?;
            }
            "ReportReferenceLink" => threat.report_reference_link = owned,
            "AdditionalInformation" => threat.additional_information = owned,
            other => unreachable!("{other} is none of the columns"),
        }
    }
    // a record has as many fields as the header, or the reader refuses it
    let network = network.ok_or_else(|| format!("{ADDRESS} is missing"))?;
    Ok((network, threat))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Threats, String> {
        Threats::of(text.as_bytes(), Path::new("threats.csv")).map_err(|error| error.to_string())
    }

    #[test]
    fn a_list_says_what_is_known_of_addresses_and_networks() {
        let threats = read(
            "\u{feff}Address,IndicatorThreatType,Description,TLPLevel,Confidence,Severity,IsActive\n# of today\n\
             203.0.113.7, C2,\"Command, control\",amber,90,5,True\n198.51.100.0/24,Proxy,,,,,false\n",
        )
        .unwrap();
        assert_eq!(threats.count(), 2);
        let found = threats.find("203.0.113.7".parse().unwrap()).unwrap();
        let texts = (found.indicator_threat_type.as_str(), found.description.as_str(), found.tlp_level.as_str());
        assert_eq!(texts, ("C2", "Command, control", "Amber"));
        assert_eq!((found.confidence.as_str(), found.severity, found.is_active), ("90", 5, true));
        let found = threats.find("198.51.100.200".parse().unwrap()).unwrap();
        assert_eq!((found.severity, found.is_active, found.confidence.as_str()), (3, false, ""));
        assert!(threats.find("192.0.2.1".parse().unwrap()).is_none());
        assert_eq!(read("ip\n192.0.2.1\n").unwrap().count(), 1);
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        for (text, said) in [
            ("Address,Colour\n", "no column \"Colour\"; there are Address, IndicatorThreatType"),
            ("Severity\n1\n", "does not name the column Address"),
            ("", "does not name the column Address"),
            ("Address,Ip\n", "Address is there twice"),
            ("Address\n192.0.2.1\nhere\n", "threats.csv, line 3: \"here\" is no address"),
            ("Address,Severity\n192.0.2.1,6\n", "line 2: Severity is \"6\"; it has to be 0 to 5"),
            ("Address,Confidence\n192.0.2.1,high\n", "Confidence is \"high\"; it has to be 0 to 100"),
            ("Address,TLPLevel\n192.0.2.1,Blue\n", "White, Green, Amber or Red"),
            ("Address,IsActive\n192.0.2.1,yes\n", "true or false"),
            ("Address,IsActive\n192.0.2.1\n", "line 2"),
        ] {
            let error = read(text).err().unwrap();
            assert!(error.contains(said), "{text:?}: {error}");
        }
    }
}
