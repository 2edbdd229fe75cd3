//! Classes and relationships: bases, hosting, keys.

use std::collections::HashMap;

use super::super::common::At;
use super::super::problem::Problems;
use super::super::{ClassType, Found, ManagementPack, PackSet, Property, PropertyType, RelationshipType};

pub(super) fn check(set: &PackSet, pack: &ManagementPack, problems: &mut Problems) {
    for element in &pack.classes {
        class(set, Found { pack, element }, problems);
    }
    for element in &pack.relationships {
        relationship(set, Found { pack, element }, problems);
    }
}

fn properties(id: &str, list: &[Property], problems: &mut Problems) {
    let mut seen: HashMap<&str, At> = HashMap::new();
    for each in list {
        if let Some(first) = seen.insert(&each.id, each.at) {
            problems.error(each.at, id, format!("the property {} stands already on line {}", each.id, first.0.line));
        }
        if let PropertyType::Other(word) = &each.kind {
            problems.warning(each.at, id, format!("the type '{word}' of {} is not known; it is kept as text", each.id));
        }
    }
}

fn class(set: &PackSet, class: Found<'_, ClassType>, problems: &mut Problems) {
    let ClassType { id, at, .. } = class.element;
    properties(id, &class.element.properties, problems);
    let Some(base) = &class.element.base else {
        if class.pack.id != "System.Library" {
            problems.error(*at, id, "the class has no Base; derive it from System.LogicalEntity or another class");
        }
        return;
    };
    if let Err(message) = set.class(class.pack, base) {
        problems.error(*at, id, format!("its base: {message}"));
        return;
    }
    let line = set.lineage(class);
    if let Some(last) = line.last()
        && let Some(base) = &last.element.base
        && set.class(last.pack, base).is_ok()
    {
        let way: Vec<&str> = line.iter().map(|each| each.element.id.as_str()).collect();
        problems.error(*at, id, format!("the class derives from itself: {} → {}", way.join(" → "), base.id()));
        return;
    }
    for property in &class.element.properties {
        if let Some(other) =
            line.iter().skip(1).find(|base| base.element.properties.iter().any(|known| known.id == property.id))
        {
            problems.error(
                property.at,
                id,
                format!("the property {} is inherited from {}; rename or remove it", property.id, other.element.id),
            );
        }
    }
    if class.element.is_abstract {
        return;
    }
    let hosts = set.hosts(class);
    let hosted = class.element.hosted;
    if hosted && hosts.is_empty() {
        problems.error(
            *at,
            id,
            "the class is hosted, and no relationship hosts it; add one with the base System.Hosting and this class as \
             target, or derive the class from a hosted one",
        );
    }
    if let [(first, _), (second, _), ..] = hosts.as_slice() {
        problems.error(
            *at,
            id,
            format!("the class has two hosts, by {} and {}; keep one", first.element.id, second.element.id),
        );
    }
    let has_key = line.iter().any(|each| each.element.properties.iter().any(|property| property.key));
    let singleton = line.iter().any(|each| each.element.singleton);
    if !has_key && !singleton && hosts.is_empty() && !class.element.extension {
        problems.warning(
            *at,
            id,
            "the class has no key property, so it can have one object only; mark a property Key=\"true\" or the class \
             Singleton=\"true\"",
        );
    }
}

fn relationship(set: &PackSet, each: Found<'_, RelationshipType>, problems: &mut Problems) {
    let RelationshipType { id, at, source, target, .. } = each.element;
    properties(id, &each.element.properties, problems);
    for (name, end) in [("source", source), ("target", target)] {
        if let Err(message) = set.class(each.pack, &end.class) {
            problems.error(end.at, id, format!("its {name}: {message}"));
        }
    }
    let Some(base) = &each.element.base else {
        if each.pack.id != "System.Library" {
            problems.error(
                *at,
                id,
                "the relationship has no Base; it is one of System.Hosting, System.Containment, System.Reference",
            );
        }
        return;
    };
    if let Err(message) = set.relationship(each.pack, base) {
        problems.error(*at, id, format!("its base: {message}"));
        return;
    }
    let line = set.relationship_lineage(each);
    if let Some(last) = line.last()
        && let Some(base) = &last.element.base
        && set.relationship(last.pack, base).is_ok()
    {
        problems.error(*at, id, format!("the relationship derives from itself by {}", base.id()));
    }
}
