//! Which row groups of a file hold which terms: a file beside each Parquet file, so that `has`, `==` and `in` on
//! texts read only where the terms are. A term is a maximal run of letters and digits, in lower case (KQL
//! reference, "String operators", "What is a term?").
//!
//! Layout: for each column a finite state map from term to posting, then the postings that do not fit into 64 bits
//! (roaring bitmaps), then a footer in JSON, its length, a checksum and the magic.

use std::collections::HashMap;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::DataType;
use fst::{Automaton, IntoStreamer, Map, MapBuilder, Streamer, automaton::Str};
use roaring::RoaringBitmap;

use crate::limits::{MAX_TERM_BYTES, ROW_GROUP_ROWS};

const MAGIC: &[u8; 8] = b"WKTERM\0\x01";

/// Calls `each` with every term of a text, in lower case and cut to [`MAX_TERM_BYTES`].
pub fn for_each_term(text: &str, scratch: &mut String, mut each: impl FnMut(&str)) {
    let mut start = None;
    for (at, c) in text.char_indices() {
        let inside = if c.is_ascii() { c.is_ascii_alphanumeric() } else { c.is_alphanumeric() };
        match (inside, start) {
            (true, None) => start = Some(at),
            (false, Some(from)) => {
                start = None;
                each(normalize(&text[from..at], scratch));
            }
            _ => {}
        }
    }
    if let Some(from) = start {
        each(normalize(&text[from..], scratch));
    }
}

/// The indexed form of a term: lower case, cut at a character boundary.
fn normalize<'a>(term: &str, scratch: &'a mut String) -> &'a str {
    scratch.clear();
    if term.is_ascii() {
        scratch.push_str(&term[..term.len().min(MAX_TERM_BYTES)]);
        scratch.make_ascii_lowercase();
    } else {
        for c in term.chars().flat_map(char::to_lowercase) {
            if scratch.len() + c.len_utf8() > MAX_TERM_BYTES {
                break;
            }
            scratch.push(c);
        }
    }
    scratch
}

#[derive(Debug, serde::Serialize, serde::Deserialize)]
struct Footer {
    row_groups: u32,
    columns: Vec<FooterColumn>,
}

#[derive(Debug, serde::Serialize, serde::Deserialize)]
struct FooterColumn {
    name: String,
    terms: (usize, usize),
    postings: (usize, usize),
}

/// Collects the terms of a file's rows, in the order in which they are written.
#[derive(Debug, Default)]
pub struct TermIndexBuilder {
    rows: usize,
    columns: HashMap<String, HashMap<Box<str>, Posting>>,
}

#[derive(Debug, Default)]
struct Posting {
    /// The last row group added, so that a term of every row costs one comparison.
    last: Option<u32>,
    groups: RoaringBitmap,
    mask: u64,
}

impl Posting {
    fn add(&mut self, group: u32) {
        if self.last == Some(group) {
            return;
        }
        self.last = Some(group);
        match group {
            0..64 => self.mask |= 1 << group,
            _ => {
                self.groups.insert(group);
            }
        }
    }

    fn bitmap(&self) -> RoaringBitmap {
        &self.groups | from_mask(self.mask)
    }
}

fn from_mask(mask: u64) -> RoaringBitmap {
    (0..64).filter(|group| mask & (1 << group) != 0).collect()
}

impl TermIndexBuilder {
    /// Adds the next rows of the file.
    pub fn add(&mut self, rows: &RecordBatch) {
        let mut scratch = String::new();
        for (field, array) in rows.schema().fields().iter().zip(rows.columns()) {
            if field.data_type() != &DataType::Utf8View {
                continue;
            }
            let texts = array.as_string_view();
            let terms = self.columns.entry(field.name().clone()).or_default();
            let mut previous = None;
            for row in 0..texts.len() {
                let group = ((self.rows + row) / ROW_GROUP_ROWS) as u32;
                if texts.is_null(row) {
                    continue;
                }
                // sorted and constant columns repeat: an equal view is an equal text
                let view = (texts.views()[row], group);
                if previous == Some(view) {
                    continue;
                }
                previous = Some(view);
                for_each_term(texts.value(row), &mut scratch, |term| match terms.get_mut(term) {
                    Some(posting) => posting.add(group),
                    None => terms.entry(term.into()).or_default().add(group),
                });
            }
        }
        self.rows += rows.num_rows();
    }

