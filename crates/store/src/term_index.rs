//! Which row groups of a file can hold which terms: a file beside each Parquet file, so that `has`, `==` and `in` on
//! texts read only where the terms are. A term is a maximal run of letters and digits, in lower case (KQL
//! reference, "String operators", "What is a term?").
//!
//! Each column of each row group has a blocked Bloom filter over the hashes of its terms, so a look-up reads one block
//! a row group and nothing else, and identifiers that occur once cost two bytes instead of their text. A filter never
//! misses a term; one in some hundred row groups is read for nothing.
//!
//! Layout: the blocks, then a footer (for each column its filters), the footer's length, a checksum and the magic.
//! A block is seven words of bits and a checksum of them.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::hash::{BuildHasherDefault, Hasher};
use std::os::unix::fs::FileExt;
use std::path::Path;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::DataType;
use roaring::RoaringBitmap;
use xxhash_rust::xxh3::xxh3_64;

use crate::limits::{MAX_TERM_BYTES, ROW_GROUP_ROWS};

const MAGIC: &[u8; 8] = b"WKTERM\0\x02";
/// The footer's length, its checksum, the magic.
const TAIL_BYTES: usize = 4 + 4 + 8;
const BLOCK_BYTES: usize = 32;
/// Words of a block that carry bits; the eighth is the checksum.
const BIT_WORDS: usize = 7;
const BITS_PER_TERM: usize = 14;
/// One odd multiplier a word: the top five bits of the product choose the bit.
const SALTS: [u32; BIT_WORDS] =
    [0x47b6_137b, 0x4497_4d91, 0x8824_ad5b, 0xa2b7_289d, 0x7054_95c7, 0x2df1_424b, 0x9efc_4947];

/// Columns that nobody searches for words, or that are the same in every row.
const NOT_INDEXED: [&str; 3] = ["_ItemId", "TenantId", "Type"];

/// Calls `each` with the hash of every term of a text.
fn for_each_term(text: &str, mut each: impl FnMut(u64)) {
    if text.is_ascii() {
        return for_each_ascii_term(text.as_bytes(), each);
    }
    let mut term = String::new();
    let mut add = |run: &str| {
        term.clear();
        for c in run.chars().flat_map(char::to_lowercase) {
            if term.len() + c.len_utf8() > MAX_TERM_BYTES {
                break;
            }
            term.push(c);
        }
        each(xxh3_64(term.as_bytes()));
    };
    let inside = |c: char| if c.is_ascii() { c.is_ascii_alphanumeric() } else { c.is_alphanumeric() };
    text.split(|c| !inside(c)).filter(|run| !run.is_empty()).for_each(&mut add);
}

fn for_each_ascii_term(text: &[u8], mut each: impl FnMut(u64)) {
    let mut term = [0; MAX_TERM_BYTES];
    let mut len = 0;
    for byte in text {
        if byte.is_ascii_alphanumeric() {
            // only the first bytes of a long term count
            if len < MAX_TERM_BYTES {
                term[len] = byte.to_ascii_lowercase();
                len += 1;
            }
        } else if len > 0 {
            each(xxh3_64(&term[..len]));
            len = 0;
        }
    }
    if len > 0 {
        each(xxh3_64(&term[..len]));
    }
}

/// The block of a hash among `blocks`, and the bits that it sets there.
fn place(hash: u64, blocks: u32) -> (u32, [u32; BIT_WORDS]) {
    let block = ((hash >> 32) * u64::from(blocks)) >> 32;
    let low = hash as u32;
    (block as u32, SALTS.map(|salt| 1 << (low.wrapping_mul(salt) >> 27)))
}

/// A hasher for keys that are hashes already.
#[derive(Default)]
struct Already(u64);

impl Hasher for Already {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = xxh3_64(bytes);
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

type Hashes = HashSet<u64, BuildHasherDefault<Already>>;

/// Where a filter's blocks lie in the file.
#[derive(Debug, Clone, Copy, serde::Serialize, serde::Deserialize)]
struct Filter {
    offset: u64,
    blocks: u32,
}

#[derive(Debug, serde::Serialize, serde::Deserialize)]
struct Footer {
    row_groups: u32,
    /// One filter a row group.
    columns: HashMap<String, Vec<Filter>>,
}

/// Collects the terms of a file's rows, in the order in which they are written.
#[derive(Debug, Default)]
pub struct TermIndexBuilder {
    rows: usize,
    out: Vec<u8>,
    columns: HashMap<String, Vec<Filter>>,
}

impl TermIndexBuilder {
    /// Adds the next rows of the file: whole row groups, except for the last.
    pub fn add(&mut self, rows: &RecordBatch) {
        debug_assert!(self.rows.is_multiple_of(ROW_GROUP_ROWS), "a row group is added in one piece");
        let mut hashes = Hashes::default();
        for from in (0..rows.num_rows()).step_by(ROW_GROUP_ROWS) {
            let group = rows.slice(from, ROW_GROUP_ROWS.min(rows.num_rows() - from));
            for (field, array) in group.schema().fields().iter().zip(group.columns()) {
                if field.data_type() != &DataType::Utf8View || NOT_INDEXED.contains(&field.name().as_str()) {
                    continue;
                }
                hashes.clear();
                collect_terms(array.as_ref(), &mut hashes);
                let filter = self.write_filter(&hashes);
                self.columns.entry(field.name().clone()).or_default().push(filter);
            }
        }
        self.rows += rows.num_rows();
    }

