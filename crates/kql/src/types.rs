//! The scalar types of the language, schemas, and literal values. Nothing here knows Arrow.

use std::fmt;

/// The scalar types (reference: "Scalar data types"). Strings are never null; every other type is nullable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Type {
    Bool,
    Int,
    Long,
    Real,
    Decimal,
    Datetime,
    Timespan,
    String,
    Guid,
    Dynamic,
}

impl Type {
    pub const ALL: [Type; 10] = [
        Type::Bool,
        Type::Int,
        Type::Long,
        Type::Real,
        Type::Decimal,
        Type::Datetime,
        Type::Timespan,
        Type::String,
        Type::Guid,
        Type::Dynamic,
    ];

    /// The name that the language and the query APIs print.
    pub const fn name(self) -> &'static str {
        match self {
            Type::Bool => "bool",
            Type::Int => "int",
            Type::Long => "long",
            Type::Real => "real",
            Type::Decimal => "decimal",
            Type::Datetime => "datetime",
            Type::Timespan => "timespan",
            Type::String => "string",
            Type::Guid => "guid",
            Type::Dynamic => "dynamic",
        }
    }

    /// Reads a type name, with the aliases that the language accepts (`boolean`, `double`, `date`, `time`, `uuid`, …).
    pub fn from_name(name: &str) -> Option<Type> {
        Some(match name {
            "bool" | "boolean" => Type::Bool,
            "int" | "int32" | "uint32" | "int16" | "uint16" | "int8" | "uint8" | "uint" => Type::Int,
            "long" | "int64" | "ulong" | "uint64" => Type::Long,
            "real" | "double" | "float" => Type::Real,
            "decimal" => Type::Decimal,
            "datetime" | "date" => Type::Datetime,
            "timespan" | "time" => Type::Timespan,
            "string" => Type::String,
            "guid" | "uuid" | "uniqueid" => Type::Guid,
            "dynamic" => Type::Dynamic,
            _ => return None,
        })
    }

    pub const fn is_integer(self) -> bool {
        matches!(self, Type::Int | Type::Long)
    }

    pub const fn is_numeric(self) -> bool {
        matches!(self, Type::Int | Type::Long | Type::Real | Type::Decimal)
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// 100-nanosecond ticks. A datetime counts them from 0001-01-01T00:00:00 UTC (never negative,
/// at most [`Ticks::MAX_DATETIME`]); a timespan is a signed number of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ticks(pub i64);

impl Ticks {
    pub const PER_MICROSECOND: i64 = 10;
    pub const PER_MILLISECOND: i64 = 10_000;
    pub const PER_SECOND: i64 = 10_000_000;
    pub const PER_MINUTE: i64 = 60 * Self::PER_SECOND;
    pub const PER_HOUR: i64 = 60 * Self::PER_MINUTE;
    pub const PER_DAY: i64 = 24 * Self::PER_HOUR;
    /// 1970-01-01T00:00:00 UTC.
    pub const UNIX_EPOCH: Ticks = Ticks(621_355_968_000_000_000);
    /// 9999-12-31T23:59:59.9999999 UTC.
    pub const MAX_DATETIME: Ticks = Ticks(3_155_378_975_999_999_999);

    /// From microseconds since the Unix epoch, as tables store datetimes.
    pub const fn from_unix_micros(micros: i64) -> Ticks {
        Ticks(micros.saturating_mul(Self::PER_MICROSECOND).saturating_add(Self::UNIX_EPOCH.0))
    }

    /// Microseconds since the Unix epoch, rounded down.
    pub const fn to_unix_micros(self) -> i64 {
        (self.0 - Self::UNIX_EPOCH.0).div_euclid(Self::PER_MICROSECOND)
    }
}

/// A constant of the language.
#[derive(Debug, Clone, PartialEq)]
pub enum Literal {
    /// `bool(null)` and its like; never of type string.
    Null(Type),
    Bool(bool),
    Int(i32),
    Long(i64),
    Real(f64),
    /// The digits as written, for instance `1.0` or `-12.5e3`; at most 34 significant digits.
    Decimal(String),
    Datetime(Ticks),
    Timespan(Ticks),
    String(String),
    /// Big-endian value of the 16 bytes as printed.
    Guid(u128),
    /// Compact JSON text.
    Dynamic(String),
}

impl Literal {
    pub fn ty(&self) -> Type {
        match self {
            Literal::Null(ty) => *ty,
            Literal::Bool(_) => Type::Bool,
            Literal::Int(_) => Type::Int,
            Literal::Long(_) => Type::Long,
            Literal::Real(_) => Type::Real,
            Literal::Decimal(_) => Type::Decimal,
            Literal::Datetime(_) => Type::Datetime,
            Literal::Timespan(_) => Type::Timespan,
            Literal::String(_) => Type::String,
            Literal::Guid(_) => Type::Guid,
            Literal::Dynamic(_) => Type::Dynamic,
        }
    }
}

/// A named, typed column.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Column {
    pub name: String,
    pub ty: Type,
}

impl Column {
    pub fn new(name: impl Into<String>, ty: Type) -> Column {
        Column { name: name.into(), ty }
    }
}

/// The columns of a table or of an operator's output, in order. Names are unique and case-sensitive.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Schema {
    pub columns: Vec<Column>,
}

impl Schema {
    pub fn new(columns: Vec<Column>) -> Schema {
        Schema { columns }
    }

    pub fn get(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    pub fn index_of(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.name == name)
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().map(|column| column.name.as_str())
    }
}
