//! Alerts of rules over tables: what rules, action groups and processing rules mean, when a rule fires and resolves,
//! what receivers are told. Pure: times, rows and identities come in; nothing here knows a clock, a network or a store.

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod action_group;
pub mod common_schema;
pub mod dynamic;
pub mod evaluate;
pub mod kql;
pub mod limits;
pub mod message;
pub mod observed;
pub mod period;
pub mod processing;
pub mod reading;
pub mod retry;
pub mod rule;
pub mod schedule;
pub mod work_item;
pub mod zones;

pub use period::Period;
pub use reading::{Problem, Problems};
