//! Sign-in by Kerberos version 5 (RFC 4120): a ticket for the service of a host, which the key distribution center (KDC) of
//! the account's realm gives for its password, shown as the token of `Negotiate` (RFC 4559), bound to the TLS connection.

mod der;
mod kdc;
mod keys;
mod messages;

use chrono::Utc;
use rand::RngCore;

use self::kdc::ask;
use self::keys::{Key, TYPES, Usage};
pub(crate) use self::messages::Ticket;
use self::messages::{Answer, KeyType, Refusal, Request, name, principal, request, timestamp};
use crate::client::Account;
use crate::problem::{Part, Problem};

/// Codes of refusals (RFC 4120, section 7.5.9).
mod code {
    pub const ACCOUNT_UNKNOWN: u32 = 6;
    pub const SERVICE_UNKNOWN: u32 = 7;
    pub const NO_COMMON_TYPE: u32 = 14;
    pub const LOCKED: u32 = 18;
    pub const PASSWORD_EXPIRED: u32 = 23;
    pub const PASSWORD_WRONG: u32 = 24;
    pub const PASSWORD_WANTED: u32 = 25;
    pub const CLOCKS: u32 = 37;
    pub const REALM_UNKNOWN: u32 = 68;
}

/// The token that shows a ticket on a connection with this binding.
pub(crate) fn token(ticket: &Ticket, binding: [u8; 16]) -> Vec<u8> {
    messages::token(ticket, binding, Utc::now(), number())
}

/// The ticket of an account for `HTTP/HOST`. `kdc` is `HOST[:PORT]`, empty for the domain of the account.
///
/// # Errors
/// What of the account or the way to the KDC is wrong.
pub(crate) async fn ticket(account: &Account, kdc: &str, host: &str) -> Result<Ticket, Problem> {
    let user = account.user.trim();
    let written = Written::read(user).ok_or_else(|| {
        let message = format!("the account {user:?} has no domain");
        Problem::new(Part::Account, message, "write it as DOMAIN\\user or user@domain")
    })?;
    let kdc = if kdc.is_empty() { written.domain } else { kdc };
    let asked = Asked { user, kdc, host, realm: &written.domain.to_uppercase() };
    let mut first = Err(Failed::Refused(Refusal::of(code::ACCOUNT_UNKNOWN)));
    for (kind, called) in written.names() {
        first = asked.for_password(&principal(kind, &[called]), written.user, &account.password).await;
        if !matches!(&first, Err(Failed::Refused(refusal)) if refusal.code == code::ACCOUNT_UNKNOWN) {
            break;
        }
    }
    let first = first.map_err(|failed| asked.problem(failed))?;
    let ticket = asked.for_ticket(&first).await.map_err(|failed| asked.problem(failed))?;
    match ticket.service.as_slice() {
        [service, realm] if service == "krbtgt" => Err(Problem::new(
            Part::Account,
            format!("{host} belongs to the domain {realm}, and the account {user:?} does not"),
            "use an account of that domain, or sign-in by a Windows account (NTLM)",
        )),
        _ => Ok(ticket),
    }
}

/// `DOMAIN\user` or `user@domain`.
struct Written<'a> {
    whole: &'a str,
    user: &'a str,
    domain: &'a str,
}

impl<'a> Written<'a> {
    fn read(whole: &'a str) -> Option<Self> {
        let (domain, user) =
            whole.split_once('\\').or_else(|| whole.rsplit_once('@').map(|(user, domain)| (domain, user)))?;
        (!user.is_empty() && !domain.is_empty()).then_some(Written { whole, user, domain })
    }

    /// What a KDC may know it by: the name with the domain is an account's own in Active Directory.
    fn names(&self) -> impl Iterator<Item = (u32, &'a str)> {
        let full = (!self.whole.contains('\\')).then_some((name::ENTERPRISE, self.whole));
        full.into_iter().chain([(name::PRINCIPAL, self.user)])
    }
}

enum Failed {
    Refused(Refusal),
    /// What cannot be read, or is encrypted with another key.
    Unread,
    Problem(Problem),
}

impl From<Problem> for Failed {
    fn from(problem: Problem) -> Self {
        Failed::Problem(problem)
    }
}

impl Refusal {
    fn of(code: u32) -> Refusal {
        Refusal { code, time: String::new(), text: String::new(), keys: Vec::new() }
    }
}

/// Whom to ask, for whom and for what.
struct Asked<'a> {
    user: &'a str,
    kdc: &'a str,
    host: &'a str,
    realm: &'a str,
}

