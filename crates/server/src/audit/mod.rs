//! The table `Audit`: one row for each change over an API, each attempt that was refused, each sign-in. Rows are made in
//! one place, the guard of the routes (`authorization/guard.rs`); a handler adds to the row of its call by the [`Trail`].

mod call;
mod log;
mod trail;

pub use call::{Call, Kept, Reason};
pub use log::AuditLog;
pub use trail::{Trail, Who};
