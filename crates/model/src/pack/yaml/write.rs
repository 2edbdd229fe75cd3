//! From a pack to the text of a YAML file. An element is written in the short form where reading that gives the same
//! element, and as a tree of elements where not, so nothing is lost.

use crate::node::Node;

use super::super::problem::Problems;
use super::super::{ManagementPack, library, xml};
use super::emit::emit;
use super::load::{Content, Yaml};
use super::read::{Reader, section};
use super::table::{ALERT, Field, HEALTH, KINDS, Kind, PARENTS, To, short};
use super::{article, expression};

type Entries = Vec<(String, Yaml)>;

/// The pack as a file.
#[must_use]
pub fn write(pack: &ManagementPack) -> String {
    let mut root = xml::to_tree(pack);
    strip(&mut root);
    let health = pack.references.iter().find(|each| each.id == "System.Health.Library");
    let language = take_language(&mut root);
    let mut writer = Writer {
        has_texts: language.as_ref().is_some_and(|pack| !pack.children.is_empty()),
        health: health.map_or_else(String::new, |each| format!("{}!", each.alias)),
        language,
        resources: take(&mut root, &["Presentation", "StringResources"]).unwrap_or_default(),
    };
    emit(&Yaml::map(writer.pack(pack, root)))
}

/// Declarations of schemas carry a prefix in the text of XML only.
fn strip(node: &mut Node) {
    if let Some(local) = node.name.strip_prefix("xsd:") {
        node.name = local.to_owned();
    }
    node.children.iter_mut().for_each(strip);
}

/// Takes a section out.
fn take(root: &mut Node, path: &[&str]) -> Option<Node> {
    let (first, rest) = path.split_first()?;
    let at = root.children.iter().position(|child| child.name == *first)?;
    if rest.is_empty() { Some(root.children.remove(at)) } else { take(root.children.get_mut(at)?, rest) }
}

/// Takes the texts of the default language out.
fn take_language(root: &mut Node) -> Option<Node> {
    let packs = root.children.iter_mut().find(|child| child.name == "LanguagePacks")?;
    let found = packs.children.iter_mut().find(|pack| pack.attribute("IsDefault") == Some("true"))?;
    let taken = Node { children: std::mem::take(&mut found.children), ..found.clone() };
    Some(taken)
}

struct Writer {
    /// The alias of the health library, with its `!`.
    health: String,
    /// The default language with the texts that no element has taken yet.
    language: Option<Node>,
    /// It has some.
    has_texts: bool,
    /// String resources that no alert has taken yet.
    resources: Node,
}

impl Writer {
    fn pack(&mut self, pack: &ManagementPack, mut root: Node) -> Entries {
        let mut out: Entries = Vec::new();
        let mut say = |key: &str, text: &str| out.push((key.to_owned(), Yaml::text(text)));
        if !(pack.fragment && pack.id.is_empty()) {
            say("pack", &pack.id);
            say("version", &pack.version.to_string());
        }
        if pack.fragment {
            say("fragment", "true");
        }
        if !pack.public_key_token.is_empty() {
            say("key", &pack.public_key_token);
        }
        if pack.schema_version != "2.0" {
            say("schema", &pack.schema_version);
        }
        let language = self.language.as_ref().and_then(|pack| pack.attribute("ID")).unwrap_or("ENU").to_owned();
        if language != "ENU" {
            say("language", &language);
        }
        let mut manifest = take(&mut root, &["Manifest"]).unwrap_or_default();
        let known = ["Identity", "PublicKeyToken", "References", "Name"];
        manifest.children.retain(|child| !known.contains(&child.name.as_str()));
        let named = self.text_of(&pack.id).is_some_and(|text| text.value("Name") == Some(&pack.name));
        if named {
            out.extend(self.take_texts(&pack.id));
        } else if pack.name != pack.id {
            manifest.children.push(Node::text("Name", &pack.name));
        }
        if !pack.references.is_empty() {
            let uses = pack.references.iter().map(|each| {
                let token = each.public_key_token.as_deref().unwrap_or_default();
                let built_in = library::libraries().iter().find(|known| known.id == each.id);
                let same =
                    built_in.is_some_and(|known| known.version == each.version && known.public_key_token == token);
                let text = if same { each.id.clone() } else { format!("{} {} {token}", each.id, each.version) };
                (each.alias.clone(), Yaml::text(text.trim_end()))
            });
            out.push(("uses".to_owned(), Yaml::map(uses.collect())));
        }
        for kind in KINDS {
            let nodes = if kind.key == "strings" {
                Some(std::mem::take(&mut self.resources))
            } else {
                take(&mut root, kind.path)
            };
            let nodes = nodes.unwrap_or_default().children;
            if !nodes.is_empty() {
                let section = self.section(kind, nodes);
                out.push((kind.key.to_owned(), section));
            }
        }
        if !manifest.children.is_empty() {
            root.children.insert(0, manifest);
        }
        self.put_language_back(&mut root);
        root.attributes.retain(|(name, _)| name != "SchemaVersion");
        prune(&mut root);
        if !(root.attributes.is_empty() && root.children.is_empty()) {
            out.push(("elements".to_owned(), generic(&root)));
        }
        out
    }

