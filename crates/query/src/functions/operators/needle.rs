//! Finding one text in many, without allocating: case-sensitive by substring search, case-insensitive by the rarest
//! byte of the needle in both cases.

use memchr::memmem;

/// Where a match has to end at the edge of a term.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Anywhere.
    Within,
    /// As a whole term (`has`).
    Term,
    /// At the start of a term.
    TermStart,
    /// At the end of a term.
    TermEnd,
    /// At the start of the text.
    Start,
    /// At the end of the text.
    End,
}

/// A text to be found.
pub struct Needle {
    text: String,
    place: Place,
    search: Search,
}

enum Search {
    Exact(Box<memmem::Finder<'static>>),
    /// ASCII needle in lower case: look for the byte at `rare` in both cases.
    AsciiInsensitive {
        rare: usize,
        lower: u8,
        upper: u8,
    },
    /// A needle beyond ASCII, in lower case: the text is lowered.
    Lowered,
}

/// How common a byte is in logs and prose; lower is rarer.
fn commonness(byte: u8) -> u8 {
    match byte {
        b' ' | b'e' => 255,
        b't' | b'a' | b'o' | b'i' | b'n' | b's' | b'r' => 220,
        b'0' | b'1' | b'2' | b'.' | b'-' | b':' | b'/' => 200,
        b'h' | b'l' | b'd' | b'c' | b'u' | b'm' => 150,
        b'3'..=b'9' | b'f' | b'p' | b'g' | b'"' | b'=' | b',' | b'_' => 120,
        b'w' | b'y' | b'b' | b'v' => 90,
        b'k' => 60,
        _ => 30,
    }
}

impl Needle {
    pub fn new(text: &str, place: Place, case_sensitive: bool) -> Needle {
        if case_sensitive {
            let search = Search::Exact(Box::new(memmem::Finder::new(text).into_owned()));
            return Needle { text: text.to_owned(), place, search };
        }
        if !text.is_ascii() {
            return Needle { text: text.to_lowercase(), place, search: Search::Lowered };
        }
        let lowered = text.to_ascii_lowercase();
        let rare = (0..lowered.len()).min_by_key(|at| commonness(lowered.as_bytes()[*at])).unwrap_or(0);
        let lower = lowered.as_bytes().get(rare).copied().unwrap_or(0);
        let search = Search::AsciiInsensitive { rare, lower, upper: lower.to_ascii_uppercase() };
        Needle { text: lowered, place, search }
    }

    /// Whether the text holds the needle at a permitted place.
    pub fn is_in(&self, text: &str) -> bool {
        if self.text.is_empty() {
            return true;
        }
        match &self.search {
            Search::Lowered => {
                let lowered = text.to_lowercase();
                self.any_place(
                    &lowered,
                    |from| memmem::find(&lowered.as_bytes()[from..], self.text.as_bytes()).map(|at| from + at),
                    str::eq,
                )
            }
            Search::Exact(finder) => {
                self.any_place(text, |from| finder.find(&text.as_bytes()[from..]).map(|at| from + at), str::eq)
            }
            Search::AsciiInsensitive { rare, lower, upper } => {
                let bytes = text.as_bytes();
                let find = |from| find_ignoring_case(bytes, from, self.text.as_bytes(), *rare, *lower, *upper);
                self.any_place(text, find, str::eq_ignore_ascii_case)
            }
        }
    }

    fn any_place(&self, text: &str, find: impl Fn(usize) -> Option<usize>, same: fn(&str, &str) -> bool) -> bool {
        let length = self.text.len();
        match self.place {
            Place::Within => find(0).is_some(),
            Place::Start => text.get(..length).is_some_and(|part| same(part, &self.text)),
            Place::End => {
                text.len().checked_sub(length).and_then(|at| text.get(at..)).is_some_and(|part| same(part, &self.text))
            }
            Place::Term | Place::TermStart | Place::TermEnd => {
                let mut from = 0;
                while let Some(at) = find(from) {
                    let starts = self.place == Place::TermEnd || edge_before(text, at);
                    let ends = self.place == Place::TermStart || edge_after(text, at + length);
                    if starts && ends {
                        return true;
                    }
                    from = at + 1;
                }
                false
            }
        }
    }
}

/// The first place from `from` on where the lower-case ASCII needle is, in any case.
fn find_ignoring_case(bytes: &[u8], from: usize, needle: &[u8], rare: usize, lower: u8, upper: u8) -> Option<usize> {
    let last = bytes.len().checked_sub(needle.len())? + rare;
    let mut at = from + rare;
    while at <= last {
        let window = &bytes[at..=last];
        let found = if lower == upper { memchr::memchr(lower, window) } else { memchr::memchr2(lower, upper, window) }?;
        let start = at + found - rare;
        if bytes[start..start + needle.len()].eq_ignore_ascii_case(needle) {
            return Some(start);
        }
        at += found + 1;
    }
    None
}

/// Whether a term can start here: what stands before, or what stands here, is not part of a term.
fn edge_before(text: &str, at: usize) -> bool {
    let bytes = text.as_bytes();
    if at == 0 || !is_term_byte(bytes[at]) {
        return true;
    }
    let before = bytes[at - 1];
    if before.is_ascii() {
        return !before.is_ascii_alphanumeric();
    }
    text.get(..at).and_then(|before| before.chars().next_back()).is_none_or(|character| !character.is_alphanumeric())
}

/// Whether a term can end before this place.
fn edge_after(text: &str, at: usize) -> bool {
    let bytes = text.as_bytes();
    if at >= bytes.len() || !is_term_byte(bytes[at - 1]) {
        return true;
    }
    let after = bytes[at];
    if after.is_ascii() {
        return !after.is_ascii_alphanumeric();
    }
    text.get(at..).and_then(|after| after.chars().next()).is_none_or(|character| !character.is_alphanumeric())
}

fn is_term_byte(byte: u8) -> bool {
    !byte.is_ascii() || byte.is_ascii_alphanumeric()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_needle_is_found_at_its_place_only() {
        for (needle, place, text, want) in [
            ("north", Place::Term, "North America", true),
            ("north", Place::Term, "northern lights", false),
            ("north", Place::Term, "northern North", true),
            ("north", Place::TermStart, "the Northern", true),
            ("ern", Place::TermEnd, "the Northern one", true),
            ("ern", Place::TermStart, "the Northern one", false),
            (".exe", Place::Term, "C:\\tool.exe", true),
            (".exe", Place::Term, "tool.exe2", false),
            ("a", Place::Term, "äa", false),
            ("ÄB", Place::Within, "xäbx", true),
            ("abc", Place::Start, "ABCd", true),
            ("abc", Place::End, "dABC", true),
            ("abc", Place::End, "ab", false),
            ("ab", Place::Start, "aé", false),
            ("", Place::Term, "anything", true),
            ("", Place::Within, "", true),
        ] {
            assert_eq!(Needle::new(needle, place, false).is_in(text), want, "{needle} {place:?} {text}");
        }
        assert!(!Needle::new("abc", Place::Within, true).is_in("ABC"));
        assert!(Needle::new("B", Place::Term, true).is_in("a B c"));
    }

    proptest::proptest! {
        #[test]
        fn searching_without_case_agrees_with_lowering_both(text in "[a-cA-C .]{0,24}", needle in "[a-cA-C.]{1,4}") {
            let want = text.to_lowercase().contains(&needle.to_lowercase());
            proptest::prop_assert_eq!(Needle::new(&needle, Place::Within, false).is_in(&text), want);
        }
    }
}
