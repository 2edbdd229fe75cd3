//! Groups that people define: a class, conditions on its properties, objects in any case or never. Such a group is a
//! management pack of its own, so that it is exported, kept, refused and removed as every other pack is.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::{Deserialize, Serialize};
use uuid::Uuid;
use watchkeeper_model::ids::ElementId;
use watchkeeper_model::node::Node;
use watchkeeper_model::objects::Classes;
use watchkeeper_model::pack::{DEFINED_GROUPS, ElementKind, Found, ManagementPack, PropertyType, Version};

use super::Library;

const INSTANCES: &str = "Microsoft.SystemCenter.InstanceGroup.Library";
const CENTER: &str = "Microsoft.SystemCenter.Library";
const HEALTH: &str = "System.Health.Library";
const MOST_CONDITIONS: usize = 64;
const MOST_LISTED: usize = 1000;

/// A group as a person writes it down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GroupDefinition {
    /// For people.
    pub name: String,
    /// For people.
    #[serde(default)]
    pub description: String,
    /// Members are of this class, `Pack!Class`.
    pub class: String,
    /// Whether every condition has to hold (`all`) or one (`any`).
    #[serde(default)]
    pub join: Join,
    /// Without one: all of the class, or with included objects none but those.
    #[serde(default)]
    pub conditions: Vec<Condition>,
    /// Identities of members in any case.
    #[serde(default)]
    pub include: Vec<Uuid>,
    /// Identities of objects that are never members.
    #[serde(default)]
    pub exclude: Vec<Uuid>,
}

/// How conditions go together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Join {
    /// Every one holds.
    #[default]
    All,
    /// One holds.
    Any,
}

/// What is asked of a property.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Condition {
    /// Its name, of the class or one of its bases.
    pub property: String,
    /// One of [`COMPARISONS`] or [`MATCHES`].
    pub operator: String,
    /// What the property is held against.
    pub value: String,
}

/// Operators that compare with a value.
pub const COMPARISONS: [&str; 6] = ["Equal", "NotEqual", "Greater", "GreaterEqual", "Less", "LessEqual"];
/// Operators that match a pattern.
pub const MATCHES: [&str; 6] = [
    "ContainsSubstring",
    "DoesNotContainSubstring",
    "MatchesWildcard",
    "DoesNotMatchWildcard",
    "MatchesRegularExpression",
    "DoesNotMatchRegularExpression",
];

impl GroupDefinition {
    /// The identity of a pack for a new group of this name.
    #[must_use]
    pub fn new_pack_id(&self) -> String {
        let word: String = self.name.chars().filter(char::is_ascii_alphanumeric).take(60).collect();
        let suffix = Uuid::new_v4().simple().to_string();
        format!(
            "{DEFINED_GROUPS}{}{}",
            if word.is_empty() { "Group" } else { &word },
            suffix.get(..8).unwrap_or(&suffix)
        )
    }

