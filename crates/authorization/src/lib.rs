//! Who may do what: actions, scopes, roles, assignments, and decisions with their reason. Nothing here knows HTTP, a
//! clock or a store.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod access;
mod action;
mod built_in;
mod role;
mod scope;

pub use access::{Access, Assignment, Denied, Readable};
pub use action::{Action, Level};
pub use built_in::built_in_roles;
pub use role::{Permission, RoleDefinition, RoleError, check_custom, find_role, matches};
pub use scope::{Scope, ScopeError};
