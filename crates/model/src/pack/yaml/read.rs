//! From values to the tree that the reader of packs takes apart, so that both forms report the same problems, each
//! with its place.

mod alerts;
mod types;

use crate::node::Node;

use super::super::common::At;
use super::super::library;
use super::super::problem::{Problems, did_you_mean};
use super::load::{Content, Yaml};
use super::table::{Field, HEALTH, KINDS, Kind, PARENTS, To, long};
use super::{article, expression};

const TOP: &[&str] = &[
    "pack",
    "version",
    "name",
    "description",
    "knowledge",
    "key",
    "schema",
    "language",
    "fragment",
    "uses",
    "elements",
];

/// Reads a whole file.
pub(super) struct Reader<'a> {
    problems: &'a mut Problems,
    /// The alias of the library that has the usual parents of monitors.
    health: String,
    /// The alias of the library that has the write actions that collect.
    collect: String,
    /// The alias of the library that has the performance modules.
    performance: String,
    /// Names, descriptions and articles of the default language.
    strings: Vec<Node>,
    articles: Vec<Node>,
    resources: Vec<Node>,
    folder_items: Vec<Node>,
    /// The element that is being read, for messages.
    element: String,
}

/// The tree of a file.
pub fn tree(root: &Yaml, problems: &mut Problems) -> Option<Node> {
    let Content::Map(entries) = &root.content else {
        problems.error(root.at, "", "the file holds no pack; it starts with 'pack: <ID>'");
        return None;
    };
    let alias = |id: &str| -> Option<String> {
        let Content::Map(uses) = &entries.iter().find(|(key, _)| key == "uses")?.1.content else { return None };
        uses.iter().find(|(_, value)| first_word(value) == id).map(|(alias, _)| format!("{alias}!"))
    };
    let prefix = |id: &str| alias(id).unwrap_or_default();
    let mut reader = Reader::new(problems, prefix("System.Health.Library"));
    reader.collect = prefix("Microsoft.SystemCenter.Library");
    reader.performance = prefix("System.Performance.Library");
    Some(reader.pack(root.at, entries))
}

fn first_word(value: &Yaml) -> &str {
    match &value.content {
        Content::Text(text) => text.split_whitespace().next().unwrap_or_default(),
        _ => "",
    }
}

/// The section at a path, made where it is missing.
pub(super) fn section<'n>(root: &'n mut Node, path: &[&str]) -> &'n mut Node {
    let Some((first, rest)) = path.split_first() else { return root };
    let at = root.children.iter().position(|child| child.name == *first).unwrap_or_else(|| {
        root.children.push(Node::new(*first));
        root.children.len() - 1
    });
    section(&mut root.children[at], rest)
}

impl<'a> Reader<'a> {
    /// Nothing read yet; `health` is the alias of the health library with its `!`.
    pub(super) fn new(problems: &'a mut Problems, health: String) -> Self {
        Self {
            problems,
            health,
            collect: String::new(),
            performance: String::new(),
            strings: Vec::new(),
            articles: Vec::new(),
            resources: Vec::new(),
            folder_items: Vec::new(),
            element: String::new(),
        }
    }

    fn error(&mut self, at: At, message: impl Into<String>) {
        let element = self.element.clone();
        self.problems.error(at, &element, message);
    }

    fn text(&mut self, value: &Yaml, what: &str) -> String {
        match &value.content {
            Content::Text(text) => text.clone(),
            _ => {
                self.error(value.at, format!("'{what}' takes a text"));
                String::new()
            }
        }
    }

