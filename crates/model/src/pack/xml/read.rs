//! From a tree to a pack: the outer sections, presentation and languages.

use crate::node::Node;

use super::super::common::{At, Ref, Version};
use super::super::presentation::{DisplayString, Folder, FolderItem, Knowledge, KnowledgeFormat, LanguagePack, View};
use super::super::problem::Problems;
use super::super::{Kept, ManagementPack, Reference};
use super::cursor::Cursor;
use super::{read_monitoring, read_types};

/// Reads a pack from its outermost element.
pub fn from_tree(root: Node, problems: &mut Problems) -> Option<ManagementPack> {
    let fragment = match root.name.as_str() {
        "ManagementPack" => false,
        "ManagementPackFragment" => true,
        other => {
            problems.error(
                At(root.place),
                "",
                format!("<{other}> is no management pack; it starts with <ManagementPack> or <ManagementPackFragment>"),
            );
            return None;
        }
    };
    let mut pack = ManagementPack { fragment, at: At(root.place), ..ManagementPack::default() };
    let mut cursor = Cursor::new(root, "", problems);
    pack.schema_version = cursor.attribute("SchemaVersion").unwrap_or_else(|| "2.0".to_owned());
    if !matches!(pack.schema_version.as_str(), "1.0" | "1.1" | "2.0") {
        let version = pack.schema_version.clone();
        cursor.problems().warning(
            pack.at,
            "",
            format!("SchemaVersion {version} is not known; the pack is read as 2.0"),
        );
    }
    if let Some(manifest) = cursor.child("Manifest") {
        read_manifest(manifest, &mut pack, cursor.problems());
    } else if !fragment {
        cursor.error("the pack has no <Manifest> with <Identity>");
    }
    let sections = cursor.all_children();
    let rest = cursor.rest();
    pack.extra.attributes = rest.attributes;
    for section in sections {
        read_section(section, &mut pack, problems);
    }
    Some(pack)
}

fn read_manifest(manifest: Node, pack: &mut ManagementPack, problems: &mut Problems) {
    let mut cursor = Cursor::new(manifest, "", problems);
    if let Some(identity) = cursor.child("Identity") {
        let at = At(identity.place);
        let mut identity = Cursor::new(identity, "", cursor.problems());
        pack.id = identity.text("ID").unwrap_or_default();
        let version = identity.text("Version").unwrap_or_default();
        match version.parse() {
            Ok(version) => pack.version = version,
            Err(error) => cursor.problems().error(at, "", format!("the pack's version: {error}")),
        }
        pack.at = at;
        if pack.id.is_empty() {
            cursor.error("<Identity> has no <ID>");
        }
    } else {
        cursor.error("<Manifest> has no <Identity> with <ID> and <Version>");
    }
    pack.name = cursor.text("Name").unwrap_or_default();
    if let Some(token) = cursor.text("PublicKeyToken") {
        pack.public_key_token = token;
    }
    for reference in list(cursor.child("References"), &["Reference"], cursor.problems()) {
        let mut each = Cursor::new(reference, "", cursor.problems());
        let alias = each.required("Alias");
        let id = each.text("ID").unwrap_or_default();
        if id.is_empty() {
            each.error(format!("the reference {alias} has no <ID>"));
        }
        let text = each.text("Version").unwrap_or_default();
        let version = text.parse().unwrap_or_else(|error| {
            each.error(format!("the version of the reference {alias}: {error}"));
            Version::default()
        });
        let token = each.text("PublicKeyToken").filter(|token| !token.is_empty());
        let at = each.at();
        pack.references.push(Reference { alias, id, version, public_key_token: token, at });
    }
    pack.extra.children = cursor.rest().children;
}

/// The elements of a section; others are reported.
pub(super) fn list(section: Option<Node>, names: &[&str], problems: &mut Problems) -> Vec<Node> {
    let Some(section) = section else { return Vec::new() };
    let mut found = Vec::new();
    for child in section.children {
        if names.contains(&child.name.as_str()) {
            found.push(child);
        } else {
            let id = child.attribute("ID").unwrap_or_default().to_owned();
            problems.error(
                At(child.place),
                &id,
                format!("<{}> does not belong into <{}>, which holds {}", child.name, section.name, names.join(", ")),
            );
        }
    }
    found
}

pub(super) fn kept(node: Node, problems: &mut Problems) -> Kept {
    let id = node.attribute("ID").unwrap_or_default().to_owned();
    if id.is_empty() {
        problems.error(At(node.place), "", format!("<{}> has no ID; add ID=\"…\"", node.name));
    }
    Kept { id, at: At(node.place), node }
}

