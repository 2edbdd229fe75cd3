//! Windows sign-in by NTLM version 2 ([MS-NLMP]), with a message integrity code and the binding to the TLS connection that
//! servers with Extended Protection ask for. Nothing is signed or sealed: TLS does that.

use hmac::{Hmac, Mac};
use md4::Md4;
use md5::{Digest, Md5};
use ring::digest;

const SIGNATURE: &[u8; 8] = b"NTLMSSP\0";
const UNICODE: u32 = 0x0000_0001;
const REQUEST_TARGET: u32 = 0x0000_0004;
const NTLM: u32 = 0x0000_0200;
const ALWAYS_SIGN: u32 = 0x0000_8000;
const EXTENDED_SESSION_SECURITY: u32 = 0x0008_0000;
const TARGET_INFO: u32 = 0x0080_0000;
const VERSION: u32 = 0x0200_0000;
const KEY_128: u32 = 0x2000_0000;
const KEY_56: u32 = 0x8000_0000;
const WANTED: u32 = UNICODE
    | REQUEST_TARGET
    | NTLM
    | ALWAYS_SIGN
    | EXTENDED_SESSION_SECURITY
    | TARGET_INFO
    | VERSION
    | KEY_128
    | KEY_56;
/// Windows 10, revision 15 of the protocol.
const OWN_VERSION: [u8; 8] = [10, 0, 0, 0, 0, 0, 0, 15];

/// Kinds of attributes of the target.
mod attribute {
    pub const END: u16 = 0;
    pub const FLAGS: u16 = 6;
    pub const TIMESTAMP: u16 = 7;
    pub const TARGET_NAME: u16 = 9;
    pub const CHANNEL_BINDINGS: u16 = 10;
}
/// The answer carries an integrity code.
const WITH_CODE: u32 = 2;
/// Where the integrity code stands in the last message, and where its variable part begins.
const CODE_AT: usize = 72;
const PAYLOAD_AT: usize = 88;

/// Who signs in.
#[derive(Clone, Copy)]
pub(crate) struct Names<'a> {
    pub user: &'a str,
    pub domain: &'a str,
    pub password: &'a str,
}

impl<'a> Names<'a> {
    /// `DOMAIN\user`, `user@domain` or a local `user`.
    pub fn of(account: &'a str, password: &'a str) -> Self {
        match account.split_once('\\') {
            Some((domain, user)) => Names { user, domain, password },
            None => Names { user: account, domain: "", password },
        }
    }
}

/// What the server asks.
pub(crate) struct Challenge {
    flags: u32,
    nonce: [u8; 8],
    target_info: Vec<u8>,
}

/// What a sign-in takes from outside: random bytes and the time.
pub(crate) struct Fresh {
    pub nonce: [u8; 8],
    /// 100 ns since 1601.
    pub time: u64,
}

/// The first message.
pub(crate) fn negotiate() -> Vec<u8> {
    let mut message = SIGNATURE.to_vec();
    message.extend(1_u32.to_le_bytes());
    message.extend(WANTED.to_le_bytes());
    // neither domain nor workstation
    message.extend([0; 16]);
    message.extend(OWN_VERSION);
    message
}

impl Challenge {
    /// Of the server's message; none where it is not one.
    pub fn read(message: &[u8]) -> Option<Challenge> {
        let number = |at: usize| Some(u32::from_le_bytes(message.get(at..at + 4)?.try_into().ok()?));
        if message.get(..8)? != SIGNATURE || number(8)? != 2 {
            return None;
        }
        let length = usize::from(u16::from_le_bytes(message.get(40..42)?.try_into().ok()?));
        let at = usize::try_from(number(44)?).ok()?;
        let target_info = message.get(at..at.checked_add(length)?)?.to_vec();
        Some(Challenge { flags: number(20)?, nonce: message.get(24..32)?.try_into().ok()?, target_info })
    }

