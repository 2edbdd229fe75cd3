//! A client of the Service Map REST API (Microsoft.OperationalInsights, 2015-11-01-preview) and of the lists of Azure
//! Resource Manager that lead to a workspace: Azure's own, or those of another Watchkeeper. What goes wrong is told apart
//! ([`Kind`]), each with what to do about it.
//!
//! This crate knows no management group and no store: who asks decides what becomes of a map.

mod answer;
mod client;
mod map;
mod problem;
mod resources;
mod transport;

pub use client::{Client, Settings};
pub use map::{ClientGroup, Edge, Machine, MachineGroup, Map, Process, Window};
pub use problem::{Kind, Problem};
pub use resources::{Place, ResourceGroup, Subscription, Workspace};
