//! From the stored form of any Arrow column to the runtime form, and the Parquet scan below that.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BinaryArray, Int64Array, StringViewBuilder};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Int64Type, TimeUnit};
use base64::Engine as _;
use datafusion::catalog::Session;
use datafusion::catalog::memory::DataSourceExec;
use datafusion::common::stats::Precision;
use datafusion::common::{Column as ColumnRef, DFSchema, Statistics};
use datafusion::datasource::object_store::ObjectStoreUrl;
use datafusion::datasource::physical_plan::parquet::CachedParquetFileReaderFactory;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder, ParquetSource};
use datafusion::datasource::table_schema::TableSchema;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::projection::ProjectionExec;
use watchkeeper_kql::{Column, Ticks, Type};
use watchkeeper_store::KQL_TYPE;

use crate::functions::convert::read;
use crate::runtime::arrow_type;

/// A scan of Parquet files, left out by row groups and rows where they cannot meet the condition. None without files.
/// `rows` is how many the files have, as far as that is known: an exact number answers a plain count.
pub fn parquet(
    state: &dyn Session,
    schema: TableSchema,
    mut groups: Vec<FileGroup>,
    rows: Precision<usize>,
    condition: Option<Expr>,
    projection: &[usize],
) -> Result<Option<Arc<dyn ExecutionPlan>>> {
    groups.retain(|group| !group.is_empty());
    if groups.is_empty() {
        return Ok(None);
    }
    let columns = DFSchema::try_from(Arc::clone(schema.table_schema()))?;
    let statistics = Statistics { num_rows: rows, ..Statistics::new_unknown(schema.table_schema()) };
    let url = ObjectStoreUrl::local_filesystem();
    let runtime = state.runtime_env();
    let footers = CachedParquetFileReaderFactory::new(
        runtime.object_store(&url)?,
        runtime.cache_manager.get_file_metadata_cache(),
    );
    let mut source = ParquetSource::new(schema).with_parquet_file_reader_factory(Arc::new(footers));
    if let Some(condition) = condition {
        source = source.with_predicate(state.create_physical_expr(condition, &columns)?);
    }
    let source = source.with_pushdown_filters(true);
    let config = FileScanConfigBuilder::new(url, Arc::new(source))
        .with_file_groups(groups)
        .with_statistics(statistics)
        .with_projection_indices(Some(projection.to_vec()))?
        .build();
    Ok(Some(DataSourceExec::from_data_source(config)))
}

/// The rows of `input`, whose columns are `columns` in stored form, in runtime form.
pub fn in_runtime_form(
    state: &dyn Session,
    input: Arc<dyn ExecutionPlan>,
    columns: &[Column],
) -> Result<Arc<dyn ExecutionPlan>> {
    let stored = input.schema();
    let schema = DFSchema::try_from(Arc::clone(&stored))?;
    let mut converted = Vec::with_capacity(columns.len());
    for (column, field) in columns.iter().zip(stored.fields()) {
        let logical = runtime_form(&column.name, column.ty, field.data_type());
        converted.push((state.create_physical_expr(logical, &schema)?, column.name.clone()));
    }
    Ok(Arc::new(ProjectionExec::try_new(converted, input)?))
}

/// A stored column as the runtime has it.
fn runtime_form(name: &str, ty: Type, stored: &DataType) -> Expr {
    let column = Expr::Column(ColumnRef::new_unqualified(name));
    match (ty, stored) {
        (Type::String, _) => converted(ty, column),
        _ if arrow_type(ty) == *stored => column,
        _ => converted(ty, column),
    }
}

fn converted(ty: Type, column: Expr) -> Expr {
    let function =
        ToRuntimeForm { name: format!("__stored_as({ty})"), ty, signature: Signature::any(1, Volatility::Immutable) };
    ScalarUDF::new_from_impl(function).call(vec![column])
}

/// The type of the language that holds the values of an Arrow field.
pub fn type_of(field: &Field) -> Type {
    if let Some(ty) = field.metadata().get(KQL_TYPE).and_then(|name| Type::from_name(name)) {
        return ty;
    }
    if field.extension_type_name() == Some("arrow.uuid") {
        return Type::Guid;
    }
    type_of_arrow(field.data_type())
}

