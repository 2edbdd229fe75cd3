//! Who may do what, for every route: [`Routes`] mounts no handler without saying what it takes, and the guard asks before
//! a handler runs. What roles allow is decided in the crate `watchkeeper-authorization`.

mod given;
mod guard;
mod refusals;
mod routes;
mod table;
mod visible;

pub use given::{OWNER, access_of, custom_roles, grant_by_name, move_old_roles, names_of, roles_by_name};
pub use guard::{Need, scope_of};
pub use routes::{Listed, Methods, Routes, delete, get, patch, post, put};
pub use table::route_table;
pub use visible::{Cut, Visible};
