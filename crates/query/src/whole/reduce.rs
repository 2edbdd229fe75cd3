//! `reduce`: texts grouped by the words that many of them share. A word is frequent if more than the threshold's part
//! of the rows has it; a row's pattern keeps its frequent words and puts `*` for the rest.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, StringViewArray};
use arrow::record_batch::RecordBatch;
use datafusion::error::Result;

use super::{Room, Work, column};

/// The operator. Its text is the input column `text`.
#[derive(Debug)]
pub struct Reduce {
    pub text: String,
    pub threshold: f64,
    /// Further characters that part words.
    pub characters: String,
}

/// A piece of a text: a word, or what parts two.
enum Piece<'t> {
    Word(&'t str),
    Between(&'t str),
}

impl Reduce {
    fn pieces<'t>(&self, text: &'t str) -> Vec<Piece<'t>> {
        let parts = |c: char| !c.is_alphanumeric() || self.characters.contains(c);
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            let between = parts(first);
            let end = rest.find(|c| parts(c) != between).unwrap_or(rest.len());
            let (piece, after) = rest.split_at(end);
            pieces.push(if between { Piece::Between(piece) } else { Piece::Word(piece) });
            rest = after;
        }
        pieces
    }

    /// None where no word is frequent.
    fn pattern(&self, text: &str, frequent: &HashSet<&str>) -> Option<String> {
        let mut pattern = String::new();
        let mut between = "";
        let mut any = false;
        for piece in self.pieces(text) {
            match piece {
                Piece::Between(text) => between = text,
                Piece::Word(word) if frequent.contains(word) => {
                    if !pattern.ends_with('*') {
                        pattern.push_str(between);
                    }
                    pattern.push_str(word);
                    between = "";
                    any = true;
                }
                Piece::Word(_) => {
                    if !pattern.ends_with('*') {
                        pattern.push('*');
                    }
                    between = "";
                }
            }
        }
        if !pattern.ends_with('*') {
            pattern.push_str(between);
        }
        any.then_some(pattern)
    }
}

impl Work for Reduce {
    fn name(&self) -> &'static str {
        "reduce"
    }

    fn run(&self, inputs: &[RecordBatch], room: &Room) -> Result<Vec<ArrayRef>> {
        let texts = column(&inputs[0], &self.text)?.as_string_view();
        let least = self.threshold * texts.len() as f64;
        let mut counts: HashMap<&str, usize> = HashMap::new();
        for (row, text) in texts.iter().enumerate() {
            if row % 4096 == 0 {
                room.check()?;
            }
            let words: HashSet<&str> = self
                .pieces(text.unwrap_or(""))
                .into_iter()
                .filter_map(|piece| match piece {
                    Piece::Word(word) => Some(word),
                    Piece::Between(_) => None,
                })
                .collect();
            for word in words {
                *counts.entry(word).or_default() += 1;
            }
        }
        room.grow(counts.len() * 48)?;
        let frequent: HashSet<&str> =
            counts.into_iter().filter(|(_, count)| *count as f64 > least).map(|(word, _)| word).collect();
        let mut clusters: BTreeMap<String, (i64, &str)> = BTreeMap::new();
        let mut others = 0;
        for text in texts.iter().map(Option::unwrap_or_default) {
            match self.pattern(text, &frequent) {
                Some(pattern) => clusters.entry(pattern).or_insert((0, text)).0 += 1,
                None => others += 1,
            }
        }
        let (kept, rare): (Vec<_>, Vec<_>) = clusters.into_iter().partition(|(_, (count, _))| *count as f64 > least);
        others += rare.iter().map(|(_, (count, _))| count).sum::<i64>();
        let mut rows: Vec<(String, i64, &str)> =
            kept.into_iter().map(|(pattern, (count, example))| (pattern, count, example)).collect();
        rows.sort_by_key(|(_, count, _)| std::cmp::Reverse(*count));
        if others > 0 {
            rows.push(("others".to_string(), others, ""));
        }
        Ok(vec![
            Arc::new(StringViewArray::from_iter_values(rows.iter().map(|(pattern, _, _)| pattern))),
            Arc::new(Int64Array::from_iter_values(rows.iter().map(|(_, count, _)| *count))),
            Arc::new(StringViewArray::from_iter_values(rows.iter().map(|(_, _, example)| example))),
        ])
    }
}