    fn attributes(&self) -> Vec<(u16, &[u8])> {
        let mut found = Vec::new();
        let mut rest = self.target_info.as_slice();
        while let Some((head, behind)) = rest.split_first_chunk::<4>() {
            let kind = u16::from_le_bytes([head[0], head[1]]);
            let length = usize::from(u16::from_le_bytes([head[2], head[3]]));
            let Some((value, behind)) = behind.split_at_checked(length) else { break };
            if kind == attribute::END {
                break;
            }
            found.push((kind, value));
            rest = behind;
        }
        found
    }
}

/// The last message. `target` is the service, for instance `HTTP/cm01.contoso.com`; `binding` that of the TLS connection.
pub(crate) fn authenticate(
    names: Names<'_>,
    challenge_message: &[u8],
    challenge: &Challenge,
    target: &str,
    binding: [u8; 16],
    fresh: &Fresh,
) -> Vec<u8> {
    let key = response_key(names);
    let attributes = challenge.attributes();
    let sent_time = attributes.iter().find(|(kind, _)| *kind == attribute::TIMESTAMP).map(|(_, value)| *value);
    let own_time = fresh.time.to_le_bytes();
    let time = sent_time.unwrap_or(&own_time);
    let own = [attribute::FLAGS, attribute::TARGET_NAME, attribute::CHANNEL_BINDINGS];
    let mut pairs = Vec::new();
    for (kind, value) in attributes.iter().filter(|(kind, _)| !own.contains(kind)) {
        put_pair(&mut pairs, *kind, value);
    }
    put_pair(&mut pairs, attribute::FLAGS, &WITH_CODE.to_le_bytes());
    put_pair(&mut pairs, attribute::CHANNEL_BINDINGS, &binding);
    put_pair(&mut pairs, attribute::TARGET_NAME, &wide(target));
    put_pair(&mut pairs, attribute::END, &[]);
    let client = client_challenge(time, &fresh.nonce, &pairs);
    let proof = mac(&key, &[&challenge.nonce, &client]);
    let session_key = mac(&key, &[&proof]);
    let response = [proof.as_slice(), &client].concat();
    let old_response = match sent_time {
        Some(_) => vec![0; 24],
        None => [mac(&key, &[&challenge.nonce, &fresh.nonce]).as_slice(), &fresh.nonce].concat(),
    };
    let parts = [old_response, response, wide(names.domain), wide(names.user), wide(""), Vec::new()];
    let mut message = SIGNATURE.to_vec();
    message.extend(3_u32.to_le_bytes());
    let mut at = PAYLOAD_AT;
    for part in &parts {
        let length = u16::try_from(part.len()).unwrap_or(u16::MAX).to_le_bytes();
        message.extend(length);
        message.extend(length);
        message.extend(u32::try_from(at).unwrap_or(u32::MAX).to_le_bytes());
        at += part.len();
    }
    message.extend((challenge.flags & WANTED | UNICODE).to_le_bytes());
    message.extend(OWN_VERSION);
    message.extend([0; 16]);
    message.extend(parts.concat());
    let code = mac(&session_key, &[&negotiate(), challenge_message, &message]);
    message[CODE_AT..PAYLOAD_AT].copy_from_slice(&code);
    message
}

/// Binds a sign-in to the certificate of the TLS connection (RFC 5929, `tls-server-end-point`).
pub(crate) fn channel_binding(certificate: &[u8]) -> [u8; 16] {
    let algorithm = match signature_of(certificate).as_deref() {
        Some("1.2.840.113549.1.1.12" | "1.2.840.10045.4.3.3") => &digest::SHA384,
        Some("1.2.840.113549.1.1.13" | "1.2.840.10045.4.3.4") => &digest::SHA512,
        // older ones than SHA-256 count as SHA-256
        _ => &digest::SHA256,
    };
    let mut data = b"tls-server-end-point:".to_vec();
    data.extend_from_slice(digest::digest(algorithm, certificate).as_ref());
    // no addresses of either side
    let mut bindings = vec![0; 16];
    bindings.extend(u32::try_from(data.len()).unwrap_or_default().to_le_bytes());
    bindings.extend(data);
    Md5::digest(&bindings).into()
}