fn type_of_arrow(stored: &DataType) -> Type {
    match stored {
        DataType::Boolean => Type::Bool,
        DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::UInt8 | DataType::UInt16 => Type::Int,
        DataType::Int64 | DataType::UInt32 | DataType::UInt64 => Type::Long,
        DataType::Float16 | DataType::Float32 | DataType::Float64 => Type::Real,
        DataType::Decimal32(..) | DataType::Decimal64(..) | DataType::Decimal128(..) | DataType::Decimal256(..) => {
            Type::Decimal
        }
        DataType::Timestamp(..) | DataType::Date32 | DataType::Date64 => Type::Datetime,
        DataType::Time32(_) | DataType::Time64(_) | DataType::Duration(_) => Type::Timespan,
        DataType::Dictionary(_, values) => type_of_arrow(values),
        DataType::RunEndEncoded(_, values) => type_of(values),
        _ if stored.is_nested() => Type::Dynamic,
        _ => Type::String,
    }
}

/// [`convert`] as a function of a plan.
#[derive(Debug, PartialEq, Eq, Hash)]
struct ToRuntimeForm {
    name: String,
    ty: Type,
    signature: Signature,
}

impl ScalarUDFImpl for ToRuntimeForm {
    fn name(&self) -> &str {
        &self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(arrow_type(self.ty))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        Ok(ColumnarValue::Array(convert(&arrays[0], self.ty)?))
    }
}

/// Values of any Arrow type as the runtime form of `ty`. What has no value there becomes null.
pub fn convert(array: &ArrayRef, ty: Type) -> Result<ArrayRef> {
    let array = match array.data_type() {
        DataType::Dictionary(_, values) => &cast(array, values)?,
        DataType::RunEndEncoded(_, values) => &cast(array, values.data_type())?,
        _ => array,
    };
    let stored = array.data_type();
    Ok(match ty {
        Type::Bool | Type::Int | Type::Long | Type::Real | Type::Decimal => cast(array, &arrow_type(ty))?,
        Type::Datetime => match stored {
            DataType::Date32 => {
                let days = cast(array, &DataType::Int32)?;
                let days = cast(&days, &DataType::Int64)?;
                scaled(&days, |days| days.checked_mul(Ticks::PER_DAY), Ticks::UNIX_EPOCH.0)
            }
            DataType::Date64 => {
                let millis = cast(array, &DataType::Int64)?;
                scaled(&millis, |millis| millis.checked_mul(Ticks::PER_MILLISECOND), Ticks::UNIX_EPOCH.0)
            }
            DataType::Timestamp(TimeUnit::Microsecond, _) => {
                ticks_of_micros(cast(array, &DataType::Int64)?.as_primitive::<Int64Type>())
            }
            DataType::Timestamp(unit, _) => {
                scaled(&cast(array, &DataType::Int64)?, ticks_of(*unit), Ticks::UNIX_EPOCH.0)
            }
            _ => texts(array, read::datetime)?,
        },
        Type::Timespan => match stored {
            DataType::Time32(unit) => {
                let numbers = cast(&cast(array, &DataType::Int32)?, &DataType::Int64)?;
                scaled(&numbers, ticks_of(*unit), 0)
            }
            DataType::Time64(unit) | DataType::Duration(unit) => {
                scaled(&cast(array, &DataType::Int64)?, ticks_of(*unit), 0)
            }
            _ => cast(array, &DataType::Int64)?,
        },
        Type::String => strings(array)?,
        Type::Guid => guids(array)?,
        Type::Dynamic => dynamics(array)?,
    })
}

/// Ticks from numbers in a unit. Nanoseconds are rounded down.
fn ticks_of(unit: TimeUnit) -> fn(i64) -> Option<i64> {
    match unit {
        TimeUnit::Second => |number| number.checked_mul(Ticks::PER_SECOND),
        TimeUnit::Millisecond => |number| number.checked_mul(Ticks::PER_MILLISECOND),
        TimeUnit::Microsecond => |number| number.checked_mul(Ticks::PER_MICROSECOND),
        TimeUnit::Nanosecond => |number| Some(number.div_euclid(100)),
    }
}

