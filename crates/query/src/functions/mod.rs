//! The functions and aggregates of the language over Arrow. [`FAMILIES`] is the one list of them; [`bind`] makes one
//! callable for given KQL argument types, and [`rebuild`] does so from the name of a bound function.

pub mod aggregate;
mod array;
mod bag;
mod bytes;
mod conditional;
pub(crate) mod convert;
#[cfg(test)]
mod coverage;
pub(crate) mod datetime;
pub mod frame;
mod geo;
mod hash;
mod ip;
mod json;
mod math;
mod operators;
mod parse;
mod series;
#[cfg(test)]
pub(crate) mod testing;
mod text;
mod units;

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use datafusion::logical_expr::ScalarUDF;
use watchkeeper_kql::Type;

pub use aggregate::{Output, aggregate_outputs, bind_aggregate, is_aggregate_implemented, rebuild_aggregate};
use frame::Function;
use frame::adapter::BoundFunction;
pub use frame::arrow_type;
pub use ip::places::use_places;

/// Every scalar function and operator, by family.
const FAMILIES: &[&[Function]] = &[
    operators::arithmetic::FUNCTIONS,
    operators::compare::FUNCTIONS,
    operators::member::FUNCTIONS,
    operators::search::FUNCTIONS,
    operators::index::FUNCTIONS,
    conditional::FUNCTIONS,
    convert::FUNCTIONS,
    text::FUNCTIONS,
    text::regex::FUNCTIONS,
    text::encode::FUNCTIONS,
    text::lookup::FUNCTIONS,
    parse::FUNCTIONS,
    ip::FUNCTIONS,
    ip::find::FUNCTIONS,
    ip::places::FUNCTIONS,
    datetime::FUNCTIONS,
    datetime::format::FUNCTIONS,
    datetime::zones::FUNCTIONS,
    math::FUNCTIONS,
    math::beta::FUNCTIONS,
    math::round::FUNCTIONS,
    math::bits::FUNCTIONS,
    json::FUNCTIONS,
    array::FUNCTIONS,
    bag::FUNCTIONS,
    hash::FUNCTIONS,
    bytes::FUNCTIONS,
    units::FUNCTIONS,
    aggregate::SCALARS,
    geo::change::FUNCTIONS,
    geo::combine::FUNCTIONS,
    geo::cover::FUNCTIONS,
    geo::geohash::FUNCTIONS,
    geo::h3::FUNCTIONS,
    geo::measure::FUNCTIONS,
    geo::s2::FUNCTIONS,
    geo::wkt::FUNCTIONS,
    series::arithmetic::FUNCTIONS,
    series::decompose::FUNCTIONS,
    series::fill::FUNCTIONS,
    series::filter::FUNCTIONS,
    series::fit::FUNCTIONS,
    series::fourier::FUNCTIONS,
    series::outliers::FUNCTIONS,
    series::periods::FUNCTIONS,
    series::statistics::FUNCTIONS,
];

/// Older and alternative names.
const ALIASES: &[(&str, &str)] = &[
    ("todynamic", "parse_json"),
    ("toobject", "parse_json"),
    ("parsejson", "parse_json"),
    ("todouble", "toreal"),
    ("toboolean", "tobool"),
    ("totime", "totimespan"),
    ("iif", "iff"),
    ("notempty", "isnotempty"),
    ("notnull", "isnotnull"),
    ("extractall", "extract_all"),
    ("array_strcat", "strcat_array"),
    ("datepart", "datetime_part"),
    ("getmonth", "monthofyear"),
    ("weekofyear", "week_of_year"),
    ("ceil", "ceiling"),
    ("floor", "bin"),
    ("make_string", "unicode_codepoints_to_string"),
    ("to_utf8", "unicode_codepoints_from_string"),
    ("extractjson", "extract_json"),
    ("parseurl", "parse_url"),
    ("parseurlquery", "parse_urlquery"),
    ("pack", "bag_pack"),
    ("pack_dictionary", "bag_pack"),
    ("arraylength", "array_length"),
    ("array_iif", "array_iff"),
    ("base64_decodestring", "base64_decode_tostring"),
    ("base64_encodestring", "base64_encode_tostring"),
    ("hash", "hash_xxhash64"),
    ("merge_tdigest", "tdigest_merge"),
];

/// Why a function cannot be bound.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum FunctionError {
    #[error("the function {name}() is not available in this version")]
    Unknown { name: String },
    #[error("{name}() does not take the arguments ({types})")]
    Arguments { name: String, types: String },
    #[error("\"{name}\" is not the name of a bound function")]
    Name { name: String },
}

