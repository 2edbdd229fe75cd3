//! `ipv4_lookup` and `ipv6_lookup`: rows joined with the networks that hold their address.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use arrow::array::{Array, ArrayRef, AsArray, UInt32Array};
use arrow::compute::take;
use arrow::record_batch::RecordBatch;
use datafusion::error::Result;

use super::{Room, Work, column, key_of};

/// The plugin. First input: the rows, with the address as text. Second: the table.
#[derive(Debug)]
pub struct Lookup {
    pub address: String,
    pub network: String,
    /// Columns that must be equal on both sides.
    pub keys: Vec<(String, String)>,
    pub v6: bool,
    pub return_unmatched: bool,
    pub input_columns: Vec<String>,
    /// With whether it is a string, which has no null.
    pub table_columns: Vec<(String, bool)>,
}

/// An address as 128 bits; those of version 4 are mapped into version 6.
fn address(text: &str, v6: bool) -> Option<u128> {
    let text = text.trim();
    match text.parse::<IpAddr>().ok()? {
        IpAddr::V4(address) => Some(mapped(address)),
        IpAddr::V6(address) => v6.then(|| u128::from(address)),
    }
}

fn mapped(address: Ipv4Addr) -> u128 {
    u128::from(address.to_ipv6_mapped())
}

/// The masked address and the length of the prefix, of 128.
fn network(text: &str, v6: bool) -> Option<(u128, u32)> {
    let (host, prefix) = match text.trim().split_once('/') {
        Some((host, prefix)) => (host, Some(prefix.trim().parse::<u32>().ok()?)),
        None => (text.trim(), None),
    };
    let value = address(host, v6)?;
    let prefix = match (prefix, host.parse::<Ipv6Addr>().is_ok()) {
        (None, _) => 128,
        (Some(prefix), true) if prefix <= 128 => prefix,
        (Some(prefix), false) if prefix <= 32 => prefix + 96,
        _ => return None,
    };
    Some((value & mask(prefix), prefix))
}

fn mask(prefix: u32) -> u128 {
    u128::MAX.checked_shl(128 - prefix).unwrap_or(0)
}

impl Work for Lookup {
    fn name(&self) -> &'static str {
        if self.v6 { "ipv6_lookup" } else { "ipv4_lookup" }
    }

    fn run(&self, inputs: &[RecordBatch], room: &Room) -> Result<Vec<ArrayRef>> {
        let (rows, table) = (&inputs[0], &inputs[1]);
        let mut networks: BTreeMap<u32, HashMap<u128, Vec<u32>>> = BTreeMap::new();
        let texts = column(table, &self.network)?.as_string_view();
        room.grow(texts.len() * 48)?;
        for (row, text) in texts.iter().enumerate() {
            if let Some((network, prefix)) = network(text.unwrap_or(""), self.v6) {
                networks.entry(prefix).or_default().entry(network).or_default().push(row as u32);
            }
        }
        let sides = |batch: &RecordBatch, names: Vec<&String>| -> Result<Vec<ArrayRef>> {
            names.into_iter().map(|name| column(batch, name).cloned()).collect()
        };
        let left_keys = sides(rows, self.keys.iter().map(|(left, _)| left).collect())?;
        let right_keys = sides(table, self.keys.iter().map(|(_, right)| right).collect())?;
        let (mut left, mut right) = (Vec::new(), Vec::new());
        let addresses = column(rows, &self.address)?.as_string_view();
        for (row, text) in addresses.iter().enumerate() {
            if row % 1024 == 0 {
                room.check()?;
            }
            let before = left.len();
            if let Some(value) = address(text.unwrap_or(""), self.v6) {
                // the longest prefix first
                for (prefix, nets) in networks.iter().rev() {
                    for found in nets.get(&(value & mask(*prefix))).into_iter().flatten() {
                        let same =
                            self.keys.is_empty() || key_of(&left_keys, row)? == key_of(&right_keys, *found as usize)?;
                        if same {
                            left.push(row as u32);
                            right.push(Some(*found));
                        }
                    }
                }
            }
            if before == left.len() && self.return_unmatched {
                left.push(row as u32);
                right.push(None);
            }
            room.grow((left.len() - before) * 12)?;
        }
        let (left, right) = (UInt32Array::from(left), UInt32Array::from(right));
        joined((rows, &self.input_columns, &left), (table, &self.table_columns, &right))
    }
}

/// Columns of pairs of rows: those of the input, then those of the table, each with whether it is a string, which has no
/// null where a row has no partner.
pub(super) fn joined(
    (rows, input_columns, left): (&RecordBatch, &[String], &UInt32Array),
    (table, table_columns, right): (&RecordBatch, &[(String, bool)], &UInt32Array),
) -> Result<Vec<ArrayRef>> {
    let mut arrays = Vec::with_capacity(input_columns.len() + table_columns.len());
    for name in input_columns {
        arrays.push(take(column(rows, name)?, left, None)?);
    }
    for (name, text) in table_columns {
        let taken = take(column(table, name)?, right, None)?;
        arrays.push(if *text && taken.null_count() > 0 { filled(&taken) } else { taken });
    }
    Ok(arrays)
}

/// The empty text in place of null.
fn filled(array: &ArrayRef) -> ArrayRef {
    let texts = array.as_string_view();
    std::sync::Arc::new(arrow::array::StringViewArray::from_iter_values(texts.iter().map(Option::unwrap_or_default)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_of_both_versions_are_read() {
        for (text, v6, holds, expected) in [
            ("10.0.0.0/8", false, "10.1.2.3", true),
            ("10.0.0.0/8", false, "11.1.2.3", false),
            ("10.1.2.3", false, "10.1.2.3", true),
            ("0.0.0.0/0", false, "9.9.9.9", true),
            ("2001:db8::/32", true, "2001:db8:1::5", true),
            ("2001:db8::/32", true, "2001:db9::5", false),
            ("10.0.0.0/8", true, "::ffff:10.4.4.4", true),
        ] {
            let (network, prefix) = network(text, v6).expect(text);
            let address = address(holds, v6).expect(holds);
            assert_eq!(address & mask(prefix) == network, expected, "{holds} in {text}");
        }
        assert_eq!(network("10.0.0.0/33", false), None);
        assert_eq!(address("::1", false), None);
    }
}
