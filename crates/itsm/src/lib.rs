//! Connections to service desks: what a work item is, what a connection needs, and one folder a product that speaks to
//! it. Every product is behind the trait [`ServiceDesk`]; who has read one has read all. This crate knows no store, no
//! tables and no schedule: it asks a product and answers.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod cherwell;
mod configuration;
mod connection;
mod desk;
mod fields;
mod http;
mod moments;
mod problem;
mod provance;
mod request_tracker;
mod service_manager;
mod servicenow;
mod session;
mod time;
mod work_item;

pub use configuration::{Choice, Configuration, FieldChoices, Person, Template};
pub use connection::{ActionKind, MOST_DAYS, Partner, Secrets, Settings};
pub use desk::{After, Exchange, Page, Position, ServiceDesk, Tested, Timing, open};
pub use fields::{CHANGE_REQUEST_FIELDS, Field, INCIDENT_FIELDS, fields_of};
pub use problem::{Part, Problem};
pub use work_item::{Change, NewWorkItem, OVER_STATES, Outcome, Target, Ticket, WorkItem, WorkItemKind};