impl Asked<'_> {
    /// The ticket for tickets.
    async fn for_password(&self, client: &[u8], user: &str, password: &str) -> Result<Ticket, Failed> {
        let service = principal(name::SERVICE, &["krbtgt", self.realm]);
        let (kind, nonce) = (request::FOR_PASSWORD, number());
        let request = Request { kind, realm: self.realm, client: Some(client), service: &service, nonce };
        let key = |keys: &[KeyType]| {
            let best = TYPES.iter().find_map(|kind| keys.iter().find(|one| one.kind == *kind))?;
            let usual = || format!("{}{user}", self.realm).into_bytes();
            Key::of_password(best.kind, password, &best.salt.clone().unwrap_or_else(usual), &best.parameters)
        };
        let no_type = || Failed::Refused(Refusal::of(code::NO_COMMON_TYPE));
        let mut answer = ask(self.kdc, &request.with(None)).await?;
        let mut known = None;
        if let Some(refusal) = Refusal::read(&answer) {
            if refusal.code != code::PASSWORD_WANTED {
                return Err(Failed::Refused(refusal));
            }
            let made = key(&refusal.keys).ok_or_else(no_type)?;
            answer = ask(self.kdc, &request.with(Some(timestamp(&made, Utc::now())))).await?;
            known = Some(made);
        }
        let answer = read(&answer, kind)?;
        let key = if answer.keys.is_empty() { known } else { key(&answer.keys) };
        // an account without proof of its password gets an answer that only the password opens
        answer
            .open(&key.ok_or_else(no_type)?, Usage::AnswerForPassword, nonce)
            .ok_or_else(|| Failed::Refused(Refusal::of(code::PASSWORD_WRONG)))
    }

    /// The ticket for the service.
    async fn for_ticket(&self, first: &Ticket) -> Result<Ticket, Failed> {
        let service = principal(name::SERVICE, &["HTTP", self.host]);
        let (kind, nonce) = (request::FOR_TICKET, number());
        let realm = first.service.get(1).unwrap_or(&first.realm);
        let request = Request { kind, realm, client: None, service: &service, nonce };
        let shown = messages::ticket(first, &request.body(), Utc::now());
        let answer = ask(self.kdc, &request.with(Some(shown))).await?;
        read(&answer, kind)?.open(&first.key, Usage::AnswerForTicket, nonce).ok_or(Failed::Unread)
    }

    fn problem(&self, failed: Failed) -> Problem {
        let Asked { user, kdc, host, realm } = self;
        let account = |message: String, advice: &str| Problem::new(Part::Account, message, advice);
        let refusal = match failed {
            Failed::Problem(problem) => return problem,
            Failed::Refused(refusal) => refusal,
            Failed::Unread => {
                let message = format!("what {kdc} answers is no answer of a key distribution center");
                return Problem::new(Part::Address, message, "name a domain controller of the account's domain");
            }
        };
        let said = if refusal.text.is_empty() { String::new() } else { format!(" ({})", refusal.text) };
        match refusal.code {
            code::ACCOUNT_UNKNOWN => account(
                format!("the key distribution center {kdc} does not know the account {user:?}"),
                "write it as DOMAIN\\user or user@domain, with the domain that the key distribution center serves",
            ),
            code::REALM_UNKNOWN => account(
                format!("the key distribution center {kdc} does not serve the domain {realm}"),
                "name a domain controller of the account's domain, and write the domain in full, for instance contoso.com",
            ),
            code::SERVICE_UNKNOWN => Problem::new(
                Part::Address,
                format!("the key distribution center {kdc} knows no service HTTP/{host}"),
                "let the address have the name that the SMS Provider's server has in the domain, not its IP address or an \
                 alias (`setspn -Q HTTP/NAME` and `setspn -Q HOST/NAME` say who has it)",
            ),
            code::NO_COMMON_TYPE => account(
                format!("{kdc} gives the account {user:?} no key of AES, and RC4 and DES are not spoken"),
                "let the account support Kerberos AES 128 or 256 bit encryption and set its password once more",
            ),
            code::LOCKED => account(
                format!("the account {user:?} is disabled, locked or over"),
                "unlock it in the domain, and look which computer signs in with an old password",
            ),
            code::PASSWORD_EXPIRED => account(
                format!("the password of the account {user:?} has expired"),
                "set a new one in the domain and enter it here",
            ),
            code::PASSWORD_WRONG => account(
                format!("the key distribution center {kdc} does not take the password of the account {user:?}"),
                "enter the password once more; too many wrong ones lock the account",
            ),
            code::CLOCKS => account(
                format!(
                    "the clocks differ too much: it is {} here and {} at the key distribution center {kdc} (UTC)",
                    Utc::now().format("%Y%m%d%H%M%SZ"),
                    refusal.time
                ),
                "set both by one time server; five minutes are the most that Kerberos allows",
            ),
            other => account(
                format!(
                    "the key distribution center {kdc} refuses the account {user:?}: error {other}{said} of RFC 4120"
                ),
                "look for it in the event log of the domain controller",
            ),
        }
    }
}

fn read(answer: &[u8], kind: u8) -> Result<Answer<'_>, Failed> {
    match Refusal::read(answer) {
        Some(refusal) => Err(Failed::Refused(refusal)),
        None => Answer::read(answer, kind).ok_or(Failed::Unread),
    }
}

/// A random number that every implementation takes as a positive one.
fn number() -> u32 {
    rand::rng().next_u32() >> 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_have_a_domain() {
        let names = |whole| Written::read(whole).map(|written| (written.domain, written.names().collect::<Vec<_>>()));
        assert_eq!(names("CONTOSO\\reader"), Some(("CONTOSO", vec![(name::PRINCIPAL, "reader")])));
        let full = vec![(name::ENTERPRISE, "reader@contoso.com"), (name::PRINCIPAL, "reader")];
        assert_eq!(names("reader@contoso.com"), Some(("contoso.com", full)));
        assert_eq!((names("reader"), names("\\reader"), names("reader@")), (None, None, None));
    }
}