    /// What no element took stays where it was.
    fn put_language_back(&mut self, root: &mut Node) {
        let Some(mut language) = self.language.take() else { return };
        prune(&mut language);
        let packs = section(root, &["LanguagePacks"]);
        let usual = language.attributes.iter().all(|(name, _)| name == "ID" || name == "IsDefault");
        let folded = language.children.is_empty() && self.has_texts;
        if folded && packs.children.len() == 1 && usual {
            packs.children.clear();
        } else if let Some(place) = packs.children.iter_mut().find(|pack| pack.attribute("IsDefault") == Some("true")) {
            *place = language;
        }
    }

    fn section(&mut self, kind: &'static Kind, nodes: Vec<Node>) -> Yaml {
        let mut items: Vec<(Option<String>, Yaml)> = Vec::new();
        for node in nodes {
            let id = node.attribute("ID").unwrap_or_default().to_owned();
            match self.element(kind, &id, &node) {
                Some(body) => items.push((Some(id), Yaml::map(body))),
                None => items.push((None, Yaml::map(vec![(node.name.clone(), generic(&node))]))),
            }
        }
        let mut seen = std::collections::BTreeSet::new();
        let by_id =
            items.iter().all(|(id, _)| id.as_ref().is_some_and(|id| !id.is_empty() && id != "<<" && seen.insert(id)));
        if by_id {
            return Yaml::map(items.into_iter().map(|(id, body)| (id.unwrap_or_default(), body)).collect());
        }
        Yaml::list(
            items
                .into_iter()
                .map(|(id, body)| match (id, body.content) {
                    (Some(id), Content::Map(mut entries)) => {
                        entries.insert(0, ("id".to_owned(), Yaml::text(id)));
                        Yaml::map(entries)
                    }
                    (_, content) => Yaml { content, at: body.at },
                })
                .collect(),
        )
    }

    /// The short form of an element, where it says all.
    fn element(&mut self, kind: &'static Kind, id: &str, node: &Node) -> Option<Entries> {
        let (body, message) = self.body(kind, id, node)?;
        let mut problems = Problems::of("");
        let mut reader = Reader::new(&mut problems, self.health.clone());
        let again = reader.element(kind, id, &Yaml::map(body.clone()));
        if alone(kind, again) != alone(kind, node.clone()) {
            return None;
        }
        if let Some(message) = message {
            self.take_texts(&message);
            self.resources.children.retain(|each| each.attribute("ID") != Some(&message));
        }
        let mut all = self.take_texts(id);
        let article = all.iter().position(|(key, _)| key == "knowledge").map(|at| all.remove(at));
        all.extend(body);
        all.extend(article);
        Some(all)
    }