    /// The pack of the group, in XML.
    ///
    /// # Errors
    /// What is wrong with the definition, for the person who wrote it.
    pub fn document(&self, pack_id: &str, version: Version, library: &Library) -> Result<String, String> {
        if self.name.trim().is_empty() {
            return Err("a group needs a name".to_owned());
        }
        if self.conditions.len() > MOST_CONDITIONS {
            return Err(format!("a group has at most {MOST_CONDITIONS} conditions"));
        }
        if self.include.len().max(self.exclude.len()) > MOST_LISTED {
            return Err(format!("a group lists at most {MOST_LISTED} objects; use conditions for more"));
        }
        let mut aliases = Aliases::default();
        let class = find_class(library, &self.class)?;
        let of_class = aliases.element(&class.pack.id, &class.element.id);
        let relationship = aliases.element(INSTANCES, "Microsoft.SystemCenter.InstanceGroupContainsEntities");
        let mut rule = format!(
            "<MonitoringClass>$MPElement[Name=\"{of_class}\"]$</MonitoringClass>\
             <RelationshipClass>$MPElement[Name=\"{relationship}\"]$</RelationshipClass>"
        );
        let conditions: Result<Vec<String>, String> =
            self.conditions.iter().map(|each| condition(each, class, library, &mut aliases)).collect();
        match conditions?.as_slice() {
            [] => {}
            [one] => write_to(&mut rule, format_args!("<Expression>{one}</Expression>")),
            many => {
                let word = if self.join == Join::All { "And" } else { "Or" };
                let many: String = many.iter().map(|one| format!("<Expression>{one}</Expression>")).collect();
                write_to(&mut rule, format_args!("<Expression><{word}>{many}</{word}></Expression>"));
            }
        }
        for (list, objects) in [("IncludeList", &self.include), ("ExcludeList", &self.exclude)] {
            if !objects.is_empty() {
                let ids: String =
                    objects.iter().map(|id| format!("<MonitoringObjectId>{id}</MonitoringObjectId>")).collect();
                write_to(&mut rule, format_args!("<{list}>{ids}</{list}>"));
            }
        }
        Ok(self.pack(pack_id, version, &rule, &relationship, &mut aliases))
    }

    fn pack(&self, id: &str, version: Version, rule: &str, relationship: &str, aliases: &mut Aliases) -> String {
        let base = aliases.element(INSTANCES, "Microsoft.SystemCenter.InstanceGroup");
        let populator = aliases.element(CENTER, "Microsoft.SystemCenter.GroupPopulator");
        // the health of a group is that of its members, aspect by aspect
        let monitors: String = ["Availability", "Performance", "Configuration", "Security"]
            .iter()
            .map(|aspect| {
                let of = aliases.element(HEALTH, &format!("System.Health.{aspect}State"));
                format!(
                    "<DependencyMonitor ID=\"{id}.{aspect}\" Accessibility=\"Public\" Enabled=\"true\" \
                     Target=\"{id}.Group\" ParentMonitorID=\"{of}\" RelationshipType=\"{relationship}\" \
                     MemberMonitor=\"{of}\"><Category>StateCollection</Category><Algorithm>WorstOf</Algorithm>\
                     </DependencyMonitor>"
                )
            })
            .collect();
        let text = |element: &str, name: &str| {
            format!("<DisplayString ElementID=\"{element}\"><Name>{}</Name>{}</DisplayString>", escaped(name), {
                let description = escaped(self.description.trim());
                if description.is_empty() { String::new() } else { format!("<Description>{description}</Description>") }
            })
        };
        let aspects: String = ["Availability", "Performance", "Configuration", "Security"]
            .iter()
            .map(|aspect| text(&format!("{id}.{aspect}"), &format!("{aspect} of the members")))
            .collect();
        let name = self.name.trim();
        format!(
            "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n\
             <ManagementPack SchemaVersion=\"2.0\" ContentReadable=\"true\" \
             xmlns:xsd=\"http://www.w3.org/2001/XMLSchema\">\
             <Manifest><Identity><ID>{id}</ID><Version>{version}</Version></Identity><Name>{}</Name>\
             <References>{}</References></Manifest>\
             <TypeDefinitions><EntityTypes><ClassTypes><ClassType ID=\"{id}.Group\" Accessibility=\"Public\" \
             Abstract=\"false\" Base=\"{base}\" Hosted=\"false\" Singleton=\"true\" /></ClassTypes></EntityTypes>\
             </TypeDefinitions>\
             <Monitoring><Discoveries><Discovery ID=\"{id}.Members\" Enabled=\"true\" Target=\"{id}.Group\" \
             ConfirmDelivery=\"false\" Remotable=\"true\" Priority=\"Normal\"><Category>Discovery</Category>\
             <DiscoveryTypes><DiscoveryRelationship TypeID=\"{relationship}\" /></DiscoveryTypes>\
             <DataSource ID=\"DS\" TypeID=\"{populator}\"><RuleId>$MPElement$</RuleId>\
             <GroupInstanceId>$MPElement[Name=\"{id}.Group\"]$</GroupInstanceId>\
             <MembershipRules><MembershipRule>{rule}</MembershipRule></MembershipRules></DataSource>\
             </Discovery></Discoveries><Monitors>{monitors}</Monitors></Monitoring>\
             <LanguagePacks><LanguagePack ID=\"ENU\" IsDefault=\"true\"><DisplayStrings>{}{}{}{aspects}\
             </DisplayStrings></LanguagePack></LanguagePacks></ManagementPack>\n",
            escaped(name),
            aliases.references(),
            text(id, name),
            text(&format!("{id}.Group"), name),
            text(&format!("{id}.Members"), &format!("Members of {name}")),
        )
    }

