//! Fragments: parts of packs with `##Name##` placeholders, as authoring tools use them. They have no manifest; which
//! packs they need stands in a comment (`RequiredReference: Alias="…", ID="…"`) or follows from customary aliases.

use std::collections::{BTreeMap, BTreeSet};

use crate::node::{Node, Place};

use super::super::common::{At, Version, is_valid_id};
use super::super::presentation::LanguagePack;
use super::super::problem::Problems;
use super::super::{ManagementPack, Reference, VENDOR_TOKEN};
use super::{Reading, decode, read_text};

/// The aliases that authors customarily give to the libraries.
pub const CUSTOMARY_ALIASES: &[(&str, &str)] = &[
    ("System", "System.Library"),
    ("SystemLibrary", "System.Library"),
    ("SC", "Microsoft.SystemCenter.Library"),
    ("SystemCenter", "Microsoft.SystemCenter.Library"),
    ("Windows", "Microsoft.Windows.Library"),
    ("Health", "System.Health.Library"),
    ("Perf", "System.Performance.Library"),
    ("Performance", "System.Performance.Library"),
    ("MSDL", "Microsoft.SystemCenter.DataWarehouse.Library"),
    ("DW", "Microsoft.SystemCenter.DataWarehouse.Library"),
    ("MSIL", "Microsoft.SystemCenter.InstanceGroup.Library"),
    ("IGL", "Microsoft.SystemCenter.InstanceGroup.Library"),
    ("MSPL", "Microsoft.SystemCenter.ProcessMonitoring.Library"),
    ("MSSL", "Microsoft.SystemCenter.SyntheticTransactions.Library"),
    ("SNL", "System.NetworkManagement.Library"),
    ("Snmp", "System.Snmp.Library"),
    ("SAL", "System.ApplicationLog.Library"),
    ("AppLog", "System.ApplicationLog.Library"),
    ("MUL", "Microsoft.Unix.Library"),
    ("Unix", "Microsoft.Unix.Library"),
    ("MUSL", "Microsoft.Unix.ShellCommand.Library"),
    ("MSWL", "Microsoft.SystemCenter.WSManagement.Library"),
    ("Linux", "Microsoft.Linux.Library"),
    ("NTService", "Microsoft.SystemCenter.NTService.Library"),
    ("ServiceDesigner", "Microsoft.SystemCenter.ServiceDesigner.Library"),
    ("Visualization", "Microsoft.SystemCenter.Visualization.Library"),
];

/// The names of the placeholders of a text, in the order of their first use.
#[must_use]
pub fn placeholders(text: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for name in text.split("##").skip(1) {
        let is_name = !name.is_empty() && name.chars().all(|each| each.is_ascii_alphanumeric() || each == '_');
        if is_name && text.contains(&format!("##{name}##")) && !found.iter().any(|known| known == name) {
            found.push(name.to_owned());
        }
    }
    found
}

/// The text with placeholders replaced; those without a value stay.
#[must_use]
pub fn fill(text: &str, values: &BTreeMap<String, String>) -> String {
    let mut filled = text.to_owned();
    for (name, value) in values {
        filled = filled.replace(&format!("##{name}##"), value);
    }
    filled
}

/// Values that make a valid pack of a fragment, to try it out: a class where a class is meant, a number where a number
/// is meant, else the placeholder's own name.
#[must_use]
pub fn derived_values(text: &str) -> BTreeMap<String, String> {
    placeholders(text)
        .into_iter()
        .map(|name| {
            let value = derived_value(&name, text);
            (name, value)
        })
        .collect()
}

fn derived_value(name: &str, text: &str) -> String {
    let alone = |around: &str| text.contains(&around.replace('*', &format!("##{name}##")));
    if alone("Target=\"*\"") || alone("$MPElement[Name=\"*\"]$") || alone("$MPElement[Name='*']$") {
        let aliases = comment_references(text);
        let has = |id: &str| aliases.iter().find(|(_, known)| known == id).map(|(alias, _)| alias.clone());
        if let Some(alias) = has("Microsoft.Unix.Library") {
            return format!("{alias}!Microsoft.Unix.OperatingSystem");
        }
        if let Some(alias) = has("Microsoft.Windows.Library") {
            return format!("{alias}!Microsoft.Windows.Server.OperatingSystem");
        }
        if let Some(alias) = has("System.NetworkManagement.Library") {
            return format!("{alias}!System.NetworkManagement.Node");
        }
        return "Windows!Microsoft.Windows.Server.OperatingSystem".to_owned();
    }
    if name == "OID" {
        return "1.3.6.1.2.1.1.3.0".to_owned();
    }
    let numeric = ["Seconds", "Minutes", "Count", "Threshold", "Integer", "Port", "EventID", "Interval", "Samples"];
    if numeric.iter().any(|word| name.contains(word)) {
        return "60".to_owned();
    }
    name.to_owned()
}

/// Reads a fragment with its placeholders filled: with the values given, and derived ones for the rest.
#[must_use]
pub fn read_filled(file: &str, bytes: &[u8], values: &BTreeMap<String, String>) -> Reading {
    let mut problems = Problems::of(file);
    let text = decode::decode(bytes, &mut problems);
    let mut all = derived_values(&text);
    all.extend(values.iter().map(|(name, value)| (name.clone(), value.clone())));
    for (name, value) in values.iter().filter(|(name, _)| !text.contains(&format!("##{name}##"))) {
        problems.warning(At::default(), "", format!("there is no placeholder ##{name}## to fill with '{value}'"));
    }
    read_text(file, &fill(&text, &all), problems)
}