    fn body(&self, kind: &Kind, id: &str, node: &Node) -> Option<(Entries, Option<String>)> {
        let mut rest = node.clone();
        rest.attributes.retain(|(name, _)| name != "ID");
        let mut body: Entries = Vec::new();
        let mut message = None;
        if kind.key == "modules" {
            let words = ["source", "probe", "condition", "action"];
            let at = kind.elements.iter().position(|name| *name == node.name)?;
            body.push(("kind".to_owned(), Yaml::text(*words.get(at)?)));
        }
        for field in kind.fields {
            body.extend(take_field(field, &mut rest).map(|value| (field.key.to_owned(), value)));
        }
        for special in kind.special {
            let value = match (kind.key, *special) {
                (_, "properties") => properties(&mut rest),
                ("relationships", "source") => end(&mut rest, "Source"),
                ("relationships", "target") => end(&mut rest, "Target"),
                ("discoveries", "finds") => found(&mut rest, "DiscoveryClass"),
                ("discoveries", "relates") => found(&mut rest, "DiscoveryRelationship"),
                ("monitors", "parent") => take_attribute(&mut rest, "ParentMonitorID").map(|text| {
                    let plain = text.strip_prefix(&self.health).unwrap_or(&text);
                    let word = short(PARENTS, plain);
                    Yaml::text(if word == plain { &text } else { word })
                }),
                ("monitors", "states") => states(&mut rest),
                ("monitors", "parameters") => take(&mut rest, &["Configuration"]).map(|node| generic(&node)),
                ("monitors", "alert") => {
                    take(&mut rest, &["AlertSettings"]).map(|alert| self.alert(id, alert, &mut message))
                }
                _ => None,
            };
            body.extend(value.map(|value| ((*special).to_owned(), value)));
        }
        body.extend(leftovers(&rest));
        Some((body, message))
    }

    fn alert(&self, id: &str, mut alert: Node, message: &mut Option<String>) -> Yaml {
        let mut body: Entries = Vec::new();
        if let Some(named) = take_attribute(&mut alert, "AlertMessage") {
            let own = format!("{id}.AlertMessage");
            let plain = Node::new("StringResource").with_attribute("ID", &own);
            let is_plain = self.resources.children.contains(&plain);
            match self.text_of(&own).filter(|_| named == own && is_plain) {
                Some(text) => {
                    body.extend(texts(text));
                    *message = Some(own);
                }
                None => body.push(("message".to_owned(), Yaml::text(named))),
            }
        }
        for field in ALERT {
            body.extend(take_field(field, &mut alert).map(|value| (field.key.to_owned(), value)));
        }
        if let Some(parameters) = take(&mut alert, &["AlertParameters"]) {
            let list = parameters.children.iter().map(|each| Yaml::text(&each.text)).collect();
            body.push(("parameters".to_owned(), Yaml::list(list)));
        }
        body.extend(leftovers(&alert));
        Yaml::map(body)
    }

    /// The name and description of an element, where they have the usual form.
    fn text_of(&self, id: &str) -> Option<&Node> {
        let strings = self.language.as_ref()?.child("DisplayStrings")?;
        strings.children.iter().find(|text| is_usual(text, id))
    }

    fn take_texts(&mut self, id: &str) -> Entries {
        let Some(language) = &mut self.language else { return Vec::new() };
        let mut out = Vec::new();
        let mut list = |name: &str| language.children.iter_mut().position(|child| child.name == name);
        if let Some(strings) = list("DisplayStrings").and_then(|at| language.children.get_mut(at))
            && let Some(at) = strings.children.iter().position(|text| is_usual(text, id))
        {
            out.extend(texts(&strings.children.remove(at)));
        }
        let articles = language.children.iter_mut().find(|child| child.name == "KnowledgeArticles");
        if let Some(articles) = articles {
            let found = articles.children.iter().enumerate().find_map(|(at, node)| Some((at, markdown(node, id)?)));
            if let Some((at, text)) = found {
                articles.children.remove(at);
                out.push(("knowledge".to_owned(), Yaml::text(text)));
            }
        }
        out
    }
}

fn is_usual(text: &Node, id: &str) -> bool {
    let usual = |child: &Node| matches!(child.name.as_str(), "Name" | "Description") && child.children.is_empty();
    text.attributes.len() == 1
        && text.attribute("ElementID") == Some(id)
        && text.value("Name").is_some()
        && text.children.iter().all(usual)
        && text.child("Description").is_none_or(|about| about.text.trim_end() == about.text)
}