    fn map<'y>(&mut self, value: &'y Yaml, what: &str) -> &'y [(String, Yaml)] {
        match &value.content {
            Content::Map(entries) => entries,
            Content::Text(text) if text.is_empty() => &[],
            _ => {
                self.error(value.at, format!("'{what}' takes keys with values"));
                &[]
            }
        }
    }

    fn list<'y>(&mut self, value: &'y Yaml) -> Vec<&'y Yaml> {
        match &value.content {
            Content::List(items) => items.iter().collect(),
            Content::Text(text) if text.is_empty() => Vec::new(),
            _ => vec![value],
        }
    }

    fn pack(&mut self, at: At, entries: &[(String, Yaml)]) -> Node {
        let fragment = entries.iter().any(|(key, value)| key == "fragment" && value.as_text() == Some("true"));
        let root = if fragment { "ManagementPackFragment" } else { "ManagementPack" };
        let mut root = Node { place: at.0, ..Node::new(root) };
        let mut identity = Node::new("Identity");
        let mut manifest = Node::new("Manifest");
        let get = |name: &str| entries.iter().find(|(key, _)| key == name).map(|(_, value)| value);
        if let Some(elements) = get("elements") {
            let filled = self.generic_one("ManagementPack", elements);
            root.attributes = filled.attributes;
            for child in filled.children {
                if child.name == "Manifest" {
                    manifest.children.extend(child.children)
                } else {
                    root.children.push(child)
                }
            }
        }
        let id = get("pack").map(|value| self.text(value, "pack")).unwrap_or_default();
        let version = get("version").map_or_else(|| "1.0.0.0".to_owned(), |value| self.text(value, "version"));
        if let Some((_, value)) = entries.iter().find(|(key, _)| key == "pack") {
            identity.place = value.at.0;
        }
        identity.children = vec![Node::text("ID", &id), Node::text("Version", version)];
        let mut name = Node::text("Name", &id);
        let own_name = manifest.children.iter().any(|child| child.name == "Name");
        if let Some(value) = get("name") {
            let text = self.text(value, "name");
            name.text.clone_from(&text);
            let about = get("description").map(|value| self.text(value, "description"));
            self.display(&id, None, &text, about);
        }
        if let Some(value) = get("knowledge") {
            self.article(&id, value);
        }
        let mut parts = if fragment && id.is_empty() { Vec::new() } else { vec![identity] };
        if !own_name {
            parts.push(name);
        }
        if let Some(value) = get("key") {
            parts.push(Node::text("PublicKeyToken", self.text(value, "key")));
        }
        if let Some(value) = get("uses") {
            parts.push(self.references(value));
        }
        parts.append(&mut manifest.children);
        manifest.children = parts;
        root.children.insert(0, manifest);
        let schema = get("schema").map_or_else(|| "2.0".to_owned(), |value| self.text(value, "schema"));
        root.attributes.insert(0, ("SchemaVersion".to_owned(), schema));
        for (key, value) in entries {
            if let Some(kind) = KINDS.iter().find(|kind| kind.key == key) {
                let nodes = self.kind(kind, value);
                section(&mut root, kind.path).children.extend(nodes);
            } else if !TOP.contains(&key.as_str()) {
                let hint = did_you_mean(key, KINDS.iter().map(|kind| kind.key).chain(TOP.iter().copied()));
                self.error(value.at, format!("a pack has no '{key}'{hint}"));
            }
        }
        let resources = std::mem::take(&mut self.resources);
        if !resources.is_empty() {
            section(&mut root, &["Presentation", "StringResources"]).children.extend(resources);
        }
        let items = std::mem::take(&mut self.folder_items);
        if !items.is_empty() {
            section(&mut root, &["Presentation", "FolderItems"]).children.extend(items);
        }
        let language = get("language").map_or_else(|| "ENU".to_owned(), |value| self.text(value, "language"));
        self.language(&mut root, &language);
        root
    }

    fn language(&mut self, root: &mut Node, id: &str) {
        let (strings, articles) = (std::mem::take(&mut self.strings), std::mem::take(&mut self.articles));
        if strings.is_empty() && articles.is_empty() {
            return;
        }
        let packs = section(root, &["LanguagePacks"]);
        let at = packs.children.iter().position(|pack| pack.attribute("ID") == Some(id)).unwrap_or_else(|| {
            let pack = Node::new("LanguagePack").with_attribute("ID", id).with_attribute("IsDefault", "true");
            packs.children.push(pack);
            packs.children.len() - 1
        });
        let pack = &mut packs.children[at];
        if !strings.is_empty() {
            section(pack, &["DisplayStrings"]).children.extend(strings);
        }
        if !articles.is_empty() {
            section(pack, &["KnowledgeArticles"]).children.extend(articles);
        }
    }

    fn references(&mut self, value: &Yaml) -> Node {
        let mut references = Node::new("References");
        for (alias, value) in self.map(value, "uses").to_vec() {
            let text = self.text(&value, &alias);
            let words: Vec<&str> = text.split_whitespace().collect();
            let id = words.first().copied().unwrap_or_default();
            // looked up only where the file does not say it: libraries are read with this too
            let known = (words.len() == 1).then(|| library::libraries().iter().find(|pack| pack.id == id)).flatten();
            let version = words.get(1).map_or_else(
                || known.map_or_else(|| "1.0.0.0".to_owned(), |pack| pack.version.to_string()),
                |version| (*version).to_owned(),
            );
            let token = match words.get(2) {
                Some(token) => (*token).to_owned(),
                None if words.len() == 1 => known.map(|pack| pack.public_key_token.clone()).unwrap_or_default(),
                None => String::new(),
            };
            let mut node = Node { place: value.at.0, ..Node::new("Reference").with_attribute("Alias", &alias) };
            node.children = vec![Node::text("ID", id), Node::text("Version", version)];
            if !token.is_empty() {
                node.children.push(Node::text("PublicKeyToken", token));
            }
            references.children.push(node);
        }
        references
    }

    fn display(&mut self, element: &str, sub: Option<&str>, name: &str, about: Option<String>) {
        let mut node = Node::new("DisplayString").with_attribute("ElementID", element);
        if let Some(sub) = sub {
            node = node.with_attribute("SubElementID", sub);
        }
        node.children.push(Node::text("Name", name));
        node.children.extend(about.map(|text| Node::text("Description", text.trim_end())));
        self.strings.push(node);
    }

    fn article(&mut self, element: &str, value: &Yaml) {
        let text = self.text(value, "knowledge");
        let content = Node::text("HtmlContent", article::to_html(&text));
        let node = Node { place: value.at.0, ..Node::new("KnowledgeArticle") };
        self.articles
            .push(node.with_attribute("ElementID", element).with_attribute("Visible", "true").with_child(content));
    }

    /// The elements of a kind: by their IDs, or as a list.
    fn kind(&mut self, kind: &'static Kind, value: &Yaml) -> Vec<Node> {
        match &value.content {
            Content::Map(entries) => entries.iter().map(|(id, body)| self.element(kind, id, body)).collect(),
            Content::List(items) => {
                let mut nodes = Vec::new();
                for item in items {
                    let entries = self.map(item, kind.key);
                    match entries {
                        [(name, body)] if name.starts_with(|first: char| first.is_ascii_uppercase()) => {
                            nodes.extend(self.generic(name, body));
                        }
                        _ => {
                            let id = entries.iter().find(|(key, _)| key == "id").map(|(_, id)| id);
                            let id = id.map(|id| self.text(id, "id")).unwrap_or_default();
                            nodes.push(self.element(kind, &id, item));
                        }
                    }
                }
                nodes
            }
            Content::Text(text) if text.is_empty() => Vec::new(),
            Content::Text(_) => {
                self.error(value.at, format!("'{}' takes IDs with what they are", kind.key));
                Vec::new()
            }
        }
    }

    /// What an element is called, by its keys.
    fn element_name(&mut self, kind: &Kind, at: At, body: &[(String, Yaml)]) -> String {
        let has = |name: &str| body.iter().any(|(key, _)| key == name);
        let text = |name: &str| body.iter().find(|(key, _)| key == name).and_then(|(_, value)| value.as_text());
        match kind.key {
            "monitors" if has("through") || has("member") => "DependencyMonitor".to_owned(),
            "monitors" if !has("type") => "AggregateMonitor".to_owned(),
            "modules" => match text("kind") {
                Some("source") => "DataSourceModuleType".to_owned(),
                Some("probe") => "ProbeActionModuleType".to_owned(),
                Some("condition") => "ConditionDetectionModuleType".to_owned(),
                Some("action") => "WriteActionModuleType".to_owned(),
                _ => {
                    self.error(at, "a module type needs 'kind': source, probe, condition or action");
                    "DataSourceModuleType".to_owned()
                }
            },
            "overrides" => {
                const OF: &[(&str, &str)] = &[
                    ("rule", "Rule"),
                    ("monitor", "Monitor"),
                    ("discovery", "Discovery"),
                    ("diagnostic", "Diagnostic"),
                    ("recovery", "Recovery"),
                    ("profile", "SecureReference"),
                    ("category", "Category"),
                ];
                let Some((_, of)) = OF.iter().find(|(key, _)| has(key)) else {
                    self.error(
                        at,
                        "an override names a rule, monitor, discovery, diagnostic, recovery, profile or category",
                    );
                    return "MonitorPropertyOverride".to_owned();
                };
                let form = match (has("property"), has("parameter")) {
                    (true, _) => "Property",
                    (_, true) => "Configuration",
                    _ => "",
                };
                format!("{of}{form}Override")
            }
            _ => kind.elements.first().copied().unwrap_or_default().to_owned(),
        }
    }

    /// One element of a kind.
    pub(super) fn element(&mut self, kind: &'static Kind, id: &str, value: &Yaml) -> Node {
        id.clone_into(&mut self.element);
        let body = self.map(value, id);
        let name = self.element_name(kind, value.at, body);
        let mut node = Node { place: value.at.0, ..Node::new(name) };
        node.attributes.push(("ID".to_owned(), id.to_owned()));
        let get = |name: &str| body.iter().find(|(key, _)| key == name).map(|(_, value)| value);
        if let Some(value) = get("name") {
            let text = self.text(value, "name");
            let about = get("description").map(|value| self.text(value, "description"));
            self.display(id, None, &text, about);
        } else if let Some(value) = get("description") {
            self.error(value.at, "a description needs a 'name' beside it");
        }
        if let Some(value) = get("knowledge") {
            self.article(id, value);
        }
        for field in kind.fields {
            self.field(field, get(field.key), &mut node);
        }
        for (key, value) in body {
            let done = matches!(key.as_str(), "id" | "name" | "description" | "knowledge" | "kind")
                || kind.fields.iter().any(|field| field.key == key);
            if done {
                continue;
            }
            if kind.special.contains(&key.as_str()) {
                self.special(kind, id, key, value, &mut node);
            } else if !self.other(key, value, &mut node) {
                let known = kind.fields.iter().map(|field| field.key).chain(kind.special.iter().copied());
                let hint = did_you_mean(key, known.chain(["name", "description", "knowledge"]));
                self.error(value.at, format!("'{key}' is not known here{hint}"));
            }
        }
        self.element.clear();
        node
    }

    /// What stands for itself: `.X` attributes, `=` the text, `+` children in order, `X` children. False: none of them.
    fn other(&mut self, key: &str, value: &Yaml, node: &mut Node) -> bool {
        if let Some(name) = key.strip_prefix('.').filter(|name| !name.is_empty()) {
            let text = self.text(value, key);
            node.attributes.push((name.to_owned(), text));
        } else if key == "=" {
            node.text = self.text(value, key);
        } else if key == "+" {
            for item in self.list(value) {
                for (name, value) in self.map(item, "+") {
                    let children = self.generic(name, value);
                    node.children.extend(children);
                }
            }
        } else if key.starts_with(|first: char| first.is_ascii_uppercase()) {
            let children = self.generic(key, value);
            node.children.extend(children);
        } else {
            return false;
        }
        true
    }

    /// Elements of a name as they are.
    fn generic(&mut self, name: &str, value: &Yaml) -> Vec<Node> {
        match &value.content {
            Content::List(items) => items.iter().map(|item| self.generic_one(name, item)).collect(),
            _ => vec![self.generic_one(name, value)],
        }
    }

    fn generic_one(&mut self, name: &str, value: &Yaml) -> Node {
        let mut node = Node { place: value.at.0, ..Node::new(name) };
        match &value.content {
            Content::Text(line) if name == "Expression" && !line.is_empty() => match expression::read(line) {
                Ok(read) => node.children = read.children,
                Err(message) => self.error(value.at, message),
            },
            Content::Text(text) => node.text.clone_from(text),
            Content::List(_) => self.error(value.at, format!("a list within the list of '{name}' means nothing")),
            Content::Map(entries) => {
                for (key, value) in entries {
                    if !self.other(key, value, &mut node) {
                        let children = self.generic(key, value);
                        node.children.extend(children);
                    }
                }
            }
        }
        node
    }

    fn field(&mut self, field: &Field, value: Option<&Yaml>, node: &mut Node) {
        match (field.to, value) {
            (To::Attribute(name), Some(value)) => {
                let text = self.text(value, field.key);
                node.attributes.push((name.to_owned(), long(field.words, &text).to_owned()));
            }
            (To::Attribute(name), None) => {
                node.attributes.extend(field.default.map(|text| (name.to_owned(), text.to_owned())));
            }
            (To::Child(name), Some(value)) => {
                let text = self.text(value, field.key);
                let child = Node { place: value.at.0, ..Node::text(name, long(field.words, &text)) };
                node.children.push(child);
            }
            (To::Child(name), None) => node.children.extend(field.default.map(|text| Node::text(name, text))),
            (To::Module(element, id), Some(value)) => {
                let module = self.module(element, id, value);
                node.children.push(module);
            }
            (To::Modules(name, element, id), Some(value)) => {
                let mut modules = Vec::new();
                for (index, item) in self.list(value).into_iter().enumerate() {
                    let id = if index == 0 { id.to_owned() } else { format!("{id}{}", index + 1) };
                    modules.push(self.module(element, &id, item));
                }
                section(node, &[name]).children.extend(modules);
            }
            (To::Module(..) | To::Modules(..), None) => {}
        }
    }

    fn module(&mut self, element: &str, id: &str, value: &Yaml) -> Node {
        let mut node = Node { place: value.at.0, ..Node::new(element) };
        let given: &[(String, Yaml)] = match &value.content {
            Content::Text(name) => {
                node.attributes = vec![("ID".to_owned(), id.to_owned()), ("TypeID".to_owned(), name.clone())];
                return node;
            }
            Content::Map(entries) => entries,
            Content::List(_) => {
                self.error(value.at, "a module takes 'use' with its type, and its parameters");
                &[]
            }
        };
        let get = |name: &str| given.iter().find(|(key, _)| key == name).and_then(|(_, value)| value.as_text());
        node.attributes.push(("ID".to_owned(), get("id").unwrap_or(id).to_owned()));
        node.attributes.push(("TypeID".to_owned(), get("use").unwrap_or_default().to_owned()));
        for (key, value) in given {
            match key.as_str() {
                "id" | "use" => {}
                "run_as" => node.attributes.push(("RunAs".to_owned(), self.text(value, key))),
                "on" => node.attributes.push(("Target".to_owned(), self.text(value, key))),
                _ if self.other(key, value, &mut node) => {}
                _ => {
                    let hint = did_you_mean(key, ["use", "id", "run_as", "on"]);
                    self.error(value.at, format!("a module has no '{key}'{hint}; parameters begin with a capital"));
                }
            }
        }
        node
    }

    fn special(&mut self, kind: &Kind, id: &str, key: &str, value: &Yaml, node: &mut Node) {
        match (kind.key, key) {
            (_, "properties") => {
                for (name, value) in self.map(value, key) {
                    let property = self.property(id, name, value);
                    node.children.push(property);
                }
            }
            ("relationships", "source" | "target") => {
                let name = if key == "source" { "Source" } else { "Target" };
                let end = match &value.content {
                    Content::Text(class) => Node { place: value.at.0, ..Node::new(name) }
                        .with_attribute("ID", name)
                        .with_attribute("Type", class),
                    _ => self.generic_one(name, value),
                };
                node.children.push(end);
            }
            ("discoveries", "finds" | "relates") => {
                let name = if key == "finds" { "DiscoveryClass" } else { "DiscoveryRelationship" };
                for item in self.list(value) {
                    let text = self.text(item, key);
                    let found = Node { place: item.at.0, ..Node::new(name) }.with_attribute("TypeID", text);
                    section(node, &["DiscoveryTypes"]).children.push(found);
                }
            }
            ("monitors", "parent") => {
                let text = self.text(value, key);
                let parent = match PARENTS.iter().find(|(word, _)| *word == text) {
                    Some((_, long)) => format!("{}{long}", self.health),
                    None => text,
                };
                node.attributes.push(("ParentMonitorID".to_owned(), parent));
            }
            ("monitors", "states") => {
                for (state, value) in self.map(value, key) {
                    let (own, health) = match &value.content {
                        Content::Text(health) => (state.clone(), health.clone()),
                        _ => {
                            let body = self.map(value, state);
                            let get =
                                |name: &str| body.iter().find(|(key, _)| key == name).and_then(|(_, v)| v.as_text());
                            (get("id").unwrap_or(state).to_owned(), get("health").unwrap_or_default().to_owned())
                        }
                    };
                    let built = Node { place: value.at.0, ..Node::new("OperationalState") }
                        .with_attribute("ID", own)
                        .with_attribute("MonitorTypeStateID", state)
                        .with_attribute("HealthState", long(HEALTH, &health));
                    section(node, &["OperationalStates"]).children.push(built);
                }
            }
            ("monitors", "parameters") => {
                let configuration = self.generic_one("Configuration", value);
                node.children.push(configuration);
            }
            ("monitors", "alert") => self.alert(id, value, node),
            ("rules", "alert") => self.rule_alert(id, value, node),
            ("rules", "collect") => self.rule_collect(value, node),
            ("views", "folder") => {
                let folder = self.text(value, key);
                let item = Node { place: value.at.0, ..Node::new("FolderItem") };
                self.folder_items.push(item.with_attribute("ElementID", id).with_attribute("Folder", folder));
            }
            _ => self.type_part(kind, key, value, node),
        }
    }

    fn property(&mut self, class: &str, name: &str, value: &Yaml) -> Node {
        let mut node = Node { place: value.at.0, ..Node::new("Property") }.with_attribute("ID", name);
        let body: &[(String, Yaml)] = match &value.content {
            Content::Text(_) => &[],
            _ => self.map(value, name),
        };
        let get = |name: &str| body.iter().find(|(key, _)| key == name).and_then(|(_, value)| value.as_text());
        let words = value.as_text().or_else(|| get("type")).unwrap_or_default();
        let mut kind = "string";
        let mut flags = Vec::new();
        for word in words.split_whitespace() {
            match word {
                "key" => flags.push(("Key".to_owned(), "true".to_owned())),
                "required" => flags.push(("Required".to_owned(), "true".to_owned())),
                "case-sensitive" => flags.push(("CaseSensitive".to_owned(), "true".to_owned())),
                word => kind = word,
            }
        }
        node.attributes.push(("Type".to_owned(), kind.to_owned()));
        node.attributes.extend(flags);
        if let Some(text) = get("name") {
            let text = text.to_owned();
            self.display(class, Some(name), &text, get("description").map(str::to_owned));
        }
        for (key, value) in body {
            if !matches!(key.as_str(), "type" | "name" | "description") && !self.other(key, value, &mut node) {
                self.error(value.at, format!("a property has no '{key}'; there are type, name and description"));
            }
        }
        node
    }
}