fn read_section(section: Node, pack: &mut ManagementPack, problems: &mut Problems) {
    match section.name.as_str() {
        "TypeDefinitions" => read_types::read(section, pack, problems),
        "Monitoring" => read_monitoring::read(section, pack, problems),
        "Categories" => {
            for category in list(Some(section), &["Category"], problems) {
                pack.categories.push(kept(category, problems));
            }
        }
        "Presentation" | "PresentationTypes" => {
            let path = section.name.clone();
            for part in section.children {
                read_presentation(part, &path, pack, problems);
            }
        }
        "LanguagePacks" => {
            for language in list(Some(section), &["LanguagePack"], problems) {
                let language = read_language(language, problems);
                pack.languages.push(language);
            }
        }
        "Templates" | "Reporting" | "Resources" | "Extensions" => {
            if !section.children.is_empty() {
                problems.note(
                    At(section.place),
                    "",
                    format!("the section <{}> is kept and does nothing here", section.name),
                );
            }
            pack.kept.push((String::new(), section));
        }
        "ContentReadable" => {}
        other => {
            problems.warning(
                At(section.place),
                "",
                format!("<{other}> is no section of a management pack; it is kept and does nothing here"),
            );
            pack.kept.push((String::new(), section));
        }
    }
}

fn read_presentation(part: Node, path: &str, pack: &mut ManagementPack, problems: &mut Problems) {
    match part.name.as_str() {
        "Views" => {
            for view in list(Some(part), &["View"], problems) {
                pack.views.push(read_view(view, problems));
            }
        }
        "Folders" => {
            for folder in list(Some(part), &["Folder"], problems) {
                let mut each = Cursor::new(folder, "", problems);
                pack.folders.push(Folder {
                    id: each.id(),
                    accessibility: each.accessibility(),
                    parent: each.reference("ParentFolder"),
                    at: each.at(),
                    extra: each.finish(&[]),
                });
            }
        }
        "FolderItems" => {
            for item in list(Some(part), &["FolderItem"], problems) {
                let mut each = Cursor::new(item, "", problems);
                pack.folder_items.push(FolderItem {
                    id: each.attribute("ID"),
                    element: each.required_reference("ElementID"),
                    folder: each.required_reference("Folder"),
                    at: each.at(),
                    extra: each.finish(&[]),
                });
            }
        }
        "StringResources" => {
            for text in list(Some(part), &["StringResource"], problems) {
                pack.string_resources.push(kept(text, problems));
            }
        }
        "ViewTypes" => {
            for view_type in list(Some(part), &["ViewType"], problems) {
                pack.view_types.push(kept(view_type, problems));
            }
        }
        "ConsoleTasks" => {
            for task in list(Some(part), &["ConsoleTask"], problems) {
                pack.console.push(kept(task, problems));
            }
        }
        _ => pack.kept.push((path.to_owned(), part)),
    }
}

fn read_view(node: Node, problems: &mut Problems) -> View {
    let mut each = Cursor::new(node, "", problems);
    View {
        id: each.id(),
        accessibility: each.accessibility(),
        enabled: each.enabled(),
        target: each.required_reference("Target"),
        type_id: each.required_reference("TypeID"),
        visible: each.flag("Visible", true),
        category: each.text("Category").unwrap_or_default(),
        criteria: each.child("Criteria"),
        at: each.at(),
        extra: each.rest(),
    }
}

fn read_language(node: Node, problems: &mut Problems) -> LanguagePack {
    let mut each = Cursor::new(node, "", problems);
    let id = each.id();
    let is_default = each.flag("IsDefault", false);
    let at = each.at();
    let mut strings = Vec::new();
    for text in list(each.child("DisplayStrings"), &["DisplayString"], each.problems()) {
        let mut text = Cursor::new(text, "", each.problems());
        strings.push(DisplayString {
            element: text.required_reference("ElementID"),
            sub_element: text.attribute("SubElementID").filter(|id| !id.is_empty()),
            name: text.text("Name").unwrap_or_default(),
            description: text.text("Description").filter(|words| !words.is_empty()),
            at: text.at(),
        });
    }
    let mut knowledge = Vec::new();
    for article in list(each.child("KnowledgeArticles"), &["KnowledgeArticle"], each.problems()) {
        let article = Cursor::new(article, "", each.problems());
        knowledge.extend(read_article(article));
    }
    LanguagePack { id, is_default, strings, knowledge, at, extra: each.finish(&[]) }
}

fn read_article(mut article: Cursor<'_>) -> Vec<Knowledge> {
    let element: Ref = article.required_reference("ElementID");
    let visible = article.flag("Visible", true);
    let at = article.at();
    let contents =
        [(KnowledgeFormat::Maml, article.child("MamlContent")), (KnowledgeFormat::Html, article.child("HtmlContent"))];
    let extra = article.finish(&[]);
    contents
        .into_iter()
        .filter_map(|(format, content)| content.map(|content| (format, content.text)))
        .map(|(format, content)| Knowledge {
            element: element.clone(),
            visible,
            format,
            content,
            at,
            extra: extra.clone(),
        })
        .collect()
}