fn texts(text: &Node) -> Entries {
    let one = |key: &str, name: &str| Some((key.to_owned(), Yaml::text(&text.child(name)?.text)));
    one("name", "Name").into_iter().chain(one("description", "Description")).collect()
}

fn markdown(node: &Node, id: &str) -> Option<String> {
    let [content] = node.children.as_slice() else { return None };
    let usual = node.attributes.len() == 2
        && node.attribute("ElementID") == Some(id)
        && node.attribute("Visible") == Some("true")
        && content.name == "HtmlContent";
    article::to_markdown(&content.text).filter(|_| usual)
}

/// A pack with nothing but one element, for comparison.
fn alone(kind: &Kind, node: Node) -> Option<ManagementPack> {
    let mut root = Node::new("ManagementPackFragment");
    section(&mut root, kind.path).children.push(node);
    xml::from_tree(root, &mut Problems::of(""))
}

/// Sections without anything go.
fn prune(node: &mut Node) {
    const SECTIONS: &[&str] = &[
        "TypeDefinitions",
        "EntityTypes",
        "Monitoring",
        "Presentation",
        "LanguagePacks",
        "DisplayStrings",
        "KnowledgeArticles",
    ];
    node.children.iter_mut().filter(|child| SECTIONS.contains(&child.name.as_str())).for_each(prune);
    node.children.retain(|child| {
        !(SECTIONS.contains(&child.name.as_str()) && child.children.is_empty() && child.attributes.is_empty())
    });
}

fn take_attribute(node: &mut Node, name: &str) -> Option<String> {
    let at = node.attributes.iter().position(|(known, _)| known == name)?;
    Some(node.attributes.remove(at).1)
}

fn take_field(field: &Field, node: &mut Node) -> Option<Yaml> {
    let text = match field.to {
        To::Attribute(name) => take_attribute(node, name)?,
        To::Child(name) => {
            let plain = |child: &Node| child.children.is_empty() && child.attributes.is_empty();
            let at = node.children.iter().position(|child| child.name == name && plain(child))?;
            node.children.remove(at).text
        }
        To::Module(element, id) => return take(node, &[element]).map(|found| module(&found, id)),
        To::Modules(name, _, id) => {
            let found = take(node, &[name])?;
            let modules = found.children.iter().enumerate().map(|(index, each)| {
                let id = if index == 0 { id.to_owned() } else { format!("{id}{}", index + 1) };
                module(each, &id)
            });
            return Some(Yaml::list(modules.collect()));
        }
    };
    (field.default != Some(text.as_str())).then(|| Yaml::text(short(field.words, &text)))
}

fn module(node: &Node, usual: &str) -> Yaml {
    let mut rest = node.clone();
    let mut body: Entries = Vec::new();
    for (key, name) in [("use", "TypeID"), ("id", "ID"), ("run_as", "RunAs"), ("on", "Target")] {
        let value = take_attribute(&mut rest, name).filter(|value| key != "id" || value != usual);
        body.extend(value.map(|value| (key.to_owned(), Yaml::text(value))));
    }
    body.extend(leftovers(&rest));
    Yaml::map(body)
}

fn properties(node: &mut Node) -> Option<Yaml> {
    let (found, rest) = std::mem::take(&mut node.children).into_iter().partition(|child| child.name == "Property");
    node.children = rest;
    let found: Vec<Node> = found;
    let list = found.into_iter().map(|mut each| {
        let id = take_attribute(&mut each, "ID").unwrap_or_default();
        let mut words = take_attribute(&mut each, "Type").unwrap_or_else(|| "string".to_owned());
        for (word, name) in [("key", "Key"), ("required", "Required"), ("case-sensitive", "CaseSensitive")] {
            if each.attribute(name) == Some("true") {
                take_attribute(&mut each, name);
                words = format!("{words} {word}");
            }
        }
        let rest = leftovers(&each);
        let value = if rest.is_empty() {
            Yaml::text(words)
        } else {
            Yaml::map(std::iter::once(("type".to_owned(), Yaml::text(words))).chain(rest).collect())
        };
        (id, value)
    });
    let list: Entries = list.collect();
    (!list.is_empty()).then(|| Yaml::map(list))
}