/// Microseconds since the Unix epoch as ticks: a multiplication and an addition over the whole column, where no value
/// is too far off for that.
fn ticks_of_micros(micros: &Int64Array) -> ArrayRef {
    const FURTHEST: u64 = (i64::MAX / Ticks::PER_MICROSECOND - Ticks::UNIX_EPOCH.0) as u64;
    let scale = |micros: i64| micros.wrapping_mul(Ticks::PER_MICROSECOND).wrapping_add(Ticks::UNIX_EPOCH.0);
    if micros.values().iter().fold(false, |far, micros| far | (micros.unsigned_abs() > FURTHEST)) {
        return Arc::new(micros.unary_opt::<_, Int64Type>(|micros| {
            micros.checked_mul(Ticks::PER_MICROSECOND)?.checked_add(Ticks::UNIX_EPOCH.0)
        }));
    }
    Arc::new(micros.unary::<_, Int64Type>(scale))
}

fn scaled(numbers: &ArrayRef, scale: impl Fn(i64) -> Option<i64>, from: i64) -> ArrayRef {
    let numbers = numbers.as_primitive::<Int64Type>();
    let scaled = numbers.iter().map(|number| number.and_then(&scale).and_then(|ticks| ticks.checked_add(from)));
    Arc::new(scaled.collect::<Int64Array>())
}

fn texts(array: &ArrayRef, read: impl Fn(&str) -> Option<i64>) -> Result<ArrayRef> {
    let texts = cast(array, &DataType::Utf8View)?;
    let numbers = texts.as_string_view().iter().map(|text| text.and_then(&read));
    Ok(Arc::new(numbers.collect::<Int64Array>()))
}

/// Text of anything; the empty text of null. Bytes are base64.
fn strings(array: &ArrayRef) -> Result<ArrayRef> {
    let mut out = StringViewBuilder::with_capacity(array.len());
    match array.data_type() {
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => {
            let bytes = cast(array, &DataType::Binary)?;
            let bytes: &BinaryArray = bytes.as_binary();
            for value in bytes {
                out.append_value(base64::engine::general_purpose::STANDARD.encode(value.unwrap_or_default()));
            }
        }
        _ if array.data_type().is_nested() => {
            let texts = dynamics(array)?;
            texts.as_string_view().iter().for_each(|text| out.append_value(text.unwrap_or_default()));
        }
        _ => {
            let texts = cast(array, &DataType::Utf8View)?;
            if texts.null_count() == 0 && *texts.data_type() == DataType::Utf8View {
                return Ok(texts);
            }
            texts.as_string_view().iter().for_each(|text| out.append_value(text.unwrap_or_default()));
        }
    }
    Ok(Arc::new(out.finish()))
}

/// Identifiers in lower case with hyphens, from their sixteen bytes or from text.
fn guids(array: &ArrayRef) -> Result<ArrayRef> {
    let mut out = StringViewBuilder::with_capacity(array.len());
    if let DataType::FixedSizeBinary(16) = array.data_type() {
        for bytes in array.as_fixed_size_binary() {
            let id = bytes.and_then(|bytes| uuid::Uuid::from_slice(bytes).ok());
            out.append_option(id.map(|id| id.hyphenated().to_string()));
        }
    } else {
        let texts = cast(array, &DataType::Utf8View)?;
        for text in texts.as_string_view() {
            out.append_option(text.and_then(read::guid));
        }
    }
    Ok(Arc::new(out.finish()))
}

/// Compact JSON text of nested values, or the text itself where it is JSON already.
fn dynamics(array: &ArrayRef) -> Result<ArrayRef> {
    use arrow::json::writer::{EncoderOptions, make_encoder};
    if array.data_type().is_string() {
        return Ok(cast(array, &DataType::Utf8View)?);
    }
    let field = Arc::new(Field::new("item", array.data_type().clone(), true));
    let options = EncoderOptions::default();
    let mut encoder = make_encoder(&field, array.as_ref(), &options)?;
    let mut out = StringViewBuilder::with_capacity(array.len());
    let mut text = Vec::new();
    for row in 0..array.len() {
        if array.is_null(row) {
            out.append_null();
            continue;
        }
        text.clear();
        encoder.encode(row, &mut text);
        let text = std::str::from_utf8(&text).map_err(|error| DataFusionError::External(Box::new(error)))?;
        out.append_value(text);
    }
    Ok(Arc::new(out.finish()))
}
