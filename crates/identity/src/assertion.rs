//! What an application says of itself with its certificate's key in the place of a secret: `private_key_jwt` of OpenID
//! Connect Core, section 9, in the form that Microsoft's libraries send (RFC 7523; the header names the certificate by
//! `x5t#S256` or `x5t`).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use crate::Certificate;
use crate::certificate::hex;

/// The clocks of two machines may differ by so many seconds.
const SKEW: i64 = 300;
/// An assertion that is valid for longer is refused: its identity has to be remembered until it ends.
const LONGEST: i64 = 24 * 3600;
/// Longest `jti`.
const MOST_IDENTITY_BYTES: usize = 256;

/// An assertion that was read, of which nothing is checked yet.
#[derive(Debug)]
pub struct Assertion<'a> {
    algorithm: String,
    thumbprint: Option<String>,
    thumbprint_sha256: Option<String>,
    claims: Map<String, Value>,
    signed: &'a str,
    signature: Vec<u8>,
}

/// What a good assertion leaves to do: to see that its identity was not used before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proven {
    /// `jti`.
    pub identity: String,
    /// Seconds since the Unix epoch until which the identity has to be remembered.
    pub until: i64,
}

/// Why an assertion does not count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AssertionError {
    #[error("it is not a signed JWT: {0}")]
    Format(&'static str),
    #[error("its algorithm is {0:?}; RS256, PS256 and ES256 are taken")]
    Algorithm(String),
    #[error("its header names no certificate by x5t#S256 or x5t")]
    Unnamed,
    #[error("the signature is not that of the certificate {0}")]
    Signature(String),
    #[error("the certificate {0} is not valid at this time")]
    Certificate(String),
    #[error("its audience is {0}; it has to be the token endpoint")]
    Audience(String),
    #[error("its {claim} is {value:?}; it has to be the client id {client:?}")]
    Client { claim: &'static str, value: String, client: String },
    #[error("it is not within its valid time range: the time is {now}, nbf is {from}, exp is {until}")]
    Time { now: i64, from: i64, until: i64 },
    #[error("it has no jti, or a longer one than 256 bytes")]
    Identity,
    #[error("it was used before")]
    Replayed,
}

impl<'a> Assertion<'a> {
    /// Takes an assertion apart.
    pub fn read(text: &'a str) -> Result<Assertion<'a>, AssertionError> {
        let format = AssertionError::Format;
        let (signed, signature) = text.rsplit_once('.').ok_or(format("it has no three parts"))?;
        let (header, claims) = signed.split_once('.').ok_or(format("it has no three parts"))?;
        let header = object(header).ok_or(format("its header is not JSON in base64url"))?;
        let claims = object(claims).ok_or(format("its claims are not JSON in base64url"))?;
        let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| format("its signature is not base64url"))?;
        if header.contains_key("crit") {
            return Err(format("its header has critical extensions"));
        }
        let algorithm = text_of(&header, "alg");
        if !["RS256", "PS256", "ES256"].contains(&algorithm.as_str()) {
            return Err(AssertionError::Algorithm(algorithm));
        }
        Ok(Assertion {
            algorithm,
            thumbprint: thumbprint(&header, "x5t"),
            thumbprint_sha256: thumbprint(&header, "x5t#S256"),
            claims,
            signed,
            signature,
        })
    }

    /// Who it is of, as it says itself.
    pub fn client_id(&self) -> &str {
        self.claims.get("sub").and_then(Value::as_str).unwrap_or_default()
    }

    /// The certificate that it names, among those that are registered.
    pub fn certificate<'c>(&self, known: &'c [Certificate]) -> Result<Option<&'c Certificate>, AssertionError> {
        match (&self.thumbprint_sha256, &self.thumbprint) {
            (Some(print), _) => Ok(known.iter().find(|certificate| certificate.thumbprint_sha256 == *print)),
            (None, Some(print)) => Ok(known.iter().find(|certificate| certificate.thumbprint == *print)),
            (None, None) => Err(AssertionError::Unnamed),
        }
    }

    /// The thumbprint of the certificate that it names.
    pub fn named(&self) -> &str {
        self.thumbprint_sha256.as_deref().or(self.thumbprint.as_deref()).unwrap_or_default()
    }

    /// Checks everything but whether it was used before. `audiences` are the addresses of the token endpoint; `now` is
    /// in seconds since the Unix epoch.
    pub fn check(
        &self,
        certificate: &Certificate,
        client_id: &str,
        audiences: &[String],
        now: i64,
    ) -> Result<Proven, AssertionError> {
        let name = || certificate.thumbprint.clone();
        if !certificate.signed(&self.algorithm, self.signed.as_bytes(), &self.signature) {
            return Err(AssertionError::Signature(name()));
        }
        if now < certificate.not_before || now > certificate.not_after {
            return Err(AssertionError::Certificate(name()));
        }
        for claim in ["iss", "sub"] {
            let value = text_of(&self.claims, claim);
            if !value.eq_ignore_ascii_case(client_id) {
                return Err(AssertionError::Client { claim, value, client: client_id.to_owned() });
            }
        }
        let audience = self.claims.get("aud").unwrap_or(&Value::Null);
        let given: Vec<&str> = match audience {
            Value::Array(many) => many.iter().filter_map(Value::as_str).collect(),
            one => one.as_str().into_iter().collect(),
        };
        let fits = |given: &str| audiences.iter().any(|known| known.eq_ignore_ascii_case(given.trim_end_matches('/')));
        if !given.iter().any(|given| fits(given)) {
            return Err(AssertionError::Audience(audience.to_string()));
        }
        let time = |name: &str| self.claims.get(name).and_then(Value::as_f64).map(|seconds| seconds as i64);
        let until = time("exp").unwrap_or(0);
        let from = time("nbf").or(time("iat")).unwrap_or(now);
        if until <= now - SKEW || from > now + SKEW || until > now + LONGEST + SKEW {
            return Err(AssertionError::Time { now, from, until });
        }
        let identity = text_of(&self.claims, "jti");
        if identity.is_empty() || identity.len() > MOST_IDENTITY_BYTES {
            return Err(AssertionError::Identity);
        }
        Ok(Proven { identity, until: until + SKEW })
    }
}