fn end(node: &mut Node, name: &str) -> Option<Yaml> {
    let end = take(node, &[name])?;
    let usual = end.attributes.len() == 2 && end.attribute("ID") == Some(name) && end.children.is_empty();
    Some(end.attribute("Type").filter(|_| usual).map_or_else(|| generic(&end), Yaml::text))
}

fn found(node: &mut Node, name: &str) -> Option<Yaml> {
    let types = node.children.iter_mut().find(|child| child.name == "DiscoveryTypes")?;
    let plain = |each: &Node| each.attributes.len() == 1 && each.children.is_empty();
    if !types.children.iter().all(plain) {
        return None;
    }
    let of_name = types.children.iter().filter(|each| each.name == name);
    let list: Vec<Yaml> = of_name.filter_map(|each| each.attribute("TypeID")).map(Yaml::text).collect();
    types.children.retain(|each| each.name != name);
    if types.children.is_empty() {
        node.children.retain(|child| child.name != "DiscoveryTypes");
    }
    (!list.is_empty()).then(|| Yaml::list(list))
}

fn states(node: &mut Node) -> Option<Yaml> {
    let states = take(node, &["OperationalStates"])?;
    let list = states.children.iter().map(|each| {
        let get = |name: &str| each.attribute(name).unwrap_or_default();
        let health = short(HEALTH, get("HealthState"));
        let value = if get("ID") == get("MonitorTypeStateID") {
            Yaml::text(health)
        } else {
            let text = |key: &str, value: &str| (key.to_owned(), Yaml::text(value));
            Yaml::map(vec![text("id", get("ID")), text("health", health)])
        };
        (get("MonitorTypeStateID").to_owned(), value)
    });
    Some(Yaml::map(list.collect()))
}

/// What stands for itself among the keys of an element.
fn leftovers(node: &Node) -> Entries {
    let mut out: Entries =
        node.attributes.iter().map(|(name, value)| (format!(".{name}"), Yaml::text(value))).collect();
    let capital = node.children.iter().all(|child| child.name.starts_with(|first: char| first.is_ascii_uppercase()));
    out.extend(children(node, capital));
    out
}

/// Children by name where each name stands together, else in order.
fn children(node: &Node, allowed: bool) -> Entries {
    let mut groups: Vec<(String, Vec<Yaml>)> = Vec::new();
    for child in &node.children {
        match groups.last_mut() {
            Some((name, list)) if *name == child.name => list.push(generic(child)),
            _ => groups.push((child.name.clone(), vec![generic(child)])),
        }
    }
    let mut seen = std::collections::BTreeSet::new();
    let special = |name: &str| name.is_empty() || name.starts_with('.') || matches!(name, "=" | "+" | "<<");
    if allowed && groups.iter().all(|(name, _)| !special(name) && seen.insert(name.clone())) {
        let one = |mut list: Vec<Yaml>| if list.len() == 1 { list.remove(0) } else { Yaml::list(list) };
        return groups.into_iter().map(|(name, list)| (name, one(list))).collect();
    }
    let list = node.children.iter().map(|child| Yaml::map(vec![(child.name.clone(), generic(child))]));
    vec![("+".to_owned(), Yaml::list(list.collect()))]
}

/// An element as it is.
fn generic(node: &Node) -> Yaml {
    if node.name == "Expression"
        && node.attributes.is_empty()
        && let Some(line) = expression::write(node)
    {
        return Yaml::text(line);
    }
    if node.attributes.is_empty() && node.children.is_empty() && (node.name != "Expression" || node.text.is_empty()) {
        return Yaml::text(&node.text);
    }
    let mut out: Entries =
        node.attributes.iter().map(|(name, value)| (format!(".{name}"), Yaml::text(value))).collect();
    if !node.text.is_empty() {
        out.push(("=".to_owned(), Yaml::text(&node.text)));
    }
    out.extend(children(node, true));
    Yaml::map(out)
}
