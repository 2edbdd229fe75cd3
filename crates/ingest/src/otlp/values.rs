//! Values and attributes of OpenTelemetry as JSON, and what resources say in columns of their own.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;
use serde_json::{Map, Value as Json};

use super::set;
use crate::rows::RowsBuilder;
use crate::rows::value::Value;

/// A value as JSON; bytes are base64, numbers that JSON has not are texts.
pub fn json(value: &AnyValue) -> Json {
    match &value.value {
        None => Json::Null,
        Some(Any::StringValue(text)) => Json::from(text.as_str()),
        Some(Any::BoolValue(value)) => Json::from(*value),
        Some(Any::IntValue(value)) => Json::from(*value),
        Some(Any::DoubleValue(value)) => real(*value),
        Some(Any::ArrayValue(array)) => array.values.iter().map(json).collect(),
        Some(Any::KvlistValue(list)) => Json::Object(attributes(&list.values)),
        Some(Any::BytesValue(bytes)) => Json::from(STANDARD.encode(bytes)),
        // an index into a table of texts that only profiles have
        Some(Any::StringValueStrindex(_)) => Json::Null,
    }
}

/// A real as JSON.
pub fn real(value: f64) -> Json {
    serde_json::Number::from_f64(value).map_or_else(|| Json::from(value.to_string()), Json::Number)
}

/// Attributes as an object.
pub fn attributes(list: &[KeyValue]) -> Map<String, Json> {
    let value = |attribute: &KeyValue| attribute.value.as_ref().map_or(Json::Null, json);
    list.iter().map(|attribute| (attribute.key.clone(), value(attribute))).collect()
}

/// Sets a column of the current row to an object, unless it is empty.
pub fn set_object(rows: &mut RowsBuilder, column: &str, object: Map<String, Json>) {
    if !object.is_empty() {
        set(rows, column, Value::Json(&Json::Object(object).to_string()));
    }
}

/// A resource and a scope, ready to be written into each of their rows.
pub struct Origin {
    resource: String,
    texts: Vec<(&'static str, String)>,
}

/// Attributes of a resource that have a column of their own in both tables ("Semantic conventions", `service.*`).
pub const SERVICE: [(&str, &str); 4] = [
    ("ServiceName", "service.name"),
    ("ServiceNamespace", "service.namespace"),
    ("ServiceInstanceId", "service.instance.id"),
    ("ServiceVersion", "service.version"),
];

impl Origin {
    /// `named` is the columns that take an attribute of the resource.
    pub fn new(
        resource: Option<&Resource>,
        scope: Option<&InstrumentationScope>,
        named: &[(&'static str, &str)],
    ) -> Origin {
        let list = resource.map(|resource| resource.attributes.as_slice()).unwrap_or_default();
        let mut texts: Vec<_> = named.iter().filter_map(|(column, key)| Some((*column, text_of(list, key)?))).collect();
        if let Some(scope) = scope {
            texts.push(("ScopeName", scope.name.clone()));
            texts.push(("ScopeVersion", scope.version.clone()));
        }
        let resource = match list {
            [] => String::new(),
            list => Json::Object(attributes(list)).to_string(),
        };
        Origin { resource, texts }
    }

    /// Writes into the current row.
    pub fn write(&self, rows: &mut RowsBuilder) {
        if !self.resource.is_empty() {
            set(rows, "ResourceAttributes", Value::Json(&self.resource));
        }
        for (column, text) in &self.texts {
            set(rows, column, Value::Text(text));
        }
    }
}

/// The text of an attribute.
pub fn text_of(list: &[KeyValue], key: &str) -> Option<String> {
    let value = list.iter().find(|attribute| attribute.key == key)?.value.as_ref()?;
    match json(value) {
        Json::Null => None,
        Json::String(text) => Some(text),
        other => Some(other.to_string()),
    }
}
