//! Messages of Kerberos (RFC 4120, section 5) and the tokens that carry them over HTTP (RFC 4121, RFC 4178).

use chrono::{DateTime, Utc};

use super::der::{
    BITS, GENERAL_STRING, OCTETS, Read, SEQUENCE, TIME, application, field, integer, sequence, text, value,
};
use super::keys::{Key, TYPES, Usage};

const VERSION: u32 = 5;
/// The KDC may name account and realm as it knows them.
const CANONICALIZE: u32 = 0x0001_0000;
/// Until the KDC's own limit.
const TILL: &str = "20370913024805Z";

pub(super) mod request {
    pub const FOR_PASSWORD: u8 = 10;
    pub const FOR_TICKET: u8 = 12;
}
pub(super) mod name {
    pub const PRINCIPAL: u32 = 1;
    pub const SERVICE: u32 = 2;
    pub const ENTERPRISE: u32 = 10;
}
mod attachment {
    pub const TICKET: u32 = 1;
    pub const TIMESTAMP: u32 = 2;
    pub const KEY_TYPES: u32 = 19;
}
const APPLICATION_TICKET: u8 = 1;
const APPLICATION_AUTHENTICATOR: u8 = 2;
const APPLICATION_ASKED: u8 = 14;
const APPLICATION_ERROR: u8 = 30;
/// The checksum that is none: what RFC 4121, section 4.1.1 puts in its place.
const GSS_CHECKSUM: u32 = 0x8003;

const SPNEGO: [u8; 8] = [0x06, 0x06, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x02];
const KERBEROS: [u8; 11] = [0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x12, 0x01, 0x02, 0x02];

pub(super) fn principal(kind: u32, parts: &[&str]) -> Vec<u8> {
    let parts: Vec<_> = parts.iter().map(|part| text(part)).collect();
    sequence(&[field(0, &integer(kind)), field(1, &sequence(&parts))])
}

/// A request to a KDC for a ticket for `service`.
pub(super) struct Request<'a> {
    pub kind: u8,
    pub realm: &'a str,
    /// Who asks, where it is not said by a ticket.
    pub client: Option<&'a [u8]>,
    pub service: &'a [u8],
    pub nonce: u32,
}

impl Request<'_> {
    pub fn body(&self) -> Vec<u8> {
        let types: Vec<_> = TYPES.iter().map(|kind| integer(*kind)).collect();
        sequence(&[
            field(0, &bits(CANONICALIZE)),
            self.client.map(|client| field(1, client)).unwrap_or_default(),
            field(2, &text(self.realm)),
            field(3, self.service),
            field(5, &value(TIME, TILL.as_bytes())),
            field(7, &integer(self.nonce)),
            field(8, &sequence(&types)),
        ])
    }

    /// With an attachment of [`timestamp`] or [`ticket`].
    pub fn with(&self, attached: Option<Vec<u8>>) -> Vec<u8> {
        let head = [field(1, &integer(VERSION)), field(2, &integer(u32::from(self.kind)))].concat();
        let attached = attached.map(|one| field(3, &sequence(&[one]))).unwrap_or_default();
        application(self.kind, &sequence(&[head, attached, field(4, &self.body())]))
    }
}

/// Proves that the password is known.
pub(super) fn timestamp(key: &Key, now: DateTime<Utc>) -> Vec<u8> {
    let plain = sequence(&[field(0, &time(now)), field(1, &integer(now.timestamp_subsec_micros()))]);
    attachment(attachment::TIMESTAMP, &encrypted(key, Usage::Timestamp, &plain))
}

/// Shows the ticket for tickets.
pub(super) fn ticket(held: &Ticket, body: &[u8], now: DateTime<Utc>) -> Vec<u8> {
    let sum = held.key.checksum(Usage::RequestChecksum, body);
    let sum = checksum(held.key.checksum_kind(), &sum);
    attachment(attachment::TICKET, &shown(held, Usage::RequestAuthenticator, &sum, now, 0))
}

/// The token of `Negotiate` that shows a ticket to its service, bound to the connection: the first of SPNEGO, which offers
/// Kerberos alone.
pub(super) fn token(held: &Ticket, binding: [u8; 16], now: DateTime<Utc>, number: u32) -> Vec<u8> {
    // the length of the binding, the binding, and no wishes: TLS proves who the service is
    let sum = [16_u32.to_le_bytes().as_slice(), &binding, &[0; 4]].concat();
    let asked = shown(held, Usage::Authenticator, &checksum(GSS_CHECKSUM, &sum), now, number);
    let token = application(0, &[KERBEROS.as_slice(), &[1, 0], &asked].concat());
    let mechanisms = field(0, &sequence(&[KERBEROS.to_vec()]));
    let first = field(0, &sequence(&[mechanisms, field(2, &value(OCTETS, &token))]));
    application(0, &[SPNEGO.as_slice(), &first].concat())
}

fn shown(held: &Ticket, usage: Usage, sum: &[u8], now: DateTime<Utc>, number: u32) -> Vec<u8> {
    let authenticator = sequence(&[
        field(0, &integer(VERSION)),
        field(1, &text(&held.realm)),
        field(2, &held.client),
        field(3, sum),
        field(4, &integer(now.timestamp_subsec_micros())),
        field(5, &time(now)),
        field(7, &integer(number)),
    ]);
    let authenticator = application(APPLICATION_AUTHENTICATOR, &authenticator);
    let parts = [
        field(0, &integer(VERSION)),
        field(1, &integer(u32::from(APPLICATION_ASKED))),
        field(2, &bits(0)),
        field(3, &held.ticket),
        field(4, &encrypted(&held.key, usage, &authenticator)),
    ];
    application(APPLICATION_ASKED, &sequence(&parts))
}

