//! Where a browser is sent back to: addresses that were registered, to the letter, and for programs on the person's own
//! machine the loopback addresses with any port (RFC 8252, section 7.3).

/// Whether an address can be registered: HTTPS, or HTTP to the loopback interface; no fragment, no user, no wildcard.
pub fn check_redirect_uri(uri: &str) -> Result<(), &'static str> {
    if uri.len() > 2000 || uri.bytes().any(|byte| byte.is_ascii_control() || b" \"<>\\^`{|}*#@".contains(&byte)) {
        return Err("it has characters that cannot stand in it, a fragment, or a wildcard, or is longer than 2000");
    }
    let good = |host: &str| host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-[]:".contains(&byte));
    match split(uri) {
        Some((_, host, _, _)) if !good(host) => Err("its host has characters that no host has"),
        Some(("https", host, _, _)) if !host.is_empty() => Ok(()),
        Some(("http", host, _, _)) if is_loopback(host) => Ok(()),
        Some(("http", ..)) => Err("http is for localhost and the loopback addresses alone; use https"),
        _ => Err("it has to begin with https://HOST, or http://localhost"),
    }
}

/// Whether `asked` is one of the registered addresses. A registered loopback address stands for any port; its path has
/// to be the same, with or without a slash at the end where there is none else.
pub fn redirect_fits(asked: &str, registered: &[String]) -> bool {
    if check_redirect_uri(asked).is_err() {
        return false;
    }
    registered.iter().any(|known| {
        if known == asked {
            return true;
        }
        match (split(known), split(asked)) {
            (Some(("http", known_host, _, known_rest)), Some(("http", host, _, rest))) => {
                let bare = |rest: &str| if rest == "/" { String::new() } else { rest.to_owned() };
                is_loopback(known_host) && known_host == host && bare(known_rest) == bare(rest)
            }
            _ => false,
        }
    })
}

/// Scheme, host, port, and the rest from the first slash or question mark.
fn split(uri: &str) -> Option<(&str, &str, &str, &str)> {
    let (scheme, rest) = uri.split_once("://")?;
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !host.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) => (host, port),
        _ => (authority, ""),
    };
    Some((scheme, host, port, path))
}

fn is_loopback(host: &str) -> bool {
    ["localhost", "127.0.0.1", "[::1]"].contains(&host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_registered_addresses_fit_and_loopback_ones_with_any_port() {
        let known: Vec<String> =
            ["https://app.example/back", "http://localhost", "http://127.0.0.1/x"].map(str::to_owned).to_vec();
        for (asked, fits) in [
            ("https://app.example/back", true),
            ("https://app.example/back/", false),
            ("https://app.example/back?x=1", false),
            ("https://app.example:444/back", false),
            ("https://app.example.evil/back", false),
            ("http://localhost:8400", true),
            ("http://localhost:8400/", true),
            ("http://localhost:8400/else", false),
            ("http://localhost.evil:8400", false),
            ("http://localhost@evil", false),
            ("http://localhost:80@evil/", false),
            ("http://127.0.0.1:9/x", true),
            ("http://127.0.0.1:9/", false),
            ("https://localhost:8400", false),
            ("http://localhost:8400#x", false),
            ("", false),
        ] {
            assert_eq!(redirect_fits(asked, &known), fits, "{asked}");
        }
    }

    #[test]
    fn what_could_lead_elsewhere_cannot_be_registered() {
        for uri in ["https://a.example", "http://localhost", "http://[::1]:8/x"] {
            assert_eq!(check_redirect_uri(uri), Ok(()), "{uri}");
        }
        for uri in [
            "http://a.example",
            "https://*.example",
            "javascript:alert(1)",
            "https://a#b",
            "https://",
            "a",
            "https://a;b",
        ] {
            assert!(check_redirect_uri(uri).is_err(), "{uri}");
        }
    }
}
