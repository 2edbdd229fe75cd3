//! From a pack to a tree, and from a tree to text. Reading what is written gives the same pack.

use crate::node::Node;
use crate::workflow::HealthState;

use super::super::common::{Accessibility, Enabled, Extra, Ref};
use super::super::modules::{
    CompositionNode, Detection, Implementation, ModuleUse, OverrideableParameter, Schema, UnitMonitorType,
};
use super::super::monitoring::{AlertSettings, Diagnostic, Monitor, MonitorKind};
use super::super::overrides::{Change, Override};
use super::super::presentation::{KnowledgeFormat, LanguagePack};
use super::super::{ClassType, Kept, ManagementPack, ModuleType, Property, RelationshipEnd, RelationshipType};

/// The pack as the text of a file.
#[must_use]
pub fn write(pack: &ManagementPack) -> String {
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"utf-8\"?>\n");
    let mut root = to_tree(pack);
    root.attributes.push(("xmlns:xsd".to_owned(), "http://www.w3.org/2001/XMLSchema".to_owned()));
    write_node(&root, 0, &mut text);
    text
}

fn write_node(node: &Node, depth: usize, text: &mut String) {
    let indent = |depth: usize, text: &mut String| text.extend(std::iter::repeat_n("  ", depth));
    indent(depth, text);
    text.push('<');
    text.push_str(&node.name);
    for (name, value) in &node.attributes {
        text.push(' ');
        text.push_str(name);
        text.push_str("=\"");
        escape(value, true, text);
        text.push('"');
    }
    if node.children.is_empty() && node.text.is_empty() {
        text.push_str(" />\n");
        return;
    }
    text.push('>');
    if node.children.is_empty() {
        if node.name == "MamlContent" && node.text.contains('<') && super::is_well_formed(&node.text) {
            text.push_str(&node.text);
        } else {
            escape(&node.text, false, text);
        }
    } else {
        text.push('\n');
        for child in &node.children {
            write_node(child, depth + 1, text);
        }
        indent(depth, text);
    }
    text.push_str("</");
    text.push_str(&node.name);
    text.push_str(">\n");
}

/// Characters that XML has no way to write become U+FFFD.
fn escape(value: &str, attribute: bool, text: &mut String) {
    for each in value.chars() {
        match each {
            '&' => text.push_str("&amp;"),
            '<' => text.push_str("&lt;"),
            '>' => text.push_str("&gt;"),
            '"' if attribute => text.push_str("&quot;"),
            '\n' if attribute => text.push_str("&#10;"),
            '\t' if attribute => text.push_str("&#9;"),
            '\r' => text.push_str("&#13;"),
            '\n' | '\t' => text.push(each),
            '\u{0}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => text.push('\u{fffd}'),
            _ => text.push(each),
        }
    }
}

/// Puts an element together.
struct Build(Node);

impl Build {
    fn new(name: &str) -> Self {
        Self(Node::new(name))
    }

    fn set(mut self, name: &str, value: impl Into<String>) -> Self {
        self.0.attributes.push((name.to_owned(), value.into()));
        self
    }

    fn set_if<T: ToString>(self, name: &str, value: Option<T>) -> Self {
        match value {
            Some(value) => self.set(name, value.to_string()),
            None => self,
        }
    }

    fn flag(self, name: &str, value: bool) -> Self {
        if value { self.set(name, "true") } else { self }
    }

    fn access(self, accessibility: Accessibility) -> Self {
        let word = if accessibility == Accessibility::Public { "Public" } else { "Internal" };
        self.set("Accessibility", word)
    }

    fn enabled(self, enabled: Enabled) -> Self {
        self.set("Enabled", enabled.as_str())
    }

    fn text(mut self, name: &str, text: &str) -> Self {
        if !text.is_empty() {
            self.0.children.push(Node::text(name, text));
        }
        self
    }

    fn push(mut self, child: Node) -> Self {
        self.0.children.push(child);
        self
    }

    fn push_all(mut self, children: impl IntoIterator<Item = Node>) -> Self {
        self.0.children.extend(children);
        self
    }

    /// A section; nothing where it would be empty.
    fn section(self, name: &str, children: impl IntoIterator<Item = Node>) -> Self {
        let section = Self::new(name).push_all(children).0;
        if section.children.is_empty() { self } else { self.push(section) }
    }

    fn done(mut self, extra: &Extra) -> Node {
        self.0.attributes.extend(extra.attributes.iter().cloned());
        self.0.children.extend(extra.children.iter().cloned());
        self.0
    }
}

