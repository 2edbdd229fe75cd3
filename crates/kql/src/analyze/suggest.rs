//! "Did you mean": the known name nearest to a written one.

/// The nearest of `names` if it is near enough to be a slip, as a help text.
pub(super) fn did_you_mean<'a>(written: &str, names: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let lower = written.to_lowercase();
    let length = written.chars().count();
    let limit = (length / 3).clamp(1, 3);
    names
        .into_iter()
        .filter(|name| *name != written && !name.starts_with("__"))
        .map(|name| (distance(&lower, &name.to_lowercase()), name))
        // what keeps no letter is another name
        .filter(|(distance, name)| *distance <= limit && *distance < length.max(name.chars().count()))
        .min()
        .map(|(_, name)| format!("did you mean `{name}`?"))
}

/// Edits (insert, delete, replace, swap of neighbours) between two texts.
fn distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.chars().collect();
    let b: Vec<char> = b.chars().collect();
    let mut rows: Vec<Vec<usize>> = vec![(0..=b.len()).collect()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let replace = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = replace.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_found_and_far_names_are_not() {
        let names = ["Computer", "TimeGenerated", "CounterName"];
        assert_eq!(did_you_mean("Computr", names), Some("did you mean `Computer`?".to_owned()));
        assert_eq!(did_you_mean("timegenerated", names), Some("did you mean `TimeGenerated`?".to_owned()));
        assert_eq!(did_you_mean("Conuter", ["Counter"]), Some("did you mean `Counter`?".to_owned()));
        assert_eq!(did_you_mean("Banana", names), None);
        assert_eq!(did_you_mean("y", ["T", "x"]), None);
        assert_eq!(did_you_mean("xy", ["T", "x"]), Some("did you mean `x`?".to_owned()));
    }
}