    /// The index file's content.
    pub fn finish(self) -> Result<Vec<u8>, fst::Error> {
        let row_groups = self.rows.div_ceil(ROW_GROUP_ROWS) as u32;
        let mut out = Vec::new();
        let mut footer = Footer { row_groups, columns: Vec::new() };
        let mut columns: Vec<_> = self.columns.into_iter().collect();
        columns.sort_by(|a, b| a.0.cmp(&b.0));
        for (name, terms) in columns {
            let mut terms: Vec<_> = terms.into_iter().collect();
            terms.sort_unstable_by(|a, b| a.0.cmp(&b.0));
            let mut map = MapBuilder::memory();
            let mut postings = Vec::new();
            for (term, posting) in terms {
                let value = if row_groups <= 64 {
                    posting.mask
                } else {
                    let at = postings.len() as u64;
                    posting.bitmap().serialize_into(&mut postings)?;
                    at
                };
                map.insert(term.as_bytes(), value)?;
            }
            let map = map.into_inner()?;
            let terms = (out.len(), map.len());
            out.extend_from_slice(&map);
            let range = (out.len(), postings.len());
            out.extend_from_slice(&postings);
            footer.columns.push(FooterColumn { name, terms, postings: range });
        }
        let footer = serde_json::to_vec(&footer).expect("numbers and strings always serialize");
        out.extend_from_slice(&footer);
        out.extend_from_slice(&(footer.len() as u32).to_le_bytes());
        out.extend_from_slice(&crc32fast::hash(&out).to_le_bytes());
        out.extend_from_slice(MAGIC);
        Ok(out)
    }
}

struct IndexedColumn {
    terms: Map<Vec<u8>>,
    postings: Vec<u8>,
}

/// The terms of one file.
pub struct TermIndex {
    row_groups: u32,
    columns: HashMap<String, IndexedColumn>,
}

impl TermIndex {
    /// Reads an index file's content.
    ///
    /// # Errors
    /// What is wrong with it; the file's rows then have to be read without an index.
    pub fn read(bytes: &[u8]) -> Result<TermIndex, String> {
        let body = bytes.strip_suffix(MAGIC.as_slice()).ok_or("it does not end as a term index does")?;
        let (body, checksum) = body.split_last_chunk::<4>().ok_or("it is cut off")?;
        if crc32fast::hash(body).to_le_bytes() != *checksum {
            return Err("its checksum is wrong".into());
        }
        let (body, len) = body.split_last_chunk::<4>().ok_or("it is cut off")?;
        let at = body.len().checked_sub(u32::from_le_bytes(*len) as usize).ok_or("its footer is cut off")?;
        let footer: Footer = serde_json::from_slice(&body[at..]).map_err(|error| error.to_string())?;
        let mut columns = HashMap::new();
        for column in footer.columns {
            let part = |(from, len): (usize, usize)| {
                body.get(from..from.saturating_add(len)).map(<[u8]>::to_vec).ok_or("a column is cut off")
            };
            let terms = Map::new(part(column.terms)?).map_err(|error| error.to_string())?;
            columns.insert(column.name, IndexedColumn { terms, postings: part(column.postings)? });
        }
        Ok(TermIndex { row_groups: footer.row_groups, columns })
    }

    /// How many row groups the file has.
    pub fn row_groups(&self) -> u32 {
        self.row_groups
    }

    /// The row groups in which a text of the column has this term (any case). `None`: the column is not indexed,
    /// or the argument is not exactly one term, so that nothing is known.
    pub fn row_groups_with(&self, column: &str, term: &str) -> Option<RoaringBitmap> {
        let column = self.columns.get(column)?;
        let term = single_term(term)?;
        Some(column.terms.get(term.as_bytes()).map_or_else(RoaringBitmap::new, |value| self.posting(column, value)))
    }

    /// The row groups in which a text of the column has a term that starts so (any case). `None` as above.
    pub fn row_groups_with_prefix(&self, column: &str, prefix: &str) -> Option<RoaringBitmap> {
        let column = self.columns.get(column)?;
        let prefix = single_term(prefix)?;
        let mut found = RoaringBitmap::new();
        let mut stream = column.terms.search(Str::new(&prefix).starts_with()).into_stream();
        while let Some((_, value)) = stream.next() {
            found |= self.posting(column, value);
            if found.len() == u64::from(self.row_groups) {
                break;
            }
        }
        Some(found)
    }

    /// The row groups that can hold a text equal to this one, or one that has it: those with all its terms.
    /// `None`: the column is not indexed or the text has no terms, so that nothing is known.
    pub fn row_groups_with_all(&self, column: &str, text: &str) -> Option<RoaringBitmap> {
        let column = self.columns.get(column)?;
        let mut found: Option<RoaringBitmap> = None;
        for_each_term(text, &mut String::new(), |term| {
            let groups = column.terms.get(term).map_or_else(RoaringBitmap::new, |value| self.posting(column, value));
            found = Some(found.take().map_or_else(|| groups.clone(), |found| found & &groups));
        });
        found
    }

