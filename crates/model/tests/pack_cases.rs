//! Packs with mistakes: each file of `tests/packs` says in comments (`expect: …`) which problems it has, and has no other
//! errors.

use std::path::PathBuf;

use watchkeeper_model::pack::{ManagementPack, PackSet, Reference, Severity, Version, xml};

#[test]
fn every_mistake_is_named_where_it_is() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/packs");
    let mut count = 0;
    for entry in std::fs::read_dir(folder).expect("the folder is part of the project") {
        let path = entry.expect("it can be listed").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&path).expect("it can be read");
        let expected: Vec<&str> =
            text.split("expect: ").skip(1).map(|rest| rest.split(" -->").next().unwrap_or_default()).collect();
        let reading = xml::read(&name, text.as_bytes());
        let mut problems = reading.problems;
        if let Some(pack) = reading.pack {
            problems.extend(PackSet::load(vec![pack]).1);
        }
        let found: Vec<String> = problems.iter().map(ToString::to_string).collect();
        for words in &expected {
            assert!(found.iter().any(|each| each.contains(words)), "{name}: no '{words}' in {found:#?}");
        }
        for each in problems.iter().filter(|each| each.severity == Severity::Error) {
            let line = each.to_string();
            let known = expected.iter().any(|words| line.contains(words)) || is_consequence(&line);
            assert!(known, "{name}: not expected: {line}");
        }
        count += 1;
    }
    assert!(count >= 9, "{count} files");
}

/// What a mistake brings with it.
fn is_consequence(line: &str) -> bool {
    [
        "Round.B: the class derives from itself",
        "Itself.DS",
        "the file holds no element",
        "is not closed before",
        "Broken.DS",
    ]
    .iter()
    .any(|words| line.contains(words))
}

fn pack(id: &str, sealed: bool, references: &[&str]) -> ManagementPack {
    let references = references.iter().map(|other| Reference {
        alias: other.replace('.', ""),
        id: (*other).to_owned(),
        version: Version([1, 0, 0, 0]),
        ..Reference::default()
    });
    ManagementPack {
        id: id.to_owned(),
        version: Version([1, 0, 0, 0]),
        sealed,
        references: references.collect(),
        ..ManagementPack::default()
    }
}

#[test]
fn packs_are_checked_against_each_other() {
    let cases: [(&str, Vec<ManagementPack>, &str); 4] = [
        ("circle", vec![pack("A", true, &["B"]), pack("B", true, &["A"])], "in a circle: A → B → A"),
        ("unsealed", vec![pack("A", false, &[]), pack("B", false, &["A"])], "A is not sealed"),
        ("double", vec![pack("A", false, &[]), pack("A", false, &[])], "two packs have the ID A"),
        ("sound", vec![pack("A", true, &[]), pack("B", false, &["A"])], ""),
    ];
    for (name, packs, expected) in cases {
        let errors: Vec<String> = PackSet::load(packs).1.iter().map(ToString::to_string).collect();
        if expected.is_empty() {
            assert_eq!(errors, Vec::<String>::new(), "{name}");
        } else {
            assert_eq!(errors.len(), 1, "{name}: {errors:?}");
            assert!(errors[0].contains(expected), "{name}: {errors:?}");
        }
    }
}

#[test]
fn utf_16_and_byte_order_marks_are_read() {
    let text = "<ManagementPackFragment SchemaVersion=\"2.0\"><Presentation><StringResources><StringResource ID=\"Ä\" \
                /></StringResources></Presentation></ManagementPackFragment>";
    let little: Vec<u8> = "\u{feff}".encode_utf16().chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect();
    let big: Vec<u8> = "\u{feff}".encode_utf16().chain(text.encode_utf16()).flat_map(u16::to_be_bytes).collect();
    let bare: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    for bytes in [text.as_bytes().to_vec(), format!("\u{feff}{text}").into_bytes(), little, big, bare] {
        let reading = xml::read("pack.xml", &bytes);
        assert_eq!(reading.problems, Vec::new());
        let pack = reading.pack.expect("the text holds a pack");
        assert_eq!(pack.string_resources[0].id, "Ä");
    }
}