/// The pack as the tree that [`super::from_tree`] reads.
#[must_use]
pub fn to_tree(pack: &ManagementPack) -> Node {
    let name = if pack.fragment { "ManagementPackFragment" } else { "ManagementPack" };
    let mut root = Build::new(name).set("SchemaVersion", &pack.schema_version);
    root.0.attributes.extend(pack.extra.attributes.iter().cloned());
    root = root.push(manifest(pack));
    let kept = |path: &str| {
        let path = path.to_owned();
        pack.kept.iter().filter(move |(known, _)| *known == path).map(|(_, node)| node.clone())
    };
    let nodes = |list: &[Kept]| list.iter().map(|each| each.node.clone()).collect::<Vec<_>>();
    let entities = Build::new("EntityTypes")
        .section("ClassTypes", pack.classes.iter().map(class))
        .section("RelationshipTypes", pack.relationships.iter().map(relationship))
        .push_all(kept("TypeDefinitions/EntityTypes"))
        .0;
    let definitions = Build::new("TypeDefinitions")
        .push_all((!entities.children.is_empty()).then_some(entities))
        .section("DataTypes", nodes(&pack.data_types))
        .section("SchemaTypes", nodes(&pack.schema_types))
        .section("SecureReferences", nodes(&pack.secure_references))
        .section("ModuleTypes", pack.modules.iter().map(module_type))
        .section("MonitorTypes", pack.monitor_types.iter().map(monitor_type))
        .push_all(kept("TypeDefinitions"))
        .0;
    let monitoring = monitoring(pack).push_all(kept("Monitoring")).0;
    let presentation_types = Build::new("PresentationTypes")
        .section("ViewTypes", nodes(&pack.view_types))
        .push_all(kept("PresentationTypes"))
        .0;
    let presentation = presentation(pack).push_all(kept("Presentation")).0;
    let top = |name: &'static str| pack.kept.iter().filter(move |(path, node)| path.is_empty() && node.name == name);
    let known = ["Templates", "Reporting"];
    let others = pack.kept.iter().filter(|(path, node)| path.is_empty() && !known.contains(&node.name.as_str()));
    root.push_all((!definitions.children.is_empty()).then_some(definitions))
        .section("Categories", nodes(&pack.categories))
        .push_all((!monitoring.children.is_empty()).then_some(monitoring))
        .push_all(top("Templates").map(|(_, node)| node.clone()))
        .push_all((!presentation_types.children.is_empty()).then_some(presentation_types))
        .push_all((!presentation.children.is_empty()).then_some(presentation))
        .push_all(top("Reporting").map(|(_, node)| node.clone()))
        .section("LanguagePacks", pack.languages.iter().map(language))
        .push_all(others.map(|(_, node)| node.clone()))
        .0
}

fn manifest(pack: &ManagementPack) -> Node {
    let identity = Build::new("Identity").text("ID", &pack.id).text("Version", &pack.version.to_string()).0;
    let references = pack.references.iter().map(|each| {
        Build::new("Reference")
            .set("Alias", &each.alias)
            .text("ID", &each.id)
            .text("Version", &each.version.to_string())
            .text("PublicKeyToken", each.public_key_token.as_deref().unwrap_or_default())
            .0
    });
    Build::new("Manifest")
        .push(identity)
        .text("Name", &pack.name)
        .text("PublicKeyToken", &pack.public_key_token)
        .section("References", references)
        .push_all(pack.extra.children.iter().cloned())
        .0
}

fn class(class: &ClassType) -> Node {
    Build::new("ClassType")
        .set("ID", &class.id)
        .access(class.accessibility)
        .set("Abstract", class.is_abstract.to_string())
        .set_if("Base", class.base.as_ref())
        .set("Hosted", class.hosted.to_string())
        .set("Singleton", class.singleton.to_string())
        .flag("Extension", class.extension)
        .push_all(class.properties.iter().map(property))
        .done(&class.extra)
}

fn property(property: &Property) -> Node {
    Build::new("Property")
        .set("ID", &property.id)
        .set("Type", property.kind.as_str())
        .flag("Key", property.key)
        .flag("CaseSensitive", property.case_sensitive)
        .set_if("MinLength", property.min_length)
        .set_if("MaxLength", property.max_length)
        .flag("Required", property.required)
        .done(&property.extra)
}

