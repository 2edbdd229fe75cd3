//! The signatures of all scalar functions, aggregates and plugins, one line each, one file a family.
//!
//! A line reads `name|alias(parameter: type, optional?: type, repeated...: type) -> result as naming`. Several lines
//! of one name are overloads. Types may be joined with `|`; besides the types of the language there are `any`,
//! `number`, `integer`, `summable` (numbers, datetime, timespan), `common` (arguments are converted to their common
//! type), `type` (`typeof(long)`), `column` and `relation`. The results `same`, `promoted` (int → long), `widest` and
//! `common` follow the arguments; `tuple(…)` is several columns; `special` is computed by the analyzer. `as` says how
//! a column gets its name from the call: `first` is the first argument's name, `prefix p` is `p_` and that name.

use std::collections::HashMap;
use std::fmt;
use std::sync::LazyLock;

use crate::types::{Column, Type};

mod aggregates;
mod conversion;
mod datetime;
mod dynamic;
mod geo;
mod ip;
mod math;
mod meta;
mod plugins;
pub mod reference;
mod series;
mod strings;
mod window;

/// All overloads of one function.
#[derive(Debug, Clone)]
pub struct Signature {
    /// The canonical name, which typed trees use.
    pub name: &'static str,
    pub aliases: Vec<&'static str>,
    pub overloads: Vec<Overload>,
}

#[derive(Debug, Clone)]
pub struct Overload {
    pub parameters: Vec<Parameter>,
    pub returns: Returns,
    pub naming: Naming,
}

#[derive(Debug, Clone)]
pub struct Parameter {
    pub name: &'static str,
    pub kinds: Vec<Kind>,
    pub optional: bool,
    pub repeated: bool,
}

/// What an argument may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Exact(Type),
    Any,
    Number,
    Integer,
    Summable,
    Common,
    TypeLiteral,
    Column,
    Relation,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Returns {
    Fixed(Type),
    /// The type of the first argument.
    Same,
    /// The type of the first argument, long for int.
    Promoted,
    /// The widest of the numeric arguments.
    Widest,
    /// The common type of the `common` parameters.
    Common,
    /// The type that a `typeof()` argument names.
    TypeArgument,
    /// Several columns, named after the function and its first argument.
    Tuple(Vec<Column>),
    Relation,
    /// Plugins: exactly these columns.
    Columns(Vec<Column>),
    /// Plugins: known only when the query runs.
    Open,
    /// Computed by the analyzer.
    Special,
}

/// How a column without a name of its own is named after this call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Naming {
    None,
    First,
    Only,
    /// The function's name and the first argument's.
    NameFirst,
    Prefix(&'static str),
    OnlyPrefix(&'static str),
}

impl Overload {
    /// Fewest arguments.
    pub fn least(&self) -> usize {
        self.parameters.iter().filter(|parameter| !parameter.optional).count()
    }

    /// Most arguments; none if unlimited.
    pub fn most(&self) -> Option<usize> {
        match self.parameters.iter().any(|parameter| parameter.repeated) {
            true => None,
            false => Some(self.parameters.len()),
        }
    }

    pub fn accepts_count(&self, count: usize) -> bool {
        count >= self.least() && self.most().is_none_or(|most| count <= most)
    }

    /// `substring(source: any, start: integer, [length: integer])` for the function `name`.
    pub fn usage(&self, name: &str) -> String {
        let parameters: Vec<String> = self.parameters.iter().map(Parameter::usage).collect();
        format!("{name}({})", parameters.join(", "))
    }

    /// The parameter that the argument at `index` is for; the last one repeats.
    pub fn parameter(&self, index: usize) -> Option<&Parameter> {
        self.parameters.get(index).or_else(|| self.parameters.last().filter(|last| last.repeated))
    }
}

impl Parameter {
    /// `start: integer`, in brackets if it may be left out, with `…` if it may come again.
    pub fn usage(&self) -> String {
        let more = if self.repeated { ", …" } else { "" };
        let text = format!("{}: {}{more}", self.name, self.kinds_text());
        if self.optional { format!("[{text}]") } else { text }
    }

    pub fn accepts_kind(&self, kind: Kind) -> bool {
        self.kinds.contains(&kind)
    }

    /// The kinds as text, for messages.
    pub fn kinds_text(&self) -> String {
        self.kinds.iter().map(|kind| kind.name()).collect::<Vec<_>>().join(" or ")
    }
}

impl fmt::Display for Returns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns = |columns: &[Column]| {
            let texts: Vec<String> = columns.iter().map(|column| format!("{}: {}", column.name, column.ty)).collect();
            format!("({})", texts.join(", "))
        };
        f.write_str(&match self {
            Returns::Fixed(ty) => ty.name().to_owned(),
            Returns::Same => "type of the first argument".to_owned(),
            Returns::Promoted => "type of the first argument, long for int".to_owned(),
            Returns::Widest => "widest type of the numbers".to_owned(),
            Returns::Common => "common type of the arguments".to_owned(),
            Returns::TypeArgument => "type that typeof(…) names".to_owned(),
            Returns::Tuple(tuple) | Returns::Columns(tuple) => columns(tuple),
            Returns::Relation => "table".to_owned(),
            Returns::Open => "columns that are known when it runs".to_owned(),
            Returns::Special => "as the arguments say".to_owned(),
        })
    }
}