    /// Reads the definition back from the pack; `None` where it is none of these packs, or somebody wrote more into it
    /// than a definition can say.
    #[must_use]
    pub fn of(pack: &ManagementPack, library: &Library) -> Option<Self> {
        if !pack.id.starts_with(DEFINED_GROUPS) {
            return None;
        }
        let [discovery] = pack.discoveries.as_slice() else { return None };
        let rules = discovery.data_source.as_ref()?.configuration.child("MembershipRules")?;
        let [rule] = rules.children.as_slice() else { return None };
        let class = class_of(pack, rule.value("MonitoringClass")?, library)?;
        let text = pack.display(&format!("{}.Group", pack.id), None, "ENU")?;
        let (join, conditions) = match rule.child("Expression") {
            None => (Join::All, Vec::new()),
            Some(expression) => read_conditions(expression)?,
        };
        let listed = |name: &str| -> Option<Vec<Uuid>> {
            let list = rule.child(name).into_iter().flat_map(|list| list.children_named("MonitoringObjectId"));
            list.map(|each| Uuid::try_parse(each.text.trim()).ok()).collect()
        };
        Some(Self {
            name: text.name.clone(),
            description: text.description.clone().unwrap_or_default(),
            class: library.full_name(class),
            join,
            conditions,
            include: listed("IncludeList")?,
            exclude: listed("ExcludeList")?,
        })
    }
}

type Class<'a> = Found<'a, watchkeeper_model::pack::ClassType>;

fn find_class<'a>(library: &'a Library, name: &str) -> Result<Class<'a>, String> {
    let unknown = || match name.split_once('!') {
        Some((pack, _)) if library.set.pack(pack).is_none() => {
            format!("class {name:?}: there is no management pack {pack:?}; `watchkeeper classes` lists the classes")
        }
        _ => format!("there is no class {name:?}; write it as Pack!Class"),
    };
    let id = library.named(name).filter(|id| library.is_known(*id)).ok_or_else(unknown)?;
    let (pack, kind, element) = library.element(id).ok_or_else(unknown)?;
    let class = pack.classes.iter().find(|class| kind == ElementKind::Class && class.id == element);
    class.map(|element| Found { pack, element }).ok_or_else(unknown)
}

fn condition(asked: &Condition, class: Class<'_>, library: &Library, aliases: &mut Aliases) -> Result<String, String> {
    let (declared, property) = library.set.property(class, &asked.property).ok_or_else(|| {
        let line = library.set.lineage(class);
        let known: Vec<&str> =
            line.iter().flat_map(|each| &each.element.properties).map(|one| one.id.as_str()).collect();
        format!("{} has no property {:?}; it has {}", class.element.id, asked.property, known.join(", "))
    })?;
    let of = aliases.element(&declared.pack.id, &declared.element.id);
    let query =
        format!("<ValueExpression><Property>$MPElement[Name=\"{of}\"]/{}$</Property></ValueExpression>", property.id);
    let (operator, value) = (asked.operator.as_str(), escaped(&asked.value));
    if COMPARISONS.contains(&operator) {
        let kind = match property.kind {
            PropertyType::Int => " Type=\"Integer\"",
            PropertyType::Double | PropertyType::Decimal => " Type=\"Double\"",
            PropertyType::Bool => " Type=\"Boolean\"",
            _ => " Type=\"String\"",
        };
        return Ok(format!(
            "<SimpleExpression>{query}<Operator>{operator}</Operator><ValueExpression><Value{kind}>{value}</Value>\
             </ValueExpression></SimpleExpression>"
        ));
    }
    if MATCHES.contains(&operator) {
        return Ok(format!(
            "<RegExExpression>{query}<Operator>{operator}</Operator><Pattern>{value}</Pattern></RegExExpression>"
        ));
    }
    Err(format!("operator is {operator:?}; it can be {}, {}", COMPARISONS.join(", "), MATCHES.join(", ")))
}

