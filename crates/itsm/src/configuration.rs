//! What a product offers for work items: read on the first contact, then every day.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Templates, fields, users and groups of a product.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Configuration {
    pub templates: Vec<Template>,
    pub fields: Vec<FieldChoices>,
    pub users: Vec<Person>,
    pub groups: Vec<Person>,
}

/// Fields with constant values that somebody made in the product.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Template {
    pub name: String,
    /// The table or type of work item that it is for.
    pub table: String,
    pub fields: BTreeMap<String, String>,
}

/// A field with the values that it can have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldChoices {
    /// As the product's interface names it.
    pub name: String,
    /// As people see it.
    pub label: String,
    pub table: String,
    pub choices: Vec<Choice>,
}

/// A value of a field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    pub value: String,
    pub label: String,
}

/// A user or a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    pub id: String,
    pub name: String,
}