fn object(part: &str) -> Option<Map<String, Value>> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part.trim_end_matches('=')).ok()?).ok()
}

fn text_of(object: &Map<String, Value>, name: &str) -> String {
    object.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// A thumbprint as hexadecimal digits.
fn thumbprint(header: &Map<String, Value>, name: &str) -> Option<String> {
    let encoded = header.get(name)?.as_str()?.trim_end_matches('=');
    URL_SAFE_NO_PAD.decode(encoded).ok().map(|bytes| hex(&bytes))
}

#[cfg(test)]
mod tests {
    use rcgen::SigningKey;
    use serde_json::json;

    use super::*;
    use crate::certificate::tests::made;

    const CLIENT: &str = "11111111-1111-1111-1111-111111111111";
    const ENDPOINT: &str = "https://wk/t/oauth2/v2.0/token";

    /// ES256 wants two numbers of 32 bytes where the key gives them in DER.
    fn fixed(der: &[u8]) -> Vec<u8> {
        let mut rest = &der[2..];
        let mut out = Vec::new();
        for _ in 0..2 {
            let length = usize::from(rest[1]);
            let number = &rest[2..2 + length];
            let number = &number[number.len().saturating_sub(32)..];
            out.extend(vec![0; 32 - number.len()]);
            out.extend(number);
            rest = &rest[2 + length..];
        }
        out
    }

    fn sign(key: &rcgen::KeyPair, header: &Value, claims: &Value) -> String {
        let signed =
            format!("{}.{}", URL_SAFE_NO_PAD.encode(header.to_string()), URL_SAFE_NO_PAD.encode(claims.to_string()));
        let signature = fixed(&key.sign(signed.as_bytes()).unwrap());
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    fn bytes(hex: &str) -> Vec<u8> {
        (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
    }

    #[test]
    fn an_assertion_counts_for_its_client_endpoint_and_time_alone() {
        let (key, pem) = made();
        let certificate = Certificate::from_pem(&pem).unwrap();
        let known = [Certificate::from_pem(&made().1).unwrap(), certificate.clone()];
        let now = certificate.not_before + 1_000_000;
        let header = |name: &str, print: &str| json!({"alg": "ES256", name: URL_SAFE_NO_PAD.encode(bytes(print))});
        let long = header("x5t#S256", &certificate.thumbprint_sha256);
        let claims = json!({"aud": ENDPOINT, "iss": CLIENT, "sub": CLIENT, "exp": now + 600, "nbf": now, "jti": "one"});
        let checked = |header: &Value, claims: &Value| {
            let text = sign(&key, header, claims);
            let read = Assertion::read(&text)?;
            let found = read.certificate(&known)?.expect("it is registered").clone();
            read.check(&found, CLIENT, &[ENDPOINT.to_owned()], now)
        };
        assert_eq!(checked(&long, &claims), Ok(Proven { identity: "one".into(), until: now + 900 }));
        assert!(checked(&header("x5t", &certificate.thumbprint), &claims).is_ok());
        assert_eq!(checked(&json!({"alg": "ES256"}), &claims), Err(AssertionError::Unnamed));
        assert!(matches!(checked(&json!({"alg": "HS256"}), &claims), Err(AssertionError::Algorithm(_))));
        assert!(matches!(checked(&json!({"alg": "none"}), &claims), Err(AssertionError::Algorithm(_))));
        let with = |name: &str, value: Value| {
            let mut changed = claims.clone();
            changed[name] = value;
            checked(&long, &changed)
        };
        assert!(with("aud", json!(["https://else", ENDPOINT])).is_ok());
        assert!(matches!(with("aud", json!("https://else")), Err(AssertionError::Audience(_))));
        assert!(matches!(with("iss", json!("else")), Err(AssertionError::Client { claim: "iss", .. })));
        assert!(matches!(with("sub", json!("else")), Err(AssertionError::Client { claim: "sub", .. })));
        for (name, value) in [("exp", now - 301), ("exp", now + 3 * LONGEST), ("nbf", now + 400)] {
            assert!(matches!(with(name, json!(value)), Err(AssertionError::Time { .. })), "{name} {value}");
        }
        assert_eq!(with("jti", json!("")), Err(AssertionError::Identity));
        let text = sign(&key, &long, &claims);
        let forged = text.replacen(&URL_SAFE_NO_PAD.encode(claims.to_string()), "e30", 1);
        let read = Assertion::read(&forged).unwrap();
        let refused = read.check(&certificate, CLIENT, &[ENDPOINT.to_owned()], now);
        assert!(matches!(refused, Err(AssertionError::Signature(_))));
        let late = Assertion::read(&text).unwrap().check(&certificate, CLIENT, &[], certificate.not_after + 1);
        assert!(matches!(late, Err(AssertionError::Certificate(_))));
    }

    #[test]
    fn what_is_not_a_signed_token_is_refused_and_an_unknown_certificate_not_found() {
        for text in ["", "a", "a.b", "a.b.c", "e30.e30.!"] {
            assert!(Assertion::read(text).is_err(), "{text}");
        }
        let (key, pem) = made();
        let print = Certificate::from_pem(&pem).unwrap().thumbprint_sha256;
        let header = json!({"alg": "ES256", "x5t#S256": URL_SAFE_NO_PAD.encode(bytes(&print))});
        let text = sign(&key, &header, &json!({"sub": CLIENT}));
        let read = Assertion::read(&text).unwrap();
        assert_eq!((read.client_id(), read.named()), (CLIENT, print.as_str()));
        assert_eq!(read.certificate(&[]), Ok(None));
    }
}