    fn write_filter(&mut self, hashes: &Hashes) -> Filter {
        let blocks = (hashes.len() * BITS_PER_TERM).div_ceil(BIT_WORDS * 32) as u32;
        let filter = Filter { offset: self.out.len() as u64, blocks };
        let mut words = vec![[0u32; BIT_WORDS]; blocks as usize];
        for hash in hashes {
            let (block, bits) = place(*hash, blocks);
            for (word, bit) in words[block as usize].iter_mut().zip(bits) {
                *word |= bit;
            }
        }
        for block in words {
            let from = self.out.len();
            block.iter().for_each(|word| self.out.extend_from_slice(&word.to_le_bytes()));
            let checksum = crc32fast::hash(&self.out[from..]);
            self.out.extend_from_slice(&checksum.to_le_bytes());
        }
        filter
    }

    /// The index file's content.
    pub fn finish(self) -> Vec<u8> {
        let row_groups = self.rows.div_ceil(ROW_GROUP_ROWS) as u32;
        let footer = Footer { row_groups, columns: self.columns };
        let footer = serde_json::to_vec(&footer).expect("numbers and strings always serialize");
        let mut out = self.out;
        let checksum = crc32fast::hash(&footer);
        out.extend_from_slice(&footer);
        out.extend_from_slice(&(footer.len() as u32).to_le_bytes());
        out.extend_from_slice(&checksum.to_le_bytes());
        out.extend_from_slice(MAGIC);
        out
    }
}

fn collect_terms(array: &dyn Array, hashes: &mut Hashes) {
    let texts = array.as_string_view();
    let mut previous = None;
    for row in 0..texts.len() {
        // sorted and constant columns repeat: an equal view is an equal text
        let view = texts.views()[row];
        if texts.is_null(row) || previous == Some(view) {
            continue;
        }
        previous = Some(view);
        for_each_term(texts.value(row), |hash| {
            hashes.insert(hash);
        });
    }
}

/// The terms of one file, open for look-ups.
pub struct TermIndex {
    file: File,
    footer: Footer,
}

impl TermIndex {
    /// Opens an index file.
    ///
    /// # Errors
    /// What is wrong with it; the file's rows then have to be read without an index.
    pub fn open(path: &Path) -> Result<TermIndex, String> {
        let failed = |error: std::io::Error| error.to_string();
        let file = File::open(path).map_err(failed)?;
        let len = file.metadata().map_err(failed)?.len();
        let tail_at = len.checked_sub(TAIL_BYTES as u64).ok_or("it is cut off")?;
        let mut tail = [0; TAIL_BYTES];
        file.read_exact_at(&mut tail, tail_at).map_err(failed)?;
        let [l0, l1, l2, l3, c0, c1, c2, c3, magic @ ..] = tail;
        if magic != *MAGIC {
            return Err("it does not end as a term index of this version does".into());
        }
        let footer_len = u32::from_le_bytes([l0, l1, l2, l3]);
        let footer_at = tail_at.checked_sub(u64::from(footer_len)).ok_or("its footer is cut off")?;
        let mut footer = vec![0; footer_len as usize];
        file.read_exact_at(&mut footer, footer_at).map_err(failed)?;
        if crc32fast::hash(&footer) != u32::from_le_bytes([c0, c1, c2, c3]) {
            return Err("the checksum of its footer is wrong".into());
        }
        let footer = serde_json::from_slice(&footer).map_err(|error| error.to_string())?;
        Ok(TermIndex { file, footer })
    }

    /// How many row groups the file has.
    pub fn row_groups(&self) -> u32 {
        self.footer.row_groups
    }

    /// The row groups in which a text of the column can have this term (any case). `None`: the column is not indexed,
    /// or the argument is not exactly one term, so that nothing is known.
    pub fn row_groups_with(&self, column: &str, term: &str) -> Option<RoaringBitmap> {
        let whole = !term.is_empty() && term.chars().all(char::is_alphanumeric);
        if whole { self.row_groups_with_all(column, term) } else { None }
    }

    /// The row groups that can hold a text equal to this one, or one that has it: those with all its terms.
    /// `None`: the column is not indexed or the text has no terms, so that nothing is known.
    pub fn row_groups_with_all(&self, column: &str, text: &str) -> Option<RoaringBitmap> {
        let filters = self.footer.columns.get(column)?;
        let mut hashes = Vec::new();
        for_each_term(text, |hash| hashes.push(hash));
        if hashes.is_empty() {
            return None;
        }
        let may_hold = |filter: &Filter| hashes.iter().all(|hash| self.may_hold(*filter, *hash));
        Some((0..).zip(filters).filter(|(_, filter)| may_hold(filter)).map(|(group, _)| group).collect())
    }

