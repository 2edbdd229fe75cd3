//! What the author may have meant by an unknown word.

/// The word of `words` nearest to `word`, where it is near enough to be a typing mistake.
pub(super) fn nearest<'w>(word: &str, words: &[&'w str]) -> Option<&'w str> {
    let lower = word.to_lowercase();
    words
        .iter()
        .map(|candidate| (distance(&lower, candidate), *candidate))
        .filter(|(distance, candidate)| *distance <= allowed(candidate))
        .min_by_key(|(distance, candidate)| (*distance, candidate.chars().next() != lower.chars().next()))
        .map(|(_, candidate)| candidate)
}

pub(super) fn close(word: &str, wanted: &str) -> bool {
    distance(&word.to_lowercase(), wanted) <= allowed(wanted)
}

fn allowed(candidate: &str) -> usize {
    match candidate.len() {
        0..=3 => 1,
        4..=7 => 2,
        _ => 3,
    }
}

/// Edits (insert, delete, replace, swap of neighbours) between two words.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().take(40).collect(), b.chars().take(40).collect());
    let mut before_last = vec![0; b.len() + 1];
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let replace = last[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            row[j] = replace.min(last[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(before_last[j - 2] + 1);
            }
        }
        before_last = last;
        last = row;
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_near_word_is_suggested_and_a_far_one_is_not() {
        let words = ["summarize", "where", "take", "top"];
        assert_eq!(nearest("sumarise", &words), Some("summarize"));
        assert_eq!(nearest("wehre", &words), Some("where"));
        assert_eq!(nearest("WHERE", &words), Some("where"));
        assert_eq!(nearest("bananas", &words), None);
    }
}
