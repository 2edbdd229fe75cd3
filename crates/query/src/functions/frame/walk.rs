//! Walking into compact JSON text without reading what is not on the way: values before the wanted one are passed over
//! by their brackets and quotes alone, eight bytes at a time. The text of a `dynamic` was checked when it was made, so
//! nothing is checked again here; what shows itself not to be compact JSON is left to the caller.

use std::borrow::Cow;

/// The text is not compact JSON, at least not on the way.
#[derive(Debug, PartialEq)]
pub struct NotCompact;

/// One step of the way.
#[derive(Debug, Clone, PartialEq)]
pub enum Key<'k> {
    Name(Cow<'k, str>),
    /// Counted from the end where it is negative.
    Place(i64),
}

const LOW: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;

/// The value at the end of the way; none where a step is missing or the value there is null.
pub fn follow<'j, 'k>(json: &'j str, keys: impl Iterator<Item = Key<'k>>) -> Result<Option<&'j str>, NotCompact> {
    let bytes = json.as_bytes();
    let mut at = 0;
    for key in keys {
        let next = match key {
            Key::Name(name) => property(bytes, at, &name)?,
            Key::Place(place) => item(bytes, at, place)?,
        };
        match next {
            Some(next) => at = next,
            None => return Ok(None),
        }
    }
    let found = json.get(at..value_end(bytes, at)?).ok_or(NotCompact)?;
    Ok((found != "null").then_some(found))
}

/// Where the value of a property starts; none where there is no bag at `at` or it has no such property.
fn property(bytes: &[u8], mut at: usize, name: &str) -> Result<Option<usize>, NotCompact> {
    if bytes.get(at) != Some(&b'{') || bytes.get(at + 1) == Some(&b'}') {
        return Ok(None);
    }
    loop {
        at += 1;
        if bytes.get(at) != Some(&b'"') {
            return Err(NotCompact);
        }
        let (end, escaped) = string_end(bytes, at);
        if bytes.get(end) != Some(&b':') {
            return Err(NotCompact);
        }
        let same = if escaped {
            serde_json::from_slice::<String>(&bytes[at..end]).map_err(|_| NotCompact)? == name
        } else {
            &bytes[at + 1..end - 1] == name.as_bytes()
        };
        if same {
            return Ok(Some(end + 1));
        }
        at = value_end(bytes, end + 1)?;
        match bytes.get(at) {
            Some(b',') => {}
            Some(b'}') => return Ok(None),
            _ => return Err(NotCompact),
        }
    }
}

/// Where an item starts; none where there is no array at `at` or it is too short.
fn item(bytes: &[u8], mut at: usize, place: i64) -> Result<Option<usize>, NotCompact> {
    if bytes.get(at) != Some(&b'[') || bytes.get(at + 1) == Some(&b']') {
        return Ok(None);
    }
    let mut left = if place >= 0 { place } else { length(bytes, at)? + place };
    if left < 0 {
        return Ok(None);
    }
    loop {
        at += 1;
        if left == 0 {
            return Ok(Some(at));
        }
        left -= 1;
        at = value_end(bytes, at)?;
        match bytes.get(at) {
            Some(b',') => {}
            Some(b']') => return Ok(None),
            _ => return Err(NotCompact),
        }
    }
}

/// The number of items of the array at `at`, which has some.
fn length(bytes: &[u8], mut at: usize) -> Result<i64, NotCompact> {
    let mut items = 0;
    loop {
        at = value_end(bytes, at + 1)?;
        items += 1;
        match bytes.get(at) {
            Some(b',') => {}
            Some(b']') => return Ok(items),
            _ => return Err(NotCompact),
        }
    }
}

/// The place after the value at `at`.
fn value_end(bytes: &[u8], at: usize) -> Result<usize, NotCompact> {
    match bytes.get(at) {
        Some(b'"') => Ok(string_end(bytes, at).0),
        Some(b'{' | b'[') => container_end(bytes, at),
        Some(b'-' | b'0'..=b'9' | b't' | b'f' | b'n') => {
            let rest = &bytes[at..];
            Ok(at + rest.iter().position(|byte| matches!(byte, b',' | b'}' | b']')).unwrap_or(rest.len()))
        }
        _ => Err(NotCompact),
    }
}

/// The place after the string that starts at `at`, and whether there are escapes in it.
pub fn string_end(bytes: &[u8], mut at: usize) -> (usize, bool) {
    at += 1;
    let mut escaped = false;
    while let Some(word) = word(bytes, at) {
        let found = equal(word, b'"') | equal(word, b'\\');
        if found == 0 {
            at += 8;
            continue;
        }
        at += first(found);
        if bytes[at] == b'"' {
            return (at + 1, escaped);
        }
        escaped = true;
        at += 2;
    }
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => return (at + 1, escaped),
            b'\\' => {
                escaped = true;
                at += 2;
            }
            _ => at += 1,
        }
    }
    (bytes.len(), escaped)
}