fn attachment(kind: u32, content: &[u8]) -> Vec<u8> {
    sequence(&[field(1, &integer(kind)), field(2, &value(OCTETS, content))])
}

fn checksum(kind: u32, sum: &[u8]) -> Vec<u8> {
    sequence(&[field(0, &integer(kind)), field(1, &value(OCTETS, sum))])
}

fn encrypted(key: &Key, usage: Usage, plain: &[u8]) -> Vec<u8> {
    let parts = [field(0, &integer(key.kind())), field(2, &value(OCTETS, &key.encrypt(usage, plain)))];
    sequence(&parts)
}

fn bits(flags: u32) -> Vec<u8> {
    value(BITS, &[&[0], flags.to_be_bytes().as_slice()].concat())
}

fn time(now: DateTime<Utc>) -> Vec<u8> {
    value(TIME, now.format("%Y%m%d%H%M%SZ").to_string().as_bytes())
}

/// A refusal of a KDC.
pub(super) struct Refusal {
    pub code: u32,
    /// Its clock, as it writes it.
    pub time: String,
    /// What it says besides.
    pub text: String,
    /// How it makes keys of passwords, where it says so.
    pub keys: Vec<KeyType>,
}

impl Refusal {
    pub fn read(message: &[u8]) -> Option<Refusal> {
        let fields = Read(message).message(APPLICATION_ERROR)?;
        let said = |number, tag| Some(fields.field(number)?.string(tag)?.to_owned());
        let listed = fields.field(12).and_then(Read::octets).and_then(|data| Read(data).content(SEQUENCE));
        Some(Refusal {
            code: fields.field(6)?.number()?,
            time: said(4, TIME).unwrap_or_default(),
            text: said(11, GENERAL_STRING).unwrap_or_default(),
            keys: listed.map(key_types).unwrap_or_default(),
        })
    }
}

/// How a KDC makes a key of a password.
pub(super) struct KeyType {
    pub kind: u32,
    /// None: realm and name of the account.
    pub salt: Option<Vec<u8>>,
    pub parameters: Vec<u8>,
}

fn key_types(attachments: Read<'_>) -> Vec<KeyType> {
    let listed = attachments.values().find_map(|(_, one)| {
        let is_list = Read(one).field(1)?.number()? == attachment::KEY_TYPES;
        Read(Read(one).field(2)?.octets()?).content(SEQUENCE).filter(|_| is_list)
    });
    let entries = listed.into_iter().flat_map(Read::values);
    let read = |(_, one): (u8, &[u8])| {
        let salt = Read(one).field(1).and_then(|salt| salt.content(GENERAL_STRING)).map(|salt| salt.0.to_vec());
        let parameters = Read(one).field(2).and_then(Read::octets).unwrap_or_default().to_vec();
        Some(KeyType { kind: Read(one).field(0)?.number()?, salt, parameters })
    };
    entries.filter_map(read).collect()
}

/// An answer of a KDC, still encrypted.
pub(super) struct Answer<'a> {
    fields: Read<'a>,
    pub keys: Vec<KeyType>,
}

/// A ticket, with the key that proves that it is the account's.
pub(crate) struct Ticket {
    pub(super) ticket: Vec<u8>,
    /// The account and its realm, as the KDC names them.
    pub(super) client: Vec<u8>,
    pub(super) realm: String,
    pub(super) key: Key,
    /// The parts of the service's name.
    pub(super) service: Vec<String>,
}

impl<'a> Answer<'a> {
    /// The answer to a request of this kind.
    pub fn read(message: &'a [u8], kind: u8) -> Option<Answer<'a>> {
        let fields = Read(message).message(kind + 1)?;
        let attachments = fields.field(2).and_then(|list| list.content(SEQUENCE));
        Some(Answer { fields, keys: attachments.map(key_types).unwrap_or_default() })
    }

    /// None where the key is not that of the answer, or it is not the answer to this request.
    pub fn open(&self, key: &Key, usage: Usage, nonce: u32) -> Option<Ticket> {
        let fields = self.fields;
        let sealed = fields.field(6)?.content(SEQUENCE)?.field(2)?.octets()?;
        let plain = key.decrypt(usage, sealed)?;
        // both kinds of answers are found under both numbers
        let opened = Read(&plain).message(25).or_else(|| Read(&plain).message(26))?;
        let session = opened.field(0)?.content(SEQUENCE)?;
        let ticket = fields.field(5)?;
        let named = ticket.message(APPLICATION_TICKET)?.field(2)?.content(SEQUENCE)?.field(1)?.content(SEQUENCE)?;
        let parts = named.values().map(|(_, part)| String::from_utf8_lossy(part).into_owned());
        let found = Ticket {
            ticket: ticket.0.to_vec(),
            client: fields.field(4)?.0.to_vec(),
            realm: fields.field(3)?.string(GENERAL_STRING)?.to_owned(),
            key: Key::of(session.field(0)?.number()?, session.field(1)?.octets()?)?,
            service: parts.collect(),
        };
        (opened.field(2)?.number()? == nonce).then_some(found)
    }
}
