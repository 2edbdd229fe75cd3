//! File paths of Windows and Unix.

use serde_json::{Map, Value as Tree};

use crate::functions::frame::Value;

/// The parts of a path; parts it does not have are empty texts.
pub fn parse(text: &str) -> Value<'static> {
    let (scheme, rest) = text.split_once("://").unwrap_or(("", text));
    let rest = rest.strip_prefix(r"\\?\").filter(|_| scheme.is_empty()).unwrap_or(rest);
    let root = match rest.as_bytes() {
        [letter, b':', ..] if letter.is_ascii_alphabetic() => &rest[..2],
        _ => "",
    };
    let separators = ['\\', '/'];
    let (directory, last) = match rest.rfind(separators) {
        Some(at) => (&rest[..at], &rest[at + 1..]),
        None => (root, &rest[root.len()..]),
    };
    let (filename, stream) = last.split_once(':').unwrap_or((last, ""));
    let directory_name = directory.rsplit(separators).next().filter(|name| *name != root).unwrap_or("");
    let extension = filename.rsplit_once('.').map_or("", |(_, after)| after);
    let mut map = Map::new();
    for (name, value) in [
        ("Scheme", scheme),
        ("RootPath", root),
        ("DirectoryPath", directory),
        ("DirectoryName", directory_name),
        ("Filename", filename),
        ("Extension", extension),
        ("AlternateDataStreamName", stream),
    ] {
        map.insert(name.to_owned(), Tree::from(value));
    }
    Value::json(&Tree::Object(map))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Tree, json};

    use super::*;
    use crate::functions::frame::json::tree_of;

    #[test]
    fn paths_of_both_kinds_come_apart() {
        for (text, want) in [
            (r"C:\temp\file.txt", ["", "C:", r"C:\temp", "temp", "file.txt", "txt", ""]),
            ("file://C:/temp/file.txt:some.exe", ["file", "C:", "C:/temp", "temp", "file.txt", "txt", "some.exe"]),
            (r"\\share\users\a.txt.gz", ["", "", r"\\share\users", "users", "a.txt.gz", "gz", ""]),
            ("/usr/bin/ls", ["", "", "/usr/bin", "bin", "ls", "", ""]),
            (r"\\?\C:\long\a.b", ["", "C:", r"C:\long", "long", "a.b", "b", ""]),
            ("plain", ["", "", "", "", "plain", "", ""]),
        ] {
            let want: Tree = json!({
                "Scheme": want[0], "RootPath": want[1], "DirectoryPath": want[2], "DirectoryName": want[3],
                "Filename": want[4], "Extension": want[5], "AlternateDataStreamName": want[6],
            });
            assert_eq!(tree_of(&parse(text)), want, "{text}");
        }
    }
}
