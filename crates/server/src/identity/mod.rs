//! Who is calling: tokens of service principals, console sessions, and what their roles allow.

mod caller;
pub mod directories;
pub mod providers;
pub mod sources;
mod throttle;
mod tokens;

pub use caller::{AuthError, Caller, SESSION_COOKIE, authenticate, cookie};
pub use throttle::Throttle;
pub use tokens::{Claims, TOKEN_SECONDS, TokenError, Tokens};