/// The place after the bag or array that starts at `at`.
fn container_end(bytes: &[u8], mut at: usize) -> Result<usize, NotCompact> {
    let mut depth = 0_usize;
    while at < bytes.len() {
        if let Some(word) = word(bytes, at) {
            // the bit 0x20 is all that tells `[` from `{` and `]` from `}`; `"` has it already
            let folded = word | (LOW * 0x20);
            let found = equal(folded, b'{') | equal(folded, b'}') | equal(word, b'"');
            if found == 0 {
                at += 8;
                continue;
            }
            at += first(found);
        }
        match bytes[at] {
            b'"' => {
                at = string_end(bytes, at).0;
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' => {
                depth -= 1;
                if depth == 0 {
                    return Ok(at + 1);
                }
            }
            _ => {}
        }
        at += 1;
    }
    Err(NotCompact)
}

#[inline]
fn word(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..)?.first_chunk::<8>().map(|chunk| u64::from_le_bytes(*chunk))
}

/// A high bit in each byte of the word that is `byte`, exact for the lowest of them.
#[inline]
fn equal(word: u64, byte: u8) -> u64 {
    let differing = word ^ (LOW * u64::from(byte));
    differing.wrapping_sub(LOW) & !differing & HIGH
}

#[inline]
fn first(found: u64) -> usize {
    found.trailing_zeros() as usize / 8
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value as Tree;

    use super::*;

    fn name(text: &str) -> Key<'_> {
        Key::Name(Cow::Borrowed(text))
    }

    #[test]
    fn names_are_compared_after_their_escapes() {
        let json = r#"{"a\"b":1,"tab\t":{"\u00e9":[true,{"x":"y\\"}]},"é":3,"\\":4}"#;
        for (keys, want) in [
            (vec![name("a\"b")], Some("1")),
            (vec![name("tab\t"), name("é"), Key::Place(-1), name("x")], Some(r#""y\\""#)),
            (vec![name("é")], Some("3")),
            (vec![name("\\")], Some("4")),
            (vec![name("\\\\")], None),
            (vec![name("tab\\t")], None),
            (vec![name("")], None),
        ] {
            assert_eq!(follow(json, keys.iter().cloned()), Ok(want), "{keys:?}");
        }
    }

    #[test]
    fn what_is_not_compact_json_is_told_and_never_a_panic() {
        for text in [r#"{ "a":1}"#, r#"{"a" :1}"#, r#"{"a"#, r#"{"b":"#, r#"{"b":1"#, "{", r#"{"b":x}"#] {
            assert_eq!(follow(text, [name("a")].into_iter()), Err(NotCompact), "{text}");
        }
    }

    fn trees() -> impl Strategy<Value = Tree> {
        let leaf = prop_oneof![
            Just(Tree::Null),
            any::<bool>().prop_map(Tree::from),
            any::<i64>().prop_map(Tree::from),
            "[a-c\"\\\\{}\\[\\],:é\n ]{0,20}".prop_map(Tree::from),
        ];
        leaf.prop_recursive(4, 40, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Tree::from),
                prop::collection::vec(("[a-b\"\\\\é]{0,3}", inner), 0..6)
                    .prop_map(|entries| Tree::Object(entries.into_iter().collect())),
            ]
        })
    }

    fn found<'j>(json: &'j str, way: &[Key<'static>], last: Key<'static>) -> Option<&'j str> {
        follow(json, way.iter().cloned().chain([last])).expect("compact JSON")
    }

    fn check_below(json: &str, way: &mut Vec<Key<'static>>, tree: &Tree) -> Result<(), TestCaseError> {
        let want = if tree.is_null() { None } else { Some(tree.to_string()) };
        prop_assert_eq!(follow(json, way.iter().cloned()), Ok(want.as_deref()));
        let (steps, length): (Vec<(Key<'static>, &Tree)>, i64) = match tree {
            Tree::Object(map) => {
                (map.iter().map(|(key, value)| (Key::Name(Cow::Owned(key.clone())), value)).collect(), 0)
            }
            Tree::Array(items) => {
                let length = items.len() as i64;
                let both =
                    |(place, value)| [(Key::Place(place as i64), value), (Key::Place(place as i64 - length), value)];
                (items.iter().enumerate().flat_map(both).collect(), length)
            }
            _ => (Vec::new(), 0),
        };
        prop_assert_eq!(found(json, way, name("missing")), None);
        prop_assert_eq!(found(json, way, Key::Place(length)), None);
        prop_assert_eq!(found(json, way, Key::Place(-length - 1)), None);
        for (key, value) in steps {
            way.push(key);
            check_below(json, way, value)?;
            way.pop();
        }
        Ok(())
    }

    proptest! {
        #[test]
        fn each_value_of_a_tree_is_found_by_its_way(tree in trees()) {
            check_below(&tree.to_string(), &mut Vec::new(), &tree)?;
        }

        #[test]
        fn any_text_is_survived(text in "[\\[\\]{}\":,\\\\a1n ]{0,40}") {
            let _ = follow(&text, [name("a"), Key::Place(-1)].into_iter());
            let _ = follow(&text, [Key::Place(1), name("a")].into_iter());
        }
    }
}
