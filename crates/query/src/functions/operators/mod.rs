//! The operators of the language that are not plain expressions of DataFusion.

pub mod arithmetic;
pub mod compare;
pub mod index;
pub mod member;
pub mod needle;
pub mod search;
