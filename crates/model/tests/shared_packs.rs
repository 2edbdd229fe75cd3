//! Every pack and fragment of the shared folder is read and written again. The folder is not part of the project: without
//! it the tests say so and pass.

use std::collections::BTreeMap;
use std::path::PathBuf;

use watchkeeper_model::pack::{Severity, xml};

/// The files of the shared folder, in order.
fn files() -> Vec<(String, Vec<u8>)> {
    let folder = std::env::var_os("WATCHKEEPER_PACKS")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../../shared/packs"), PathBuf::from);
    let Ok(entries) = std::fs::read_dir(&folder) else {
        println!("skipped: there is no folder {}; set WATCHKEEPER_PACKS to one with packs", folder.display());
        return Vec::new();
    };
    let mut files: Vec<(String, Vec<u8>)> = entries
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|kind| kind == "xml" || kind == "mpx"))
        .map(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            (name, std::fs::read(&path).expect("a readable pack"))
        })
        .collect();
    files.sort();
    files
}

#[test]
fn every_shared_pack_reads_and_writes_back_the_same() {
    for (name, bytes) in files() {
        let reading = xml::fragment::read_filled(&name, &bytes, &BTreeMap::new());
        let pack = reading.pack.unwrap();
        for problem in &reading.problems {
            println!("{problem}");
        }
        let errors: Vec<String> =
            reading.problems.iter().filter(|each| each.severity == Severity::Error).map(ToString::to_string).collect();
        if name == "Class.And.Discovery.MultiRole.mpx" {
            // The file has a stray end tag and an element that is never closed.
            assert_eq!(errors.len(), 2, "{errors:?}");
            assert!(errors[0].contains(":212:9: error") && errors[0].contains("</DisplayString>"), "{errors:?}");
            assert!(errors[1].contains(":225:9: error"), "{errors:?}");
        } else {
            assert!(errors.is_empty(), "{errors:#?}");
        }
        let again = xml::read(&name, xml::write(&pack).as_bytes()).pack.unwrap();
        assert_eq!(again, pack, "{name}");
    }
}
