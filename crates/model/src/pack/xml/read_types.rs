//! From a tree to a pack: classes, relationships, module types, monitor types.

use crate::node::Node;

use super::super::classes::{ClassType, Property, PropertyType, RelationshipEnd, RelationshipType};
use super::super::common::{At, Extra, Ref};
use super::super::modules::{
    CompositionNode, Detection, Implementation, ModuleKind, ModuleType, ModuleUse, MonitorTypeState, Native,
    OverrideableParameter, Parameter, Schema, UnitMonitorType,
};
use super::super::problem::Problems;
use super::super::{ManagementPack, limits};
use super::cursor::Cursor;
use super::read::{kept, list};

pub(super) fn read(section: Node, pack: &mut ManagementPack, problems: &mut Problems) {
    for part in section.children {
        match part.name.as_str() {
            "EntityTypes" => {
                for entities in part.children {
                    read_entities(entities, pack, problems);
                }
            }
            "DataTypes" => {
                for each in list(Some(part), &["DataType"], problems) {
                    pack.data_types.push(kept(each, problems));
                }
            }
            "SchemaTypes" => {
                for each in list(Some(part), &["SchemaType"], problems) {
                    pack.schema_types.push(kept(each, problems));
                }
            }
            "SecureReferences" => {
                for each in list(Some(part), &["SecureReference"], problems) {
                    pack.secure_references.push(kept(each, problems));
                }
            }
            "ModuleTypes" => {
                for each in list(Some(part), &ModuleKind::ALL.map(ModuleKind::type_element), problems) {
                    if let Some(kind) = ModuleKind::ALL.into_iter().find(|kind| kind.type_element() == each.name) {
                        pack.modules.push(module_type(kind, each, problems));
                    }
                }
            }
            "MonitorTypes" => {
                for each in list(Some(part), &["UnitMonitorType"], problems) {
                    pack.monitor_types.push(monitor_type(each, problems));
                }
            }
            other => {
                problems.warning(
                    At(part.place),
                    "",
                    format!("<{other}> does not belong into <TypeDefinitions>; it is kept and does nothing here"),
                );
                pack.kept.push(("TypeDefinitions".to_owned(), part));
            }
        }
    }
}

fn read_entities(part: Node, pack: &mut ManagementPack, problems: &mut Problems) {
    match part.name.as_str() {
        "ClassTypes" => {
            for each in list(Some(part), &["ClassType"], problems) {
                pack.classes.push(class(each, problems));
            }
        }
        "RelationshipTypes" => {
            for each in list(Some(part), &["RelationshipType"], problems) {
                pack.relationships.push(relationship(each, problems));
            }
        }
        other => {
            problems.note(At(part.place), "", format!("<{other}> within <EntityTypes> is kept and does nothing here"));
            pack.kept.push(("TypeDefinitions/EntityTypes".to_owned(), part));
        }
    }
}

fn class(node: Node, problems: &mut Problems) -> ClassType {
    let mut each = Cursor::new(node, "", problems);
    ClassType {
        id: each.id(),
        accessibility: each.accessibility(),
        is_abstract: each.flag("Abstract", false),
        base: each.reference("Base"),
        hosted: each.flag("Hosted", false),
        singleton: each.flag("Singleton", false),
        extension: each.flag("Extension", false),
        properties: properties(&mut each),
        at: each.at(),
        extra: each.finish(&[]),
    }
}

fn properties(owner: &mut Cursor<'_>) -> Vec<Property> {
    let around = owner.element();
    let mut found = Vec::new();
    for node in owner.children("Property") {
        let mut each = Cursor::new(node, &around, owner.problems());
        found.push(Property {
            id: each.id(),
            kind: each.attribute("Type").map_or(PropertyType::String, |word| PropertyType::parse(&word)),
            key: each.flag("Key", false),
            case_sensitive: each.flag("CaseSensitive", false),
            max_length: each.parsed("MaxLength"),
            min_length: each.parsed("MinLength"),
            required: each.flag("Required", false),
            at: each.at(),
            extra: each.finish(&[]),
        });
    }
    found
}

fn relationship(node: Node, problems: &mut Problems) -> RelationshipType {
    let mut each = Cursor::new(node, "", problems);
    RelationshipType {
        id: each.id(),
        accessibility: each.accessibility(),
        is_abstract: each.flag("Abstract", false),
        base: each.reference("Base"),
        source: relationship_end("Source", &mut each),
        target: relationship_end("Target", &mut each),
        properties: properties(&mut each),
        at: each.at(),
        extra: each.finish(&[]),
    }
}