fn relationship(each: &RelationshipType) -> Node {
    let end = |name: &str, end: &RelationshipEnd| {
        Build::new(name)
            .set_if("ID", end.id.as_ref())
            .set_if("MinCardinality", end.min_cardinality)
            .set_if("MaxCardinality", end.max_cardinality)
            .set("Type", &end.class.0)
            .done(&end.extra)
    };
    Build::new("RelationshipType")
        .set("ID", &each.id)
        .access(each.accessibility)
        .set("Abstract", each.is_abstract.to_string())
        .set_if("Base", each.base.as_ref())
        .push(end("Source", &each.source))
        .push(end("Target", &each.target))
        .push_all(each.properties.iter().map(property))
        .done(&each.extra)
}

/// The names of schema declarations carry their prefix.
fn prefixed(node: &Node) -> Node {
    Node { name: format!("xsd:{}", node.name), children: node.children.iter().map(prefixed).collect(), ..node.clone() }
}

fn schema(schema: &Schema) -> Node {
    let types = schema.includes.iter().map(|name| Node::text("SchemaType", &name.0));
    Build::new("Configuration")
        .section("IncludeSchemaTypes", types)
        .push_all(schema.parameters.iter().map(|each| prefixed(&each.declaration)))
        .push_all(schema.other.iter().map(prefixed))
        .0
}

fn overrideable(list: &[OverrideableParameter]) -> impl Iterator<Item = Node> + '_ {
    list.iter().map(|each| {
        Node::new("OverrideableParameter")
            .with_attribute("ID", &each.id)
            .with_attribute("Selector", &each.selector)
            .with_attribute("ParameterType", &each.kind)
    })
}

fn module_type(each: &ModuleType) -> Node {
    let mut built = Build::new(each.kind.type_element())
        .set("ID", &each.id)
        .access(each.accessibility)
        .set_if("RunAs", each.run_as.as_ref())
        .push(schema(&each.configuration))
        .section("OverrideableParameters", overrideable(&each.overrideable));
    match &each.implementation {
        Implementation::Missing => {}
        Implementation::Native(native) => {
            let inner = Build::new("ModuleImplementation").push(native.declaration.clone());
            built = built.push(inner.done(&native.extra));
        }
        Implementation::Composite { members, composition, extra } => {
            let composite = Build::new("Composite")
                .section("MemberModules", members.iter().map(module_use))
                .section("Composition", composition.iter().map(composition_node))
                .0;
            built = built.push(Build::new("ModuleImplementation").push(composite).done(extra));
        }
    }
    let output = each.output.as_ref().map_or("", |name| name.0.as_str());
    built = built.text("OutputType", output);
    if each.trigger_only {
        built = built.text("TriggerOnly", "true");
    }
    match each.inputs.as_slice() {
        [] => {}
        [one] => built = built.text("InputType", &one.0),
        many => {
            built = built.section("InputTypes", many.iter().map(|input| Node::text("InputType", &input.0)));
        }
    }
    built.done(&each.extra)
}

fn module_use(module: &ModuleUse) -> Node {
    Build::new(module.kind.element())
        .set("ID", &module.id)
        .set("TypeID", &module.type_id.0)
        .set_if("RunAs", module.run_as.as_ref())
        .set_if("Target", module.target.as_ref())
        .push_all(module.configuration.children.iter().cloned())
        .done(&module.extra)
}

fn composition_node(node: &CompositionNode) -> Node {
    Build::new("Node").set("ID", &node.id).push_all(node.inputs.iter().map(composition_node)).0
}

fn monitor_type(each: &UnitMonitorType) -> Node {
    let states = each.states.iter().map(|state| {
        Node::new("MonitorTypeState")
            .with_attribute("ID", &state.id)
            .with_attribute("NoDetection", state.no_detection.to_string())
    });
    let detection = |name: &'static str| {
        move |each: &Detection| {
            Build::new(name).set("MonitorTypeStateID", &each.state).push(composition_node(&each.node)).0
        }
    };
    let implementation = Build::new("MonitorImplementation")
        .section("MemberModules", each.members.iter().map(module_use))
        .section("RegularDetections", each.regular.iter().map(detection("RegularDetection")))
        .section("OnDemandDetections", each.on_demand.iter().map(detection("OnDemandDetection")))
        .0;
    Build::new("UnitMonitorType")
        .set("ID", &each.id)
        .access(each.accessibility)
        .set_if("RunAs", each.run_as.as_ref())
        .section("MonitorTypeStates", states)
        .push(schema(&each.configuration))
        .section("OverrideableParameters", overrideable(&each.overrideable))
        .push(implementation)
        .done(&each.extra)
}

