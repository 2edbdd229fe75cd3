//! Functions of series, which are dynamic arrays of numbers. A function with several results gives a bag of them.

pub mod arithmetic;
pub mod decompose;
pub mod fill;
pub mod filter;
pub mod fit;
pub mod fourier;
mod numbers;
pub mod outliers;
pub mod periods;
pub mod statistics;