    fn posting(&self, column: &IndexedColumn, value: u64) -> RoaringBitmap {
        if self.row_groups <= 64 {
            return from_mask(value);
        }
        // the checksum was right, so a bad posting is a defect; every row group is the safe answer
        let bytes = column.postings.get(value as usize..).unwrap_or_default();
        RoaringBitmap::deserialize_from(bytes).unwrap_or_else(|_| (0..self.row_groups).collect())
    }
}

/// The normalized term, if the text is one term and nothing else.
fn single_term(text: &str) -> Option<String> {
    let whole = !text.is_empty() && text.chars().all(char::is_alphanumeric);
    whole.then(|| normalize(text, &mut String::new()).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{ArrayRef, StringViewArray};
    use std::sync::Arc;

    fn terms(text: &str) -> Vec<String> {
        let mut found = Vec::new();
        for_each_term(text, &mut String::new(), |term| found.push(term.to_owned()));
        found
    }

    #[test]
    fn terms_are_runs_of_letters_and_digits() {
        let cases: [(&str, &[&str]); 6] = [
            (
                "Kusto: ad67d136-c1db-4f9f-88ef-d94f3b6b0b5a",
                &["kusto", "ad67d136", "c1db", "4f9f", "88ef", "d94f3b6b0b5a"],
            ),
            ("", &[]),
            ("--", &[]),
            ("a_b", &["a", "b"]),
            ("Größe=3", &["größe", "3"]),
            ("end", &["end"]),
        ];
        for (text, expected) in cases {
            assert_eq!(terms(text), expected, "{text}");
        }
        assert_eq!(terms(&"x".repeat(100))[0].len(), MAX_TERM_BYTES);
        assert_eq!(terms(&"é".repeat(100))[0].len(), MAX_TERM_BYTES);
    }

    fn index(texts: impl Iterator<Item = String>) -> TermIndex {
        let texts = Arc::new(StringViewArray::from_iter_values(texts)) as ArrayRef;
        let mut builder = TermIndexBuilder::default();
        builder.add(&RecordBatch::try_from_iter([("message", texts)]).unwrap());
        TermIndex::read(&builder.finish().unwrap()).unwrap()
    }

    #[test]
    fn a_term_leads_to_its_row_groups() {
        let index = index((0..2 * ROW_GROUP_ROWS + 1).map(|row| format!("Common group{}", row / ROW_GROUP_ROWS)));
        let groups = |found: Option<RoaringBitmap>| found.map(|found| found.iter().collect::<Vec<_>>());
        assert_eq!(index.row_groups(), 3);
        assert_eq!(groups(index.row_groups_with("message", "COMMON")), Some(vec![0, 1, 2]));
        assert_eq!(groups(index.row_groups_with("message", "group1")), Some(vec![1]));
        assert_eq!(groups(index.row_groups_with("message", "absent")), Some(vec![]));
        assert_eq!(groups(index.row_groups_with("message", "two terms")), None);
        assert_eq!(groups(index.row_groups_with("other", "common")), None);
        assert_eq!(groups(index.row_groups_with_prefix("message", "Gro")), Some(vec![0, 1, 2]));
        assert_eq!(groups(index.row_groups_with_prefix("message", "group2")), Some(vec![2]));
        assert_eq!(groups(index.row_groups_with_all("message", "common group2")), Some(vec![2]));
        assert_eq!(groups(index.row_groups_with_all("message", "group1 group2")), Some(vec![]));
        assert_eq!(groups(index.row_groups_with_all("message", "--")), None);
    }

    #[test]
    fn postings_above_64_row_groups_are_bitmaps() {
        let mut builder = TermIndexBuilder { rows: 70 * ROW_GROUP_ROWS, ..Default::default() };
        let texts = Arc::new(StringViewArray::from_iter_values(["late"])) as ArrayRef;
        builder.add(&RecordBatch::try_from_iter([("message", texts)]).unwrap());
        let index = TermIndex::read(&builder.finish().unwrap()).unwrap();
        assert_eq!(index.row_groups_with("message", "late").unwrap().iter().collect::<Vec<_>>(), [70]);
    }

    #[test]
    fn a_damaged_index_is_not_used() {
        let mut builder = TermIndexBuilder::default();
        let texts = Arc::new(StringViewArray::from_iter_values(["some text"])) as ArrayRef;
        builder.add(&RecordBatch::try_from_iter([("message", texts)]).unwrap());
        let bytes = builder.finish().unwrap();
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 4;
            assert!(TermIndex::read(&damaged).is_err(), "byte {at}");
            assert!(TermIndex::read(&bytes[..at]).is_err(), "cut at {at}");
        }
    }
}