fn signature_of(certificate: &[u8]) -> Option<String> {
    let (_, parsed) = x509_parser::parse_x509_certificate(certificate).ok()?;
    Some(parsed.signature_algorithm.algorithm.to_id_string())
}

/// NTOWFv2 of the document.
fn response_key(names: Names<'_>) -> [u8; 16] {
    let password: [u8; 16] = Md4::digest(wide(names.password)).into();
    mac(&password, &[&wide(&names.user.to_uppercase()), &wide(names.domain)])
}

fn client_challenge(time: &[u8], nonce: &[u8; 8], pairs: &[u8]) -> Vec<u8> {
    [&[1, 1, 0, 0, 0, 0, 0, 0], time, nonce.as_slice(), &[0; 4], pairs, &[0; 4]].concat()
}

fn put_pair(pairs: &mut Vec<u8>, kind: u16, value: &[u8]) {
    pairs.extend(kind.to_le_bytes());
    pairs.extend(u16::try_from(value.len()).unwrap_or(u16::MAX).to_le_bytes());
    pairs.extend_from_slice(value);
}

fn mac(key: &[u8], parts: &[&[u8]]) -> [u8; 16] {
    let mut mac = Hmac::<Md5>::new_from_slice(key).expect("HMAC takes keys of any length");
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().into()
}

fn wide(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: Names<'_> = Names { user: "User", domain: "Domain", password: "Password" };
    const SERVER_NONCE: [u8; 8] = [0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef];
    const CLIENT_NONCE: [u8; 8] = [0xaa; 8];

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn keys_and_proof_are_those_of_the_document() {
        // [MS-NLMP] 4.2.4
        let key = response_key(NAMES);
        assert_eq!(hex(&key), "0c868a403bfd7a93a3001ef22ef02e3f");
        assert_eq!(hex(&mac(&key, &[&SERVER_NONCE, &CLIENT_NONCE])), "86c35097ac9cec102554764a57cccc19");
        let mut pairs = Vec::new();
        put_pair(&mut pairs, 2, &wide("Domain"));
        put_pair(&mut pairs, 1, &wide("Server"));
        put_pair(&mut pairs, 0, &[]);
        let client = client_challenge(&[0; 8], &CLIENT_NONCE, &pairs);
        let proof = mac(&key, &[&SERVER_NONCE, &client]);
        assert_eq!(hex(&proof), "68cd0ab851e51c96aabc927bebef6a1c");
        assert_eq!(hex(&mac(&key, &[&proof])), "8de40ccadbc14a82f15cb0ad0de95ca3");
    }

    #[test]
    fn accounts_are_written_in_three_ways() {
        let parts = |account| {
            let names = Names::of(account, "");
            (names.domain, names.user)
        };
        assert_eq!(parts("CONTOSO\\reader"), ("CONTOSO", "reader"));
        assert_eq!(parts("reader@contoso.com"), ("", "reader@contoso.com"));
        assert_eq!(parts("reader"), ("", "reader"));
    }

    #[test]
    fn what_is_no_challenge_is_none() {
        assert!(Challenge::read(b"").is_none());
        assert!(Challenge::read(&negotiate()).is_none());
        let mut message = SIGNATURE.to_vec();
        message.extend(2_u32.to_le_bytes());
        message.extend([0; 8]);
        message.extend(WANTED.to_le_bytes());
        message.extend(SERVER_NONCE);
        message.extend([0; 8]);
        message.extend([4, 0, 4, 0, 48, 0, 0, 0]);
        assert!(Challenge::read(&message).is_none());
        message.extend([0; 4]);
        let challenge = Challenge::read(&message).unwrap();
        assert_eq!((challenge.nonce, challenge.attributes().len()), (SERVER_NONCE, 0));
    }
}