/// `RequiredReference: Alias="…", ID="…"` of comments: alias and pack.
fn comment_references(comment: &str) -> Vec<(String, String)> {
    let quoted = |line: &str, name: &str| {
        let after = line.split_once(name)?.1.trim_start();
        let value = after.strip_prefix('=')?.trim_start().strip_prefix('"')?;
        value.split_once('"').map(|(value, _)| value.to_owned())
    };
    comment
        .lines()
        .filter_map(|line| line.split_once("RequiredReference").map(|(_, rest)| rest))
        .filter_map(|line| Some((quoted(line, "Alias")?, quoted(line, "ID")?)))
        .collect()
}

/// Gives a fragment an ID and the references that it needs.
pub(super) fn complete(pack: &mut ManagementPack, comments: &[(String, Place)], used: &BTreeSet<String>) {
    if pack.id.is_empty() {
        pack.id = id_of_file(&pack.file.0);
    }
    let add = |pack: &mut ManagementPack, alias: &str, id: &str, place: Place| {
        if pack.references.iter().all(|known| known.alias != alias) {
            pack.references.push(Reference {
                alias: alias.to_owned(),
                id: id.to_owned(),
                version: Version::default(),
                public_key_token: Some(VENDOR_TOKEN.to_owned()),
                at: At(place),
            });
        }
    };
    for (comment, place) in comments {
        for (alias, id) in comment_references(comment) {
            add(pack, &alias, &id, *place);
        }
    }
    for alias in used {
        if let Some((_, id)) = CUSTOMARY_ALIASES.iter().find(|(known, _)| known == alias) {
            add(pack, alias, id, pack.at.0);
        }
    }
}

/// The aliases that an element and those below use.
pub(super) fn aliases(node: &Node) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut open = vec![node];
    while let Some(node) = open.pop() {
        let texts = node.attributes.iter().map(|(_, value)| value.as_str()).chain([node.text.as_str()]);
        for text in texts {
            for (at, _) in text.match_indices('!') {
                let before = text.get(..at).unwrap_or_default();
                let alias: String = before
                    .chars()
                    .rev()
                    .take_while(|each| each.is_ascii_alphanumeric() || *each == '.' || *each == '_')
                    .collect();
                if !alias.is_empty() {
                    found.insert(alias.chars().rev().collect());
                }
            }
        }
        open.extend(&node.children);
    }
    found
}

fn id_of_file(file: &str) -> String {
    let name = file.rsplit(['/', '\\']).next().unwrap_or(file);
    let stem = name.trim_end_matches(".mpx").trim_end_matches(".mptg").trim_end_matches(".xml");
    let id: String =
        stem.chars().map(|each| if each.is_ascii_alphanumeric() || each == '.' { each } else { '_' }).collect();
    if is_valid_id(&id) { id } else { format!("Fragment.{}", id.trim_start_matches(['.', '_'])) }
}

/// One pack of the fragments of a project.
#[must_use]
pub fn merge(fragments: Vec<ManagementPack>, id: &str, version: Version, name: &str) -> ManagementPack {
    let mut pack = ManagementPack {
        id: id.to_owned(),
        version,
        name: name.to_owned(),
        schema_version: "2.0".to_owned(),
        ..ManagementPack::default()
    };
    for part in fragments {
        if pack.file.0.is_empty() {
            pack.file = part.file;
        }
        for reference in part.references {
            if pack.references.iter().all(|known| known.alias != reference.alias) {
                pack.references.push(reference);
            }
        }
        pack.classes.extend(part.classes);
        pack.relationships.extend(part.relationships);
        pack.data_types.extend(part.data_types);
        pack.schema_types.extend(part.schema_types);
        pack.secure_references.extend(part.secure_references);
        pack.modules.extend(part.modules);
        pack.monitor_types.extend(part.monitor_types);
        pack.categories.extend(part.categories);
        pack.discoveries.extend(part.discoveries);
        pack.rules.extend(part.rules);
        pack.tasks.extend(part.tasks);
        pack.monitors.extend(part.monitors);
        pack.diagnostics.extend(part.diagnostics);
        pack.recoveries.extend(part.recoveries);
        pack.overrides.extend(part.overrides);
        pack.views.extend(part.views);
        pack.folders.extend(part.folders);
        pack.folder_items.extend(part.folder_items);
        pack.string_resources.extend(part.string_resources);
        pack.view_types.extend(part.view_types);
        pack.console.extend(part.console);
        pack.kept.extend(part.kept);
        for language in part.languages {
            merge_language(&mut pack.languages, language);
        }
    }
    pack
}

fn merge_language(known: &mut Vec<LanguagePack>, language: LanguagePack) {
    match known.iter_mut().find(|each| each.id == language.id) {
        Some(same) => {
            same.is_default |= language.is_default;
            same.strings.extend(language.strings);
            same.knowledge.extend(language.knowledge);
        }
        None => known.push(language),
    }
}