impl Kind {
    pub const fn name(self) -> &'static str {
        match self {
            Kind::Exact(ty) => ty.name(),
            Kind::Any => "any",
            Kind::Number => "number",
            Kind::Integer => "integer",
            Kind::Summable => "number, datetime or timespan",
            Kind::Common => "any",
            Kind::TypeLiteral => "typeof(…)",
            Kind::Column => "column",
            Kind::Relation => "table",
        }
    }

    fn read(text: &str) -> Option<Kind> {
        Some(match text {
            "any" => Kind::Any,
            "number" => Kind::Number,
            "integer" => Kind::Integer,
            "summable" => Kind::Summable,
            "common" => Kind::Common,
            "type" => Kind::TypeLiteral,
            "column" => Kind::Column,
            "relation" => Kind::Relation,
            name => Kind::Exact(Type::from_name(name)?),
        })
    }
}

impl Signature {
    /// `substring(source: any, start: integer, [length: integer])`, overloads joined with "or".
    pub fn usage(&self) -> String {
        let texts: Vec<String> = self.overloads.iter().map(|overload| overload.usage(self.name)).collect();
        texts.join(" or ")
    }

    pub fn accepts_count(&self, count: usize) -> bool {
        self.overloads.iter().any(|overload| overload.accepts_count(count))
    }
}

struct Table {
    signatures: Vec<Signature>,
    by_name: HashMap<&'static str, usize>,
    /// Lines that do not read as a signature; a test keeps this empty.
    bad: Vec<&'static str>,
}

