//! Arrow over the PyCapsule interface: streams and arrays of any library come in, results go out. The only unsafe code
//! of the package: the interface is C structs behind pointers.
#![allow(unsafe_code)]

use std::ffi::CStr;

use arrow::array::{RecordBatch, RecordBatchIterator, StructArray};
use arrow::datatypes::{DataType, SchemaRef};
use arrow::error::ArrowError;
use arrow::ffi::{FFI_ArrowArray, FFI_ArrowSchema, from_ffi};
use arrow::ffi_stream::{ArrowArrayStreamReader, FFI_ArrowArrayStream};
use arrow::record_batch::RecordBatchReader;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::PyCapsule;

const STREAM: &CStr = c"arrow_array_stream";
const ARRAY: &CStr = c"arrow_array";
const SCHEMA: &CStr = c"arrow_schema";

/// Rows that came in.
pub struct Rows {
    pub schema: SchemaRef,
    pub batches: Vec<RecordBatch>,
}

/// All batches of an object with `__arrow_c_stream__`.
pub fn read_stream(value: &Bound<'_, PyAny>) -> PyResult<Result<Rows, ArrowError>> {
    let capsule = value.call_method0("__arrow_c_stream__")?.cast_into::<PyCapsule>()?;
    let pointer = capsule.pointer_checked(Some(STREAM))?.cast::<FFI_ArrowArrayStream>();
    // SAFETY: a capsule of this name holds a stream; it is moved out, and an empty one is left in its place
    let stream = unsafe { FFI_ArrowArrayStream::from_raw(pointer.as_ptr()) };
    // a stream may be made by Python code, which takes the interpreter itself when it is asked for a batch
    Ok(value.py().detach(|| {
        let reader = ArrowArrayStreamReader::try_new(stream)?;
        let schema = reader.schema();
        let batches = reader.collect::<Result<Vec<_>, _>>()?;
        Ok(Rows { schema, batches })
    }))
}

/// The one batch of an object with `__arrow_c_array__`.
pub fn read_array(value: &Bound<'_, PyAny>) -> PyResult<Result<Rows, ArrowError>> {
    let capsules = value.call_method0("__arrow_c_array__")?;
    let (schema, array): (Bound<'_, PyAny>, Bound<'_, PyAny>) = capsules.extract()?;
    let schema = schema.cast_into::<PyCapsule>()?.pointer_checked(Some(SCHEMA))?.cast::<FFI_ArrowSchema>();
    let array = array.cast_into::<PyCapsule>()?.pointer_checked(Some(ARRAY))?.cast::<FFI_ArrowArray>();
    // SAFETY: capsules of these names hold a schema, which stays where it is, and an array, which is moved out
    let data = unsafe { from_ffi(FFI_ArrowArray::from_raw(array.as_ptr()), schema.as_ref()) };
    let data = match data {
        Ok(data) if matches!(data.data_type(), DataType::Struct(_)) && data.null_count() == 0 => data,
        Ok(data) => {
            return Err(PyTypeError::new_err(format!(
                "a table is needed, and this is a column of {}",
                data.data_type()
            )));
        }
        Err(error) => return Ok(Err(error)),
    };
    let batch = RecordBatch::from(StructArray::from(data));
    Ok(Ok(Rows { schema: batch.schema(), batches: vec![batch] }))
}

/// Batches as what `__arrow_c_stream__` returns.
pub fn stream(py: Python<'_>, schema: SchemaRef, batches: Vec<RecordBatch>) -> PyResult<Bound<'_, PyCapsule>> {
    let reader = RecordBatchIterator::new(batches.into_iter().map(Ok), schema);
    PyCapsule::new_with_value(py, FFI_ArrowArrayStream::new(Box::new(reader)), STREAM)
}

/// A schema as what `__arrow_c_schema__` returns.
pub fn schema<'py>(py: Python<'py>, schema: &SchemaRef) -> PyResult<Bound<'py, PyCapsule>> {
    let schema = FFI_ArrowSchema::try_from(schema.as_ref())
        .map_err(|error| PyTypeError::new_err(format!("the schema cannot be handed on: {error}")))?;
    PyCapsule::new_with_value(py, schema, SCHEMA)
}
