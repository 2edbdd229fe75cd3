//! Typed tree to DataFusion plans; the function library over Arrow; running a query; result shapes.
