//! Certificates that a company brings instead of those of the management group's own authority: the request, PEM and PFX
//! files, all checks before one is used, and the commands for them, which server, gateway and agent share.
//!
//! Knows no network and no store; who may connect with such a certificate is the management server's to say.

mod bundle;
mod chain;
mod check;
mod command;
mod facts;
mod identity;
mod problem;
mod request;
mod revocation;

pub use bundle::{Bundle, read_authorities};
pub use check::{Requirements, authority_problems, check};
pub use command::{ImportArgs, Place, RequestArgs, default_name, system_authorities};
pub use facts::{Facts, reversed_serial};
pub use identity::{Identity, Imported, Role};
pub use problem::{CertificateError, Problem};
pub use request::{Request, request};
pub use revocation::{MAX_LIST_BYTES, RevocationList, Revoked, read_revocation_list};