fn monitoring(pack: &ManagementPack) -> Build {
    let discoveries = pack.discoveries.iter().map(|each| {
        let find = |name: &'static str| {
            move |found: &super::super::DiscoveryType| {
                Build::new(name).set("TypeID", &found.type_id.0).done(&found.extra)
            }
        };
        let types = each
            .classes
            .iter()
            .map(find("DiscoveryClass"))
            .chain(each.relationships.iter().map(find("DiscoveryRelationship")));
        Build::new("Discovery")
            .set("ID", &each.id)
            .enabled(each.enabled)
            .set("Target", &each.target.0)
            .text("Category", &each.category)
            .section("DiscoveryTypes", types)
            .push_all(each.data_source.iter().map(module_use))
            .done(&each.extra)
    });
    let rules = pack.rules.iter().map(|each| {
        Build::new("Rule")
            .set("ID", &each.id)
            .enabled(each.enabled)
            .set("Target", &each.target.0)
            .text("Category", &each.category)
            .section("DataSources", each.data_sources.iter().map(module_use))
            .push_all(each.condition.iter().map(module_use))
            .section("WriteActions", each.write_actions.iter().map(module_use))
            .done(&each.extra)
    });
    let tasks = pack.tasks.iter().map(|each| {
        Build::new("Task")
            .set("ID", &each.id)
            .access(each.accessibility)
            .enabled(each.enabled)
            .set("Target", &each.target.0)
            .set_if("Timeout", each.timeout_seconds)
            .text("Category", &each.category)
            .push_all(each.action.iter().map(module_use))
            .done(&each.extra)
    });
    let diagnostics = pack.diagnostics.iter().map(|each| diagnostic("Diagnostic", each).done(&each.extra));
    let recoveries = pack.recoveries.iter().map(|each| {
        diagnostic("Recovery", &each.base)
            .set_if("ExecuteOnDiagnostic", each.on_diagnostic.as_ref())
            .flag("ResetMonitor", each.reset_monitor)
            .done(&each.base.extra)
    });
    Build::new("Monitoring")
        .section("Discoveries", discoveries)
        .section("Rules", rules)
        .section("Tasks", tasks)
        .section("Monitors", pack.monitors.iter().map(monitor))
        .section("Diagnostics", diagnostics)
        .section("Recoveries", recoveries)
        .section("Overrides", pack.overrides.iter().map(override_of))
}

fn diagnostic(name: &str, each: &Diagnostic) -> Build {
    Build::new(name)
        .set("ID", &each.id)
        .access(each.accessibility)
        .enabled(each.enabled)
        .set("Target", &each.target.0)
        .set("Monitor", &each.monitor.0)
        .set_if("ExecuteOnState", each.on_state.map(health))
        .set_if("Timeout", each.timeout_seconds)
        .text("Category", &each.category)
        .push_all(each.condition.iter().map(module_use))
        .push_all(each.action.iter().map(module_use))
}

/// As packs write it.
fn health(state: HealthState) -> &'static str {
    match state {
        HealthState::Uninitialized => "Uninitialized",
        HealthState::Success => "Success",
        HealthState::Warning => "Warning",
        HealthState::Error => "Error",
    }
}

fn monitor(each: &Monitor) -> Node {
    let name = match &each.kind {
        MonitorKind::Unit { .. } => "UnitMonitor",
        MonitorKind::Aggregate { .. } => "AggregateMonitor",
        MonitorKind::Dependency { .. } => "DependencyMonitor",
    };
    let mut built = Build::new(name)
        .set("ID", &each.id)
        .access(each.accessibility)
        .enabled(each.enabled)
        .set("Target", &each.target.0)
        .set_if("ParentMonitorID", each.parent.as_ref())
        .text("Category", &each.category)
        .push_all(each.alert.iter().map(alert));
    match &each.kind {
        MonitorKind::Unit { type_id, run_as, states, configuration } => {
            let states = states.iter().map(|state| {
                Node::new("OperationalState")
                    .with_attribute("ID", &state.id)
                    .with_attribute("MonitorTypeStateID", &state.type_state)
                    .with_attribute("HealthState", health(state.health))
            });
            built = built
                .set("TypeID", &type_id.0)
                .set_if("RunAs", run_as.as_ref())
                .section("OperationalStates", states)
                .push(configuration.clone());
        }
        MonitorKind::Aggregate { algorithm } => built = built.text("Algorithm", algorithm.as_str()),
        MonitorKind::Dependency { relationship, member, algorithm, percentage, in_maintenance, unavailable } => {
            built = built
                .set("RelationshipType", &relationship.0)
                .set("MemberMonitor", &member.0)
                .text("Algorithm", algorithm.as_str())
                .text("AlgorithmParameter", &percentage.map(|value| value.to_string()).unwrap_or_default())
                .text("MemberInMaintenance", in_maintenance.map(health).unwrap_or_default())
                .text("MemberUnAvailable", unavailable.map(health).unwrap_or_default());
        }
    }
    built.done(&each.extra)
}