/// Schema 2.0 has the class as an attribute, 1.0 as text.
fn relationship_end(name: &str, owner: &mut Cursor<'_>) -> RelationshipEnd {
    let around = owner.element();
    let Some(node) = owner.child(name) else {
        owner.error(format!("the relationship has no <{name}>"));
        return RelationshipEnd::default();
    };
    let mut end = Cursor::new(node, "", owner.problems());
    let id = end.attribute("ID");
    let text = Ref::from(end.own_text());
    let class = end.reference("Type").unwrap_or(text);
    let end = RelationshipEnd {
        id,
        min_cardinality: end.parsed("MinCardinality"),
        max_cardinality: end.parsed("MaxCardinality"),
        at: end.at(),
        extra: end.finish(&[]),
        class,
    };
    if end.class.is_empty() {
        owner.problems().error(end.at, &around, format!("<{name}> names no class; add Type=\"…\""));
    }
    end
}

fn module_type(kind: ModuleKind, node: Node, problems: &mut Problems) -> ModuleType {
    let mut each = Cursor::new(node, "", problems);
    let id = each.id();
    let implementation = match each.child("ModuleImplementation") {
        Some(node) => implementation(node, &id, each.problems()),
        None => {
            each.error("the module type has no <ModuleImplementation>");
            Implementation::Missing
        }
    };
    let mut inputs: Vec<Ref> = Vec::new();
    if let Some(input) = each.text_reference("InputType") {
        inputs.push(input);
    }
    if let Some(types) = each.child("InputTypes") {
        inputs.extend(types.children.iter().map(|input| Ref::from(input.text.as_str())));
    }
    ModuleType {
        kind,
        accessibility: each.accessibility(),
        run_as: each.reference("RunAs"),
        configuration: schema(&mut each),
        overrideable: overrideable(&mut each),
        implementation,
        output: each.text_reference("OutputType"),
        inputs,
        trigger_only: each.text("TriggerOnly").is_some_and(|text| text == "true"),
        at: each.at(),
        extra: each.finish(&[]),
        id,
    }
}

fn schema(owner: &mut Cursor<'_>) -> Schema {
    let around = owner.element();
    let Some(node) = owner.child("Configuration") else { return Schema::default() };
    let at = At(node.place);
    let mut schema = Schema { at, ..Schema::default() };
    for child in node.children {
        match child.name.as_str() {
            "IncludeSchemaTypes" => {
                schema.includes.extend(child.children.iter().map(|each| Ref::from(each.text.as_str())));
            }
            "element" => {
                let many = |name: &str| child.attribute(name).map(str::trim);
                let at = At(child.place);
                let parameter = Parameter {
                    name: child.attribute("name").unwrap_or_default().to_owned(),
                    kind: child.attribute("type").map(str::to_owned),
                    optional: many("minOccurs") == Some("0"),
                    repeated: many("maxOccurs").is_some_and(|most| most != "1" && most != "0"),
                    at,
                    declaration: child,
                };
                if parameter.name.is_empty() {
                    owner.problems().error(at, &around, "a parameter of <Configuration> has no name");
                }
                schema.parameters.push(parameter);
            }
            _ => schema.other.push(child),
        }
    }
    schema
}

fn overrideable(owner: &mut Cursor<'_>) -> Vec<OverrideableParameter> {
    let around = owner.element();
    let mut found = Vec::new();
    let section = owner.child("OverrideableParameters");
    for node in list(section, &["OverrideableParameter"], owner.problems()) {
        let at = At(node.place);
        let take = |name: &str| node.attribute(name).unwrap_or_default().to_owned();
        let each =
            OverrideableParameter { id: take("ID"), selector: take("Selector"), kind: take("ParameterType"), at };
        if each.id.is_empty() || each.selector.is_empty() {
            owner.problems().error(at, &around, "an overrideable parameter needs an ID and a Selector");
        }
        found.push(each);
    }
    found
}

fn implementation(node: Node, owner: &str, problems: &mut Problems) -> Implementation {
    let mut each = Cursor::new(node, owner, problems);
    if let Some(composite) = each.child("Composite") {
        let extra = each.rest();
        let mut inner = Cursor::new(composite, owner, problems);
        let members = members(&mut inner);
        let composition = match inner.child("Composition").and_then(|node| node.children.into_iter().next()) {
            Some(node) => Some(composition(node, owner, 0, inner.problems())),
            None => {
                inner.error("<Composite> has no <Composition> with a <Node>");
                None
            }
        };
        return Implementation::Composite { members, composition, extra };
    }
    let Some(declaration) = each.child("Native").or_else(|| each.child("Managed")) else {
        each.error("<ModuleImplementation> is neither <Composite> nor <Native> nor <Managed>");
        return Implementation::Missing;
    };
    let runs = match declaration.attribute("Runs") {
        Some("yes") => Some(true),
        Some("no") => Some(false),
        _ => None,
    };
    let why = declaration.attribute("Why").map(str::to_owned);
    Implementation::Native(Native { runs, why, declaration, extra: each.rest() })
}