impl Table {
    fn read(families: &[&'static str]) -> Table {
        let mut table = Table { signatures: Vec::new(), by_name: HashMap::new(), bad: Vec::new() };
        for line in families.iter().flat_map(|family| family.lines()).filter(|line| !line.is_empty()) {
            match read_line(line) {
                Some((names, overload)) => table.add(names, overload),
                None => table.bad.push(line),
            }
        }
        table
    }

    fn add(&mut self, names: Vec<&'static str>, overload: Overload) {
        if let Some(index) = self.by_name.get(names[0]) {
            self.signatures[*index].overloads.push(overload);
            return;
        }
        let index = self.signatures.len();
        for name in &names {
            self.by_name.insert(name, index);
        }
        self.signatures.push(Signature { name: names[0], aliases: names[1..].to_vec(), overloads: vec![overload] });
    }

    fn get(&self, name: &str) -> Option<&Signature> {
        self.by_name.get(name).map(|index| &self.signatures[*index])
    }
}

fn read_line(line: &'static str) -> Option<(Vec<&'static str>, Overload)> {
    let (names, rest) = line.split_once('(')?;
    let (parameters, rest) = rest.split_once(") -> ")?;
    let (returns, naming) = match rest.split_once(" as ") {
        Some((returns, naming)) => (returns, read_naming(naming)?),
        None => (rest, Naming::None),
    };
    let parameters = split_list(parameters).map(read_parameter).collect::<Option<Vec<_>>>()?;
    Some((names.split('|').collect(), Overload { parameters, returns: read_returns(returns)?, naming }))
}

fn split_list(text: &'static str) -> impl Iterator<Item = &'static str> {
    text.split(", ").filter(|part| !part.is_empty())
}

fn read_parameter(text: &'static str) -> Option<Parameter> {
    let (name, kinds) = text.split_once(": ")?;
    let (name, repeated) = match name.strip_suffix("...") {
        Some(name) => (name, true),
        None => (name, false),
    };
    let (name, optional) = match name.strip_suffix('?') {
        Some(name) => (name, true),
        None => (name, false),
    };
    let kinds = kinds.split('|').map(Kind::read).collect::<Option<Vec<_>>>()?;
    Some(Parameter { name, kinds, optional, repeated })
}

fn read_columns(text: &'static str) -> Option<Vec<Column>> {
    split_list(text.strip_suffix(')')?)
        .map(|column| {
            let (name, ty) = column.split_once(": ")?;
            Some(Column::new(name, Type::from_name(ty)?))
        })
        .collect()
}

fn read_returns(text: &'static str) -> Option<Returns> {
    if let Some(columns) = text.strip_prefix("tuple(") {
        return Some(Returns::Tuple(read_columns(columns)?));
    }
    if let Some(columns) = text.strip_prefix("columns(") {
        return Some(Returns::Columns(read_columns(columns)?));
    }
    Some(match text {
        "same" => Returns::Same,
        "promoted" => Returns::Promoted,
        "widest" => Returns::Widest,
        "common" => Returns::Common,
        "type_argument" => Returns::TypeArgument,
        "relation" => Returns::Relation,
        "open" => Returns::Open,
        "special" => Returns::Special,
        name => Returns::Fixed(Type::from_name(name)?),
    })
}

fn read_naming(text: &'static str) -> Option<Naming> {
    Some(match text.split_once(' ') {
        Some(("prefix", prefix)) => Naming::Prefix(prefix),
        Some(("only_prefix", prefix)) => Naming::OnlyPrefix(prefix),
        None if text == "first" => Naming::First,
        None if text == "only" => Naming::Only,
        None if text == "name_first" => Naming::NameFirst,
        _ => return None,
    })
}

static SCALARS: LazyLock<Table> = LazyLock::new(|| {
    Table::read(&[
        strings::TABLE,
        conversion::TABLE,
        datetime::TABLE,
        math::TABLE,
        dynamic::TABLE,
        series::TABLE,
        ip::TABLE,
        geo::TABLE,
        window::TABLE,
        meta::TABLE,
    ])
});
static WINDOWS: LazyLock<Table> = LazyLock::new(|| Table::read(&[window::TABLE]));
static AGGREGATES: LazyLock<Table> = LazyLock::new(|| Table::read(&[aggregates::TABLE]));
static PLUGINS: LazyLock<Table> = LazyLock::new(|| Table::read(&[plugins::TABLE]));

/// A scalar or window function by its name or an alias.
pub fn scalar(name: &str) -> Option<&'static Signature> {
    SCALARS.get(name)
}

/// Whether the canonical name is a window function, which needs a serialized input.
pub fn is_window(name: &str) -> bool {
    WINDOWS.get(name).is_some()
}

/// An aggregate by its name or an alias.
pub fn aggregate(name: &str) -> Option<&'static Signature> {
    AGGREGATES.get(name)
}

/// A plugin of `evaluate` by its name.
pub fn plugin(name: &str) -> Option<&'static Signature> {
    PLUGINS.get(name)
}

/// All scalar functions, in table order.
pub fn scalars() -> impl Iterator<Item = &'static Signature> {
    SCALARS.signatures.iter()
}

/// All aggregates, in table order.
pub fn aggregates() -> impl Iterator<Item = &'static Signature> {
    AGGREGATES.signatures.iter()
}

/// All plugins, in table order.
pub fn plugins() -> impl Iterator<Item = &'static Signature> {
    PLUGINS.signatures.iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_tables_reads_as_a_signature() {
        for table in [&SCALARS, &AGGREGATES, &PLUGINS] {
            assert_eq!(table.bad, Vec::<&str>::new());
        }
        assert!(scalars().count() > 350, "{}", scalars().count());
    }

    #[test]
    fn aliases_lead_to_the_canonical_name() {
        for (alias, name) in [("iif", "iff"), ("todouble", "toreal"), ("pack", "bag_pack"), ("notempty", "isnotempty")]
        {
            assert_eq!(scalar(alias).map(|signature| signature.name), Some(name));
        }
        for (alias, name) in [("makeset", "make_set"), ("any", "take_any"), ("argmax", "arg_max")] {
            assert_eq!(aggregate(alias).map(|signature| signature.name), Some(name));
        }
    }

    #[test]
    fn usage_shows_optional_and_repeated_parameters() {
        let usage = |name| scalar(name).map(Signature::usage).unwrap_or_default();
        assert_eq!(usage("substring"), "substring(source: any, start: integer, [length: integer])");
        assert_eq!(usage("strcat"), "strcat(arg: any, …)");
    }
}
