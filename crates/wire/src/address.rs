//! How the parts of a management group name and find each other.

use tonic::Status;
use tonic::metadata::MetadataMap;

use crate::{DEFAULT_PORT, THROUGH};

/// Longer chains of gateways are taken for a ring.
const MAX_GATEWAYS: usize = 8;
const MAX_ID: usize = 80;

/// The address with the agents' port where it names none.
#[must_use]
pub fn with_port(server: &str) -> String {
    let has_port = match server.rsplit_once(':') {
        Some((host, port)) => port.parse::<u16>().is_ok() && (!host.contains(':') || host.ends_with(']')),
        None => false,
    };
    match (has_port, server.contains(':') && !server.starts_with('[')) {
        (true, _) => server.to_owned(),
        (false, true) => format!("[{server}]:{DEFAULT_PORT}"),
        (false, false) => format!("{server}:{DEFAULT_PORT}"),
    }
}

/// Whether a text can name an agent, a gateway or a queue: letters, digits and hyphens, so that it can also be the name
/// of a folder.
#[must_use]
pub fn is_plain_id(text: &str) -> bool {
    (1..=MAX_ID).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// The gateways that a call came through before the one that calls.
///
/// # Errors
/// When they are not identities, or more than a chain can have.
#[allow(clippy::result_large_err)]
pub fn through(metadata: &MetadataMap) -> Result<Vec<String>, Status> {
    let Some(value) = metadata.get(THROUGH) else { return Ok(Vec::new()) };
    let gateways: Vec<String> = value.to_str().unwrap_or_default().split(',').map(str::to_owned).collect();
    if gateways.len() > MAX_GATEWAYS {
        let message =
            format!("a chain of more than {MAX_GATEWAYS} gateways; does one of them have itself as its server?");
        return Err(Status::invalid_argument(message));
    }
    match gateways.iter().find(|gateway| !is_plain_id(gateway)) {
        Some(gateway) => Err(Status::invalid_argument(format!("{gateway:?} is not the identity of a gateway"))),
        None => Ok(gateways),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_without_a_port_is_on_5723() {
        for (server, address) in [
            ("wk", "wk:5723"),
            ("wk:1", "wk:1"),
            ("10.0.0.1", "10.0.0.1:5723"),
            ("::1", "[::1]:5723"),
            ("[::1]", "[::1]:5723"),
            ("[::1]:9", "[::1]:9"),
        ] {
            assert_eq!(with_port(server), address);
        }
    }

    #[test]
    fn an_identity_is_no_path() {
        assert!(is_plain_id("6a0f9d52-7f0c-4f7c") && is_plain_id("a-urgent"));
        for text in ["", ".", "..", "a/b", "a_b", "a b", "\u{e9}", &"a".repeat(81)] {
            assert!(!is_plain_id(text), "{text:?}");
        }
    }
}
