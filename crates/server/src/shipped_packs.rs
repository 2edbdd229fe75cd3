//! The management packs that come with the product: carried in the binary, offered by name, and those for its own
//! machine imported at the first start.

use anyhow::Context;
use rust_embed::RustEmbed;
use serde_json::{Value, json};
use watchkeeper_management::clock;
use watchkeeper_management::group::{form_of, read_pack};
use watchkeeper_model::pack::{ManagementPack, Severity, Version, xml};
use watchkeeper_state::{Pack, PackHistory};

use crate::operations::Operations;

#[derive(RustEmbed)]
#[folder = "../../packs"]
struct Files;

/// Packs that a server imports by itself: they need no software but Linux and this product.
pub const AT_START: [&str; 2] = ["Watchkeeper.Linux", "Watchkeeper.Self"];
/// Who imported them, in the packs' history and in the audit.
const IMPORTER: &str = "Watchkeeper";

/// The document of a shipped pack, with the name of its file.
#[must_use]
pub fn document(pack_id: &str) -> Option<(String, Vec<u8>)> {
    let file = format!("{pack_id}.yaml");
    // names of files come from the binary alone: nothing is looked up on a disk by what somebody asks for
    let file = Files::iter().find(|known| **known == *file)?;
    let data = Files::get(&file)?.data.into_owned();
    Some((file.into_owned(), data))
}

/// The identities of all shipped packs, sorted.
#[must_use]
pub fn names() -> Vec<String> {
    let mut names: Vec<String> =
        Files::iter().filter_map(|file| file.strip_suffix(".yaml").map(str::to_owned)).collect();
    names.sort();
    names
}

/// A shipped pack, read. `None` where there is none of this name.
///
/// # Errors
/// When the document that was shipped is no pack: a broken build.
pub fn read(pack_id: &str) -> anyhow::Result<Option<ManagementPack>> {
    let Some((file, data)) = document(pack_id) else { return Ok(None) };
    let (pack, problems) = read_pack(&file, form_of(&file), &data);
    if let Some(problem) = problems.iter().find(|problem| problem.severity == Severity::Error) {
        anyhow::bail!("the shipped pack {pack_id} is broken: {problem}");
    }
    pack.map(Some).with_context(|| format!("the shipped file {file} holds no management pack"))
}

/// Every shipped pack, with the version that is imported.
///
/// # Errors
/// When the store cannot be read, or a shipped pack is broken.
pub async fn list(operations: &Operations) -> anyhow::Result<Value> {
    let imported = operations.group.state().packs().await?;
    let mut rows = Vec::new();
    for name in names() {
        let Some(pack) = read(&name)? else { continue };
        let text = pack.display(&pack.id, None, "ENU");
        let stored = imported.iter().find(|stored| stored.pack_id == pack.id);
        rows.push(json!({
            "id": pack.id,
            "version": pack.version.to_string(),
            "name": text.map(|text| text.name.clone()),
            "description": text.map(|text| text.description.clone()),
            "importedVersion": stored.map(|stored| stored.version.clone()),
        }));
    }
    Ok(Value::Array(rows))
}

/// Imports the packs for this machine, unless somebody removed them or has one as new.
///
/// # Errors
/// When the store cannot be read or written, or a shipped pack is broken.
pub async fn import_at_start(operations: &Operations) -> anyhow::Result<()> {
    let state = operations.group.state();
    let mut changed = false;
    for pack_id in AT_START {
        let pack = read(pack_id)?.with_context(|| format!("the pack {pack_id} is not in this program"))?;
        let history = state.pack_history(pack_id).await?;
        if !is_wanted(&history, &pack.version) {
            continue;
        }
        put(operations, &pack).await?;
        changed = true;
    }
    if changed {
        take_over(operations).await?;
    }
    Ok(())
}

/// Imports a shipped pack because something that was asked for needs it.
///
/// # Errors
/// When the store cannot be read or written, or the pack is broken or not shipped.
pub async fn import(operations: &Operations, pack_id: &str) -> anyhow::Result<()> {
    let pack = read(pack_id)?.with_context(|| format!("the pack {pack_id} is not in this program"))?;
    put(operations, &pack).await?;
    take_over(operations).await
}

async fn put(operations: &Operations, pack: &ManagementPack) -> anyhow::Result<()> {
    let row = row_of(pack, IMPORTER);
    let mut changes = operations.group.state().change().await?;
    changes.put_pack(&row).await?;
    changes.commit().await?;
    let reason = format!("version {}, shipped", row.version);
    operations.operational.audit(IMPORTER, "import pack", &pack.id, "Succeeded", &reason).await?;
    tracing::info!(pack_id = pack.id, version = row.version, "shipped pack imported");
    Ok(())
}

async fn take_over(operations: &Operations) -> anyhow::Result<()> {
    let states = operations.group.reload().await?;
    operations.operational.rolled_up(states).await?;
    Ok(())
}

/// A pack as the store keeps it.
#[must_use]
pub fn row_of(pack: &ManagementPack, by: &str) -> Pack {
    Pack {
        pack_id: pack.id.clone(),
        version: pack.version.to_string(),
        name: crate::api::packs::name_of(pack),
        sealed: pack.sealed,
        form: "xml".to_owned(),
        content: xml::write(pack),
        imported_at: clock::now(),
        imported_by: by.to_owned(),
    }
}

/// Whether to import by what happened to the pack before, the latest first: where it never was here, and where what is
/// here is older. What a person removed stays removed.
fn is_wanted(history: &[PackHistory], shipped: &Version) -> bool {
    match history.first() {
        None => true,
        Some(latest) if latest.change == "removed" => false,
        Some(latest) => latest.version.parse::<Version>().is_ok_and(|version| version < *shipped),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(version: &str, change: &str) -> PackHistory {
        PackHistory {
            version: version.to_owned(),
            change: change.to_owned(),
            changed_at: 1,
            changed_by: "somebody".to_owned(),
        }
    }

    #[test]
    fn a_pack_is_imported_once_renewed_when_older_and_never_after_it_was_removed() {
        let shipped: Version = "1.2.0.0".parse().unwrap();
        assert!(is_wanted(&[], &shipped));
        assert!(is_wanted(&[entry("1.1.9.9", "imported")], &shipped));
        assert!(!is_wanted(&[entry("1.2.0.0", "imported")], &shipped));
        assert!(!is_wanted(&[entry("1.10.0.0", "imported")], &shipped), "versions are numbers, not text");
        assert!(!is_wanted(&[entry("1.0.0.0", "removed"), entry("1.0.0.0", "imported")], &shipped));
    }

    #[test]
    fn every_shipped_pack_can_be_read_by_its_name_and_nothing_else_can() {
        let names = names();
        for name in AT_START {
            assert!(names.iter().any(|known| known == name), "{names:?}");
        }
        for name in &names {
            assert_eq!(read(name).unwrap().unwrap().id, *name);
        }
        for name in ["", "../Cargo", "/etc/passwd", "watchkeeper.linux"] {
            assert!(read(name).unwrap().is_none(), "{name}");
        }
    }
}