fn members(owner: &mut Cursor<'_>) -> Vec<ModuleUse> {
    let around = owner.element();
    let section = owner.child("MemberModules");
    let names = ModuleKind::ALL.map(ModuleKind::element);
    let mut found = Vec::new();
    for node in list(section, &names, owner.problems()) {
        found.extend(module_use(node, &around, owner.problems()));
    }
    found
}

/// A module in a workflow or composition.
pub(super) fn module_use(node: Node, around: &str, problems: &mut Problems) -> Option<ModuleUse> {
    let kind = ModuleKind::ALL.into_iter().find(|kind| kind.element() == node.name)?;
    let place = node.place;
    let id = node.attribute("ID").unwrap_or_default().to_owned();
    let type_id = Ref::from(node.attribute("TypeID").unwrap_or_default());
    if id.is_empty() {
        problems.error(At(place), around, format!("a <{}> has no ID; add ID=\"…\"", node.name));
    }
    if type_id.is_empty() {
        problems.error(At(place), around, format!("the module {id} has no TypeID; add TypeID=\"Alias!ModuleType\""));
    }
    let known = ["ID", "TypeID", "RunAs", "Target"];
    let take = |name: &str| node.attribute(name).filter(|value| !value.is_empty()).map(str::to_owned);
    Some(ModuleUse {
        run_as: take("RunAs").map(|name| Ref::from(name.as_str())),
        target: take("Target"),
        extra: Extra {
            attributes: node.attributes.iter().filter(|(name, _)| !known.contains(&name.as_str())).cloned().collect(),
            children: Vec::new(),
        },
        configuration: Node { name: "Configuration".to_owned(), children: node.children, place, ..Node::default() },
        id,
        kind,
        type_id,
        at: At(place),
    })
}

fn composition(node: Node, owner: &str, depth: usize, problems: &mut Problems) -> CompositionNode {
    let at = At(node.place);
    let id = node.attribute("ID").unwrap_or_default().to_owned();
    if node.name != "Node" {
        problems.error(at, owner, format!("<{}> does not belong into a composition; it holds <Node>", node.name));
    } else if id.is_empty() {
        problems.error(at, owner, "a <Node> has no ID; it names a member module");
    }
    let mut inputs = Vec::new();
    if depth < limits::COMPOSITION_DEPTH {
        inputs.extend(node.children.into_iter().map(|child| composition(child, owner, depth + 1, problems)));
    } else if !node.children.is_empty() {
        problems.error(at, owner, format!("more than {} <Node>s within each other", limits::COMPOSITION_DEPTH));
    }
    CompositionNode { id, inputs, at }
}

fn monitor_type(node: Node, problems: &mut Problems) -> UnitMonitorType {
    let mut each = Cursor::new(node, "", problems);
    let id = each.id();
    let mut states = Vec::new();
    let section = each.child("MonitorTypeStates");
    for state in list(section, &["MonitorTypeState"], each.problems()) {
        let mut state = Cursor::new(state, &id, each.problems());
        states.push(MonitorTypeState {
            id: state.id(),
            no_detection: state.flag("NoDetection", false),
            at: state.at(),
        });
    }
    let accessibility = each.accessibility();
    let run_as = each.reference("RunAs");
    let configuration = schema(&mut each);
    let overrideable = overrideable(&mut each);
    let at = each.at();
    let mut found = UnitMonitorType {
        id: id.clone(),
        accessibility,
        run_as,
        states,
        configuration,
        overrideable,
        at,
        ..UnitMonitorType::default()
    };
    if let Some(implementation) = each.child("MonitorImplementation") {
        let mut inner = Cursor::new(implementation, &id, each.problems());
        found.members = members(&mut inner);
        found.regular = detections("RegularDetections", "RegularDetection", &mut inner);
        found.on_demand = detections("OnDemandDetections", "OnDemandDetection", &mut inner);
        inner.finish(&[]);
    } else {
        each.error("the monitor type has no <MonitorImplementation>");
    }
    found.extra = each.finish(&[]);
    found
}

fn detections(section: &str, name: &str, owner: &mut Cursor<'_>) -> Vec<Detection> {
    let around = owner.element();
    let section = owner.child(section);
    let mut found = Vec::new();
    for node in list(section, &[name], owner.problems()) {
        let at = At(node.place);
        let state = node.attribute("MonitorTypeStateID").unwrap_or_default().to_owned();
        match node.children.into_iter().next() {
            Some(inner) => {
                let node = composition(inner, &around, 0, owner.problems());
                found.push(Detection { state, node, at });
            }
            None => owner.problems().error(at, &around, format!("the detection of {state} has no <Node>")),
        }
    }
    found
}