fn read_conditions(expression: &Node) -> Option<(Join, Vec<Condition>)> {
    let [inner] = expression.children.as_slice() else { return None };
    let join = match inner.name.as_str() {
        "And" => Join::All,
        "Or" => Join::Any,
        _ => return Some((Join::All, vec![read_condition(inner)?])),
    };
    let all: Option<Vec<Condition>> = inner
        .children
        .iter()
        .map(|child| match child.children.as_slice() {
            [one] if child.name == "Expression" => read_condition(one),
            _ => None,
        })
        .collect();
    Some((join, all?))
}

fn read_condition(node: &Node) -> Option<Condition> {
    let mut sides = node.children_named("ValueExpression");
    let property = sides.next()?.value("Property")?;
    let property = property.strip_suffix('$')?.rsplit('/').next()?.to_owned();
    let operator = node.value("Operator")?.to_owned();
    let value = match node.name.as_str() {
        "SimpleExpression" => sides.next()?.child("Value")?.text.clone(),
        "RegExExpression" => node.child("Pattern")?.text.clone(),
        _ => return None,
    };
    Some(Condition { property, operator, value })
}

/// The class that `$MPElement[Name="Alias!Class"]$` names.
fn class_of(pack: &ManagementPack, text: &str, library: &Library) -> Option<ElementId> {
    let name = text.split('"').nth(1)?;
    let id = match name.split_once('!') {
        None => pack.element_id(name),
        Some((alias, class)) => {
            let reference = pack.references.iter().find(|reference| reference.alias == alias)?;
            ElementId::of(&reference.id, class)
        }
    };
    library.element(id).map(|_| id)
}

/// Packs that the new one refers to, with a name for each.
#[derive(Default)]
struct Aliases(BTreeMap<String, String>);

impl Aliases {
    /// `Alias!Element`
    fn element(&mut self, pack: &str, element: &str) -> String {
        let next = format!("P{}", self.0.len());
        let alias = self.0.entry(pack.to_owned()).or_insert(next);
        format!("{alias}!{element}")
    }

    /// Any version will do: the group asks for classes and properties by name, and the import says which are not there.
    fn references(&self) -> String {
        let one = |(id, alias): (&String, &String)| {
            format!("<Reference Alias=\"{alias}\"><ID>{id}</ID><Version>0.0.0.0</Version></Reference>")
        };
        self.0.iter().map(one).collect()
    }
}

fn write_to(text: &mut String, more: std::fmt::Arguments<'_>) {
    // writing into a string does not fail
    let _ = text.write_fmt(more);
}