static BY_NAME: LazyLock<HashMap<&'static str, &'static Function>> = LazyLock::new(|| {
    FAMILIES.iter().flat_map(|family| family.iter()).map(|function| (function.name, function)).collect()
});

fn canonical(name: &str) -> &str {
    ALIASES.iter().find(|(alias, _)| *alias == name).map_or(name, |(_, name)| name)
}

fn find(name: &str) -> Result<&'static Function, FunctionError> {
    BY_NAME.get(canonical(name)).copied().ok_or_else(|| FunctionError::Unknown { name: name.to_owned() })
}

/// Every name that [`bind`] knows, aliases included.
pub fn names() -> impl Iterator<Item = &'static str> {
    BY_NAME.keys().copied().chain(ALIASES.iter().map(|(alias, _)| *alias))
}

/// Whether [`bind`] knows this scalar function or operator.
pub fn is_implemented(name: &str) -> bool {
    find(name).is_ok()
}

/// The function's own result type for these arguments.
pub fn return_type(name: &str, arg_types: &[Type]) -> Result<Type, FunctionError> {
    find(name)?.return_type(arg_types).ok_or_else(|| unfit(name, arg_types))
}

fn unfit(name: &str, arg_types: &[Type]) -> FunctionError {
    let types: Vec<&str> = arg_types.iter().map(|ty| ty.name()).collect();
    FunctionError::Arguments { name: name.to_owned(), types: types.join(", ") }
}

/// The function for arguments of these types, with its own result type.
pub fn bind(name: &str, arg_types: &[Type]) -> Result<Arc<ScalarUDF>, FunctionError> {
    let returns = return_type(name, arg_types)?;
    bind_as(name, arg_types, returns)
}

/// The function with its result converted to `returns` where its own result has another type
/// (`extract(…, typeof(long))`, `extract_json(…, typeof(real))`).
pub fn bind_as(name: &str, arg_types: &[Type], returns: Type) -> Result<Arc<ScalarUDF>, FunctionError> {
    let function = find(name)?;
    let natural = function.return_type(arg_types).ok_or_else(|| unfit(name, arg_types))?;
    Ok(Arc::new(ScalarUDF::new_from_impl(BoundFunction::new(function, arg_types.to_vec(), natural, returns))))
}

/// Splits `name(type,type):type`.
fn split_bound_name(bound: &str) -> Option<(&str, Vec<Type>, Option<Type>)> {
    let (name, rest) = bound.split_once('(')?;
    let (types, returns) = rest.rsplit_once(')')?;
    let types = if types.is_empty() { Some(Vec::new()) } else { types.split(',').map(Type::from_name).collect() }?;
    let returns = match returns.strip_prefix(':') {
        Some(returns) => Some(Type::from_name(returns)?),
        None => None,
    };
    Some((name, types, returns))
}

/// The bound function of this name, as [`bind`] and [`bind_as`] name it.
pub fn rebuild(bound: &str) -> Result<Arc<ScalarUDF>, FunctionError> {
    let (name, types, returns) =
        split_bound_name(bound).ok_or_else(|| FunctionError::Name { name: bound.to_owned() })?;
    match returns {
        Some(returns) => bind_as(name, &types, returns),
        None => bind(name, &types),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_function_is_rebuilt_from_its_name() {
        for function in [
            bind("tostring", &[Type::Datetime]),
            bind("rand", &[]),
            bind_as("extract", &[Type::String, Type::Long, Type::String, Type::String], Type::Long),
        ] {
            let function = function.unwrap();
            let again = rebuild(function.name()).unwrap();
            assert_eq!(again.name(), function.name());
        }
        assert_eq!(rebuild("tostring").unwrap_err(), FunctionError::Name { name: "tostring".to_owned() });
    }

    #[test]
    fn names_are_unique_and_aliases_lead_somewhere() {
        let count: usize = FAMILIES.iter().map(|family| family.len()).sum();
        assert_eq!(BY_NAME.len(), count, "a name is registered twice");
        for (alias, name) in ALIASES {
            assert!(BY_NAME.contains_key(name), "{alias} leads to {name}");
            assert!(!BY_NAME.contains_key(alias), "{alias} is also a function");
        }
    }

    #[test]
    fn arguments_that_do_not_fit_are_named_in_the_error() {
        let error = bind("strlen", &[]).unwrap_err();
        assert_eq!(error.to_string(), "strlen() does not take the arguments ()");
        assert_eq!(bind("nope", &[]).unwrap_err().to_string(), "the function nope() is not available in this version");
    }
}
