//! Proof key for code exchange, RFC 7636: only who began a sign-in can end it. Method S256 alone.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest};

/// Whether a challenge is the base64url of a SHA-256.
pub fn check_challenge(challenge: &str) -> bool {
    URL_SAFE_NO_PAD.decode(challenge).is_ok_and(|bytes| bytes.len() == 32)
}

/// Whether a verifier of a good form (section 4.1) belongs to a challenge.
pub fn check_verifier(challenge: &str, verifier: &str) -> bool {
    let good = verifier.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte));
    if !good || !(43..=128).contains(&verifier.len()) {
        return false;
    }
    URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.as_bytes())) == challenge
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_rfc() {
        let (verifier, challenge) =
            ("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
        assert!(check_challenge(challenge) && check_verifier(challenge, verifier));
        assert!(!check_verifier(challenge, &verifier.replace('d', "e")));
        assert!(!check_verifier(challenge, "short") && !check_challenge("short"));
        let accents = "ä".repeat(50);
        assert!(!check_verifier(&URL_SAFE_NO_PAD.encode(digest(&SHA256, accents.as_bytes())), &accents));
    }
}