fn escaped(text: &str) -> String {
    let keep = |each: &char| !each.is_control() || *each == '\n' || *each == '\t';
    let text: String = text.chars().filter(keep).collect();
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::super::{form_of, read_pack};
    use super::*;

    fn definition() -> GroupDefinition {
        GroupDefinition {
            name: "Web & \"front\" <servers>".into(),
            description: "All that people see".into(),
            class: "Microsoft.Unix.Library!Microsoft.Unix.Computer".into(),
            join: Join::Any,
            conditions: vec![
                Condition {
                    property: "PrincipalName".into(),
                    operator: "MatchesRegularExpression".into(),
                    value: "^web<&\"[0-9]+$".into(),
                },
                Condition { property: "PrincipalName".into(), operator: "Equal".into(), value: "front".into() },
            ],
            include: vec![Uuid::from_u128(1)],
            exclude: vec![Uuid::from_u128(2), Uuid::from_u128(3)],
        }
    }

    fn written(definition: &GroupDefinition) -> (ManagementPack, Library) {
        let (library, _) = Library::load(Vec::new(), &[]);
        let text = definition.document("Watchkeeper.Groups.Web1", Version([1, 0, 0, 4]), &library).unwrap();
        let (pack, problems) = read_pack("web.xml", form_of("web.xml"), text.as_bytes());
        assert!(problems.is_empty(), "{problems:?}");
        let (library, problems) = Library::load(vec![pack.clone().unwrap()], &[]);
        assert!(problems.iter().all(|problem| problem.file != "web.xml"), "{problems:?}");
        (pack.unwrap(), library)
    }

    #[test]
    fn a_definition_becomes_a_pack_without_a_problem_and_is_read_back_from_it() {
        let definition = definition();
        let (pack, library) = written(&definition);
        assert_eq!(pack.version, Version([1, 0, 0, 4]));
        assert_eq!(GroupDefinition::of(&pack, &library), Some(definition));
    }

    #[test]
    fn one_condition_and_none_are_read_back_too() {
        let mut definition = definition();
        definition.join = Join::All;
        definition.conditions.truncate(1);
        let (pack, library) = written(&definition);
        assert_eq!(GroupDefinition::of(&pack, &library), Some(definition.clone()));
        definition.conditions.clear();
        let (pack, library) = written(&definition);
        assert_eq!(GroupDefinition::of(&pack, &library), Some(definition));
    }

    #[test]
    fn a_class_of_a_pack_that_is_not_sealed_can_have_groups() {
        let other = include_bytes!("../../tests/packs/Test.Groups.xml");
        let (other, _) = read_pack("other.xml", "xml", other);
        let (library, _) = Library::load(vec![other.clone().unwrap()], &[]);
        let mut definition = definition();
        definition.class = "Test.Groups!Test.Groups.Part".into();
        // with one condition there is nothing to join
        definition.join = Join::All;
        definition.conditions =
            vec![Condition { property: "Size".into(), operator: "ContainsSubstring".into(), value: "big".into() }];
        let text = definition.document("Watchkeeper.Groups.Parts", Version([1, 0, 0, 0]), &library).unwrap();
        let (pack, problems) = read_pack("parts.xml", "xml", text.as_bytes());
        assert!(problems.is_empty(), "{problems:?}");
        let (library, problems) = Library::load(vec![other.unwrap(), pack.clone().unwrap()], &[]);
        assert!(problems.iter().all(|problem| problem.file != "parts.xml"), "{problems:?}");
        assert_eq!(GroupDefinition::of(&pack.unwrap(), &library), Some(definition));
    }

    #[test]
    fn what_is_wrong_is_said_by_name() {
        let (library, _) = Library::load(Vec::new(), &[]);
        let refused = |change: fn(&mut GroupDefinition)| {
            let mut definition = definition();
            change(&mut definition);
            definition.document("Watchkeeper.Groups.X", Version([1, 0, 0, 0]), &library).unwrap_err()
        };
        assert!(refused(|one| one.class = "No!Such".into()).contains("No!Such"));
        let property = refused(|one| one.conditions[0].property = "Colour".into());
        assert!(property.contains("Colour") && property.contains("PrincipalName"), "{property}");
        let operator = refused(|one| one.conditions[0].operator = "Like".into());
        assert!(operator.contains("Like") && operator.contains("MatchesWildcard"), "{operator}");
        assert!(refused(|one| one.name = " ".into()).contains("name"));
    }
}
