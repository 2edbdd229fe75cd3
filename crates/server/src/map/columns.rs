//! Columns of a result by name, as the query engine types them.

use arrow::array::{Array, Int32Array, Int64Array, StringViewArray};
use arrow::record_batch::RecordBatch;
use watchkeeper_kql::Ticks;
use watchkeeper_map::Time;
use watchkeeper_query::{QueryError, ResultTable};

/// One batch of a result.
pub(super) struct Columns<'b> {
    batch: &'b RecordBatch,
}

impl<'b> Columns<'b> {
    /// All batches of all tables.
    pub fn all(tables: &'b [ResultTable]) -> impl Iterator<Item = Columns<'b>> {
        tables.iter().flat_map(|table| &table.batches).map(|batch| Columns { batch })
    }

    pub fn rows(&self) -> std::ops::Range<usize> {
        0..self.batch.num_rows()
    }

    fn array<A: Array + 'static>(&self, name: &str) -> Result<&'b A, QueryError> {
        let array = self.batch.column_by_name(name).and_then(|column| column.as_any().downcast_ref::<A>());
        array.ok_or_else(|| QueryError::execution(format!("the map's rows have no column {name} of the type it needs")))
    }

    pub fn text(&self, name: &str) -> Result<Text<'b>, QueryError> {
        Ok(Text(self.array(name)?))
    }

    pub fn texts<const N: usize>(&self, names: [&str; N]) -> Result<[Text<'b>; N], QueryError> {
        let found = names.into_iter().map(|name| self.text(name)).collect::<Result<Vec<_>, _>>()?;
        found.try_into().map_err(|_| QueryError::execution("as many columns as names were read"))
    }

    pub fn number(&self, name: &str) -> Result<Number<'b>, QueryError> {
        match self.array::<Int64Array>(name) {
            Ok(array) => Ok(Number::Long(array)),
            Err(_) => Ok(Number::Int(self.array::<Int32Array>(name)?)),
        }
    }

    pub fn time(&self, name: &str) -> Result<Instants<'b>, QueryError> {
        Ok(Instants(self.array(name)?))
    }
}

/// A column of texts, or of dynamic values as JSON.
pub(super) struct Text<'b>(&'b StringViewArray);

impl<'b> Text<'b> {
    /// Null is the empty text.
    pub fn at(&self, row: usize) -> &'b str {
        if self.0.is_null(row) { "" } else { self.0.value(row) }
    }

    pub fn owned(&self, row: usize) -> String {
        self.at(row).to_owned()
    }
}

/// A column of whole numbers.
pub(super) enum Number<'b> {
    Long(&'b Int64Array),
    Int(&'b Int32Array),
}

impl Number<'_> {
    /// Null, and less than nothing, is 0.
    pub fn at(&self, row: usize) -> u64 {
        let value = match self {
            Number::Long(array) if array.is_valid(row) => array.value(row),
            Number::Int(array) if array.is_valid(row) => i64::from(array.value(row)),
            Number::Long(_) | Number::Int(_) => 0,
        };
        u64::try_from(value).unwrap_or(0)
    }

    pub fn port(&self, row: usize) -> u16 {
        u16::try_from(self.at(row)).unwrap_or(0)
    }
}

/// A column of instants.
pub(super) struct Instants<'b>(&'b Int64Array);

impl Instants<'_> {
    pub fn at(&self, row: usize) -> Option<Time> {
        self.0.is_valid(row).then(|| Time((self.0.value(row) - Ticks::UNIX_EPOCH.0).div_euclid(10)))
    }

    pub fn or_zero(&self, row: usize) -> Time {
        self.at(row).unwrap_or_default()
    }
}
