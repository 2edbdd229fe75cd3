//! The model of a management group: management packs, objects, workflows, health. Pure: time and randomness are passed
//! in, nothing here knows a clock, a disk, a network or a runtime. The agent uses it too, so it stays small.

pub mod baseline;
pub mod civil;
#[cfg(feature = "packs")]
pub mod compile;
pub mod expression;
pub mod groups;
pub mod health;
pub mod ids;
pub mod item;
pub mod maintenance;
pub mod node;
pub mod objects;
pub mod overrides;
#[cfg(feature = "packs")]
pub mod pack;
pub mod substitute;
pub mod workflow;
pub mod xpath;