    /// A block that cannot be read or is damaged says yes: the row group is then read.
    fn may_hold(&self, filter: Filter, hash: u64) -> bool {
        if filter.blocks == 0 {
            return false;
        }
        let (block, bits) = place(hash, filter.blocks);
        let mut bytes = [0; BLOCK_BYTES];
        let at = filter.offset + u64::from(block) * BLOCK_BYTES as u64;
        if let Err(error) = self.file.read_exact_at(&mut bytes, at) {
            tracing::warn!(%error, "a block of a term index cannot be read");
            return true;
        }
        let (words, checksum) = bytes.split_at(BIT_WORDS * 4);
        if crc32fast::hash(words).to_le_bytes() != *checksum {
            tracing::warn!(at, "a block of a term index is damaged");
            return true;
        }
        words.chunks_exact(4).zip(bits).all(|(word, bit)| {
            let word = u32::from_le_bytes([word[0], word[1], word[2], word[3]]);
            word & bit != 0
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{ArrayRef, StringViewArray};
    use std::sync::Arc;

    fn hashes(text: &str) -> Vec<u64> {
        let mut found = Vec::new();
        for_each_term(text, |hash| found.push(hash));
        found
    }

    #[test]
    fn terms_are_runs_of_letters_and_digits() {
        let cases: [(&str, &[&str]); 6] = [
            (
                "Kusto: AD67d136-c1db-4f9f-88ef-d94f3b6b0b5a",
                &["kusto", "ad67d136", "c1db", "4f9f", "88ef", "d94f3b6b0b5a"],
            ),
            ("", &[]),
            ("--", &[]),
            ("a_b", &["a", "b"]),
            ("Größe=3", &["größe", "3"]),
            ("end", &["end"]),
        ];
        for (text, expected) in cases {
            let expected: Vec<_> = expected.iter().map(|term| xxh3_64(term.as_bytes())).collect();
            assert_eq!(hashes(text), expected, "{text}");
        }
        assert_eq!(hashes(&"x".repeat(100)), hashes(&"x".repeat(MAX_TERM_BYTES)));
        assert_eq!(hashes(&"é".repeat(100)), hashes(&"é".repeat(MAX_TERM_BYTES / 2)));
    }

    fn write(texts: impl Iterator<Item = String>) -> (tempfile::TempDir, std::path::PathBuf) {
        let texts = Arc::new(StringViewArray::from_iter_values(texts)) as ArrayRef;
        let mut builder = TermIndexBuilder::default();
        builder.add(&RecordBatch::try_from_iter([("message", texts)]).unwrap());
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("index");
        std::fs::write(&path, builder.finish()).unwrap();
        (dir, path)
    }

    #[test]
    fn a_term_leads_to_its_row_groups() {
        let (_dir, path) =
            write((0..2 * ROW_GROUP_ROWS + 1).map(|row| format!("Common group{}", row / ROW_GROUP_ROWS)));
        let index = TermIndex::open(&path).unwrap();
        let groups = |found: Option<RoaringBitmap>| found.map(|found| found.iter().collect::<Vec<_>>());
        assert_eq!(index.row_groups(), 3);
        assert_eq!(groups(index.row_groups_with("message", "COMMON")), Some(vec![0, 1, 2]));
        assert_eq!(groups(index.row_groups_with("message", "group1")), Some(vec![1]));
        assert_eq!(groups(index.row_groups_with("message", "absent")), Some(vec![]));
        assert_eq!(groups(index.row_groups_with("message", "two terms")), None);
        assert_eq!(groups(index.row_groups_with("other", "common")), None);
        assert_eq!(groups(index.row_groups_with_all("message", "common group2")), Some(vec![2]));
        assert_eq!(groups(index.row_groups_with_all("message", "group1 group2")), Some(vec![]));
        assert_eq!(groups(index.row_groups_with_all("message", "--")), None);
    }

    #[test]
    fn every_term_is_found_and_few_others() {
        let (_dir, path) = write((0..ROW_GROUP_ROWS).map(|row| format!("id{row:08x} of trace{:08x}", row * 7919)));
        let index = TermIndex::open(&path).unwrap();
        let found = |term: String| index.row_groups_with("message", &term).unwrap().len() as usize;
        for row in (0..ROW_GROUP_ROWS).step_by(97) {
            assert_eq!(found(format!("ID{row:08X}")), 1);
        }
        let wrong: usize = (0..10_000).map(|other| found(format!("other{other}"))).sum();
        assert!(wrong < 200, "{wrong} of 10,000 absent terms seem to be there");
    }

    #[test]
    fn a_damaged_index_never_hides_a_term() {
        let (dir, path) = write(["some text".to_owned()].into_iter());
        let bytes = std::fs::read(&path).unwrap();
        let damaged_path = dir.path().join("damaged");
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 4;
            std::fs::write(&damaged_path, damaged).unwrap();
            if let Ok(index) = TermIndex::open(&damaged_path) {
                assert_eq!(index.row_groups_with("message", "text").unwrap().len(), 1, "byte {at}");
            }
            std::fs::write(&damaged_path, &bytes[..at]).unwrap();
            assert!(TermIndex::open(&damaged_path).is_err(), "cut at {at}");
        }
    }
}
