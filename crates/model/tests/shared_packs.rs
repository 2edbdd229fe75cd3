//! Every pack and fragment of the shared folder is read and written again. The folder is not part of the project: without
//! it the tests say so and pass.

use std::collections::BTreeMap;
use std::path::PathBuf;

use watchkeeper_model::pack::{ManagementPack, PackSet, Severity, Version, portability, xml};

/// The files of the shared folder, in order.
fn files() -> Vec<(String, Vec<u8>)> {
    let folder = std::env::var_os("WATCHKEEPER_PACKS")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/packs"), PathBuf::from);
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
            (name, std::fs::read(&path).expect("a file of the folder can be read"))
        })
        .collect();
    files.sort();
    files
}

#[test]
fn every_shared_pack_reads_and_writes_back_the_same() {
    for (name, bytes) in files() {
        let reading = xml::fragment::read_filled(&name, &bytes, &BTreeMap::new());
        let pack = reading.pack.expect("the file holds a pack");
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
        let again = xml::read(&name, xml::write(&pack).as_bytes()).pack.expect("what is written can be read");
        assert_eq!(again, pack, "{name}");
    }
}

/// The fragments of one project belong into one pack; all others are tried alone.
fn packs() -> Vec<ManagementPack> {
    let mut packs = Vec::new();
    let mut project = Vec::new();
    let mut views = Vec::new();
    for (name, bytes) in files() {
        let pack = xml::fragment::read_filled(&name, &bytes, &BTreeMap::new()).pack.expect("the file holds a pack");
        if String::from_utf8_lossy(&bytes).contains("ElementID=\"ABC.F5.BIGIP") {
            project.push(pack);
        } else if name.starts_with("Views.") || name.starts_with("Folder.") {
            views.push(pack);
        } else {
            packs.push(pack);
        }
    }
    if !project.is_empty() {
        packs.push(xml::fragment::merge(project, "ABC.F5.BIGIP", Version([1, 0, 0, 0]), "ABC F5 BIGIP"));
    }
    if !views.is_empty() {
        packs.push(xml::fragment::merge(views, "CompanyID.AppName", Version([1, 0, 0, 0]), "Views of an application"));
    }
    packs
}

#[test]
fn every_shared_pack_loads_and_says_what_runs() {
    for pack in packs() {
        let (id, file) = (pack.id.clone(), pack.file.0.clone());
        let (set, problems) = PackSet::load(vec![pack]);
        println!("== {file}");
        for problem in &problems {
            println!("{problem}");
        }
        for verdict in portability::of(&set, set.pack(&id).expect("it was loaded")) {
            println!("{verdict}");
        }
        let errors: Vec<String> =
            problems.iter().filter(|each| each.severity == Severity::Error).map(ToString::to_string).collect();
        if file == "Class.And.Discovery.MultiRole.mpx" {
            // The file names a relationship that neither it nor a library has.
            assert_eq!(errors.len(), 3, "{errors:#?}");
            assert!(errors.iter().all(|error| error.contains("no relationship 'CompanyID.AppName.Class.Hosts.")));
        } else {
            assert!(errors.is_empty(), "{errors:#?}");
        }
    }
}

#[test]
fn the_libraries_are_sound() {
    let (_, problems) = PackSet::load(Vec::new());
    let bad: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert!(bad.is_empty(), "{bad:#?}");
}
