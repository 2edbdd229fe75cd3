//! Classes and relationships: what there is to monitor.

use super::common::{Accessibility, At, Extra, Ref};

/// A class of objects.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ClassType {
    /// Its ID in the pack.
    pub id: String,
    /// Whether other packs may name it.
    pub accessibility: Accessibility,
    /// Has no objects of its own.
    pub is_abstract: bool,
    /// The class that it derives from; `None` only for the root.
    pub base: Option<Ref>,
    /// Its objects live on an object of another class.
    pub hosted: bool,
    /// Has exactly one object, which exists without discovery.
    pub singleton: bool,
    /// Adds properties to the objects of its base.
    pub extension: bool,
    /// Its own; those of its bases come on top.
    pub properties: Vec<Property>,
    /// Where it stands.
    pub at: At,
    /// What the model has no field for.
    pub extra: Extra,
}

/// A property of a class or relationship.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Property {
    /// Its ID in the class.
    pub id: String,
    /// What it holds.
    pub kind: PropertyType,
    /// Part of the identity of an object.
    pub key: bool,
    /// Its values differ by case.
    pub case_sensitive: bool,
    /// Characters.
    pub max_length: Option<u32>,
    /// Characters.
    pub min_length: Option<u32>,
    /// Has to have a value.
    pub required: bool,
    /// Where it stands.
    pub at: At,
    /// What the model has no field for.
    pub extra: Extra,
}

/// What a property holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum PropertyType {
    /// Text; what is meant where nothing is said.
    #[default]
    String,
    /// A whole number.
    Int,
    /// A number.
    Double,
    /// A number with an exact fraction.
    Decimal,
    /// `true` or `false`.
    Bool,
    /// A time.
    DateTime,
    /// A GUID.
    Guid,
    /// Formatted text.
    RichText,
    /// Bytes.
    Binary,
    /// One of an enumeration.
    Enum,
    /// Another word, kept as it is.
    Other(String),
}

const PROPERTY_TYPES: &[(&str, PropertyType)] = &[
    ("string", PropertyType::String),
    ("int", PropertyType::Int),
    ("double", PropertyType::Double),
    ("decimal", PropertyType::Decimal),
    ("bool", PropertyType::Bool),
    ("datetime", PropertyType::DateTime),
    ("guid", PropertyType::Guid),
    ("richtext", PropertyType::RichText),
    ("binary", PropertyType::Binary),
    ("enum", PropertyType::Enum),
];

impl PropertyType {
    /// What a word means.
    #[must_use]
    pub fn parse(word: &str) -> Self {
        PROPERTY_TYPES
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(word))
            .map_or_else(|| Self::Other(word.to_owned()), |(_, kind)| kind.clone())
    }

    /// As packs write it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        if let Self::Other(word) = self {
            return word;
        }
        PROPERTY_TYPES.iter().find(|(_, kind)| kind == self).map_or("string", |(name, _)| name)
    }
}

/// A kind of relationship between two classes.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RelationshipType {
    /// Its ID in the pack.
    pub id: String,
    /// Whether other packs may name it.
    pub accessibility: Accessibility,
    /// Only derived ones have instances.
    pub is_abstract: bool,
    /// `System.Hosting`, `System.Containment`, `System.Reference`, `System.WatchedBy` or one derived from them.
    pub base: Option<Ref>,
    /// The host, container or watcher.
    pub source: RelationshipEnd,
    /// What is hosted, contained or watched.
    pub target: RelationshipEnd,
    /// Its own.
    pub properties: Vec<Property>,
    /// Where it stands.
    pub at: At,
    /// What the model has no field for.
    pub extra: Extra,
}

/// One end of a relationship.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RelationshipEnd {
    /// Its name; the older schema has none.
    pub id: Option<String>,
    /// The class of the objects at this end.
    pub class: Ref,
    /// At least so many.
    pub min_cardinality: Option<u32>,
    /// At most so many.
    pub max_cardinality: Option<u32>,
    /// Where it stands.
    pub at: At,
    /// What the model has no field for.
    pub extra: Extra,
}