fn alert(each: &AlertSettings) -> Node {
    let parameters = each
        .parameters
        .iter()
        .enumerate()
        .map(|(index, text)| Node::text(format!("AlertParameter{}", index + 1), text));
    Build::new("AlertSettings")
        .set_if("AlertMessage", each.message.as_ref())
        .text("AlertOnState", health(each.on_state))
        .text("AutoResolve", if each.auto_resolve { "true" } else { "false" })
        .text("AlertPriority", each.priority.as_str())
        .text("AlertSeverity", each.severity.as_str())
        .section("AlertParameters", parameters)
        .done(&each.extra)
}

fn override_of(each: &Override) -> Node {
    let kind = each.kind.attribute();
    let form = match &each.change {
        Change::Property(_) => "Property",
        Change::Configuration { .. } => "Configuration",
        Change::Whole => "",
    };
    let mut built = Build::new(&format!("{kind}{form}Override"))
        .set("ID", &each.id)
        .set_if("Context", each.context.as_ref())
        .set_if("ContextInstance", each.context_instance.as_ref())
        .set("Enforced", each.enforced.to_string())
        .set(kind, &each.element.0);
    match &each.change {
        Change::Property(name) => built = built.set("Property", name),
        Change::Configuration { parameter, module } => {
            built = built.set("Parameter", parameter).set_if("Module", module.as_ref());
        }
        Change::Whole => {}
    }
    built.push(Node::text("Value", &each.value)).done(&each.extra)
}

fn presentation(pack: &ManagementPack) -> Build {
    let named = |name: Option<&Ref>| name.map(|each| each.0.clone());
    let views = pack.views.iter().map(|each| {
        Build::new("View")
            .set("ID", &each.id)
            .access(each.accessibility)
            .enabled(each.enabled)
            .set("Target", &each.target.0)
            .set("TypeID", &each.type_id.0)
            .set("Visible", each.visible.to_string())
            .text("Category", &each.category)
            .push_all(each.criteria.clone())
            .done(&each.extra)
    });
    let folders = pack.folders.iter().map(|each| {
        Build::new("Folder")
            .set("ID", &each.id)
            .access(each.accessibility)
            .set_if("ParentFolder", named(each.parent.as_ref()))
            .done(&each.extra)
    });
    let items = pack.folder_items.iter().map(|each| {
        Build::new("FolderItem")
            .set_if("ID", each.id.as_ref())
            .set("ElementID", &each.element.0)
            .set("Folder", &each.folder.0)
            .done(&each.extra)
    });
    Build::new("Presentation")
        .section("Views", views)
        .section("Folders", folders)
        .section("FolderItems", items)
        .section("StringResources", pack.string_resources.iter().map(|each| each.node.clone()))
        .section("ConsoleTasks", pack.console.iter().map(|each| each.node.clone()))
}

fn language(each: &LanguagePack) -> Node {
    let strings = each.strings.iter().map(|text| {
        Build::new("DisplayString")
            .set("ElementID", &text.element.0)
            .set_if("SubElementID", text.sub_element.as_ref())
            .push(Node::text("Name", &text.name))
            .text("Description", text.description.as_deref().unwrap_or_default())
            .0
    });
    let articles = each.knowledge.iter().map(|article| {
        let content = match article.format {
            KnowledgeFormat::Html => "HtmlContent",
            KnowledgeFormat::Maml => "MamlContent",
        };
        Build::new("KnowledgeArticle")
            .set("ElementID", &article.element.0)
            .set("Visible", article.visible.to_string())
            .push(Node::text(content, &article.content))
            .done(&article.extra)
    });
    Build::new("LanguagePack")
        .set("ID", &each.id)
        .set("IsDefault", each.is_default.to_string())
        .section("DisplayStrings", strings)
        .section("KnowledgeArticles", articles)
        .done(&each.extra)
}
