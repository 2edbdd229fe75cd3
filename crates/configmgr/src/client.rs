//! A client of one administration service: sign-in, requests with their limit of time, tries again.

use std::fmt;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::WWW_AUTHENTICATE;
use parking_lot::Mutex;
use rand::RngCore;
use serde_json::Value;
use tokio_rustls::TlsConnector;

use crate::answer::refused;
use crate::kerberos::Ticket;
use crate::ntlm::{Challenge, Fresh, Names, authenticate, channel_binding, negotiate};
use crate::problem::{Part, Problem};
use crate::tokens::{Token, token};
use crate::transport::{Answer, Line, Lost, Place, Sent, broken, request, trust};

const FIRST_WAIT: Duration = Duration::from_millis(500);
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// Who is to wait longer than this is told instead.
const LONGEST_ASKED_WAIT: Duration = Duration::from_secs(300);
/// The shortest life that a domain gives a ticket is longer.
const TICKET_IS_KEPT: Duration = Duration::from_secs(300);
/// Where the service is below the host, where the address does not say it.
const SERVICE: &str = "/AdminService";
/// Between the beginnings of the two calendars, in seconds.
const UNIX_IN_1601: u64 = 11_644_473_600;

/// An application of a directory, as it was registered for Configuration Manager.
#[derive(Clone, PartialEq, Eq)]
pub struct Application {
    /// Who gives tokens, `https://HOST[:PORT]`.
    pub authority: String,
    /// Id or name of the directory.
    pub tenant: String,
    pub client_id: String,
    pub secret: String,
    /// Names the service that tokens are for.
    pub app_id_uri: String,
}

/// A Windows account: `DOMAIN\user` or `user@domain`.
#[derive(Clone, PartialEq, Eq)]
pub struct Account {
    pub user: String,
    pub password: String,
}

/// As whom.
#[derive(Clone, PartialEq, Eq)]
pub enum SignIn {
    /// By a token of an application: through a cloud management gateway.
    Token(Application),
    /// By Windows authentication (NTLM): at the SMS Provider itself.
    Windows(Account),
    /// By a ticket of Kerberos: at the SMS Provider itself.
    Kerberos(Account, Kdc),
}

/// Who gives tickets: `HOST[:PORT]`; empty for the domain of the account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kdc(pub String);

impl SignIn {
    pub(crate) fn who(&self) -> String {
        match self {
            SignIn::Token(application) => format!("the application {:?}", application.client_id),
            SignIn::Windows(account) | SignIn::Kerberos(account, _) => format!("the account {:?}", account.user),
        }
    }
}

/// Where to, as whom, and how long to wait.
#[derive(Clone, PartialEq, Eq)]
pub struct Settings {
    /// `https://HOST[:PORT][/PATH]`; the path is `/AdminService` where there is none.
    pub address: String,
    pub sign_in: SignIn,
    /// Certificates of authorities that are trusted besides the system's: PEM.
    pub trusted: String,
    /// How long one request may take.
    pub timeout: Duration,
    /// How often a request is sent that fails in passing; at least once.
    pub tries: u32,
    /// Records of one page.
    pub page: usize,
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Settings({} at {})", self.sign_in.who(), self.address)
    }
}

/// A client of one service.
pub struct Client {
    tls: TlsConnector,
    pub(crate) place: Place,
    pub(crate) settings: Settings,
    token: tokio::sync::Mutex<Option<Token>>,
    /// Of Kerberos, and since when.
    ticket: tokio::sync::Mutex<Option<(Ticket, Instant)>>,
    /// Connections that carry no request.
    idle: Mutex<Vec<Line>>,
    /// The service sorts; taken back where it says that it does not.
    pub(crate) sorts: AtomicBool,
}

impl Client {
    /// Without asking anybody.
    ///
    /// # Errors
    /// When an address, a certificate or a name cannot be one.
    pub fn new(settings: Settings) -> Result<Client, Problem> {
        let mut place = Place::read("address of the administration service", &settings.address)?;
        if place.path.is_empty() {
            SERVICE.clone_into(&mut place.path);
        }
        match &settings.sign_in {
            SignIn::Token(application) => check_application(application)?,
            SignIn::Windows(account) | SignIn::Kerberos(account, _) => {
                if account.user.trim().is_empty() || account.password.is_empty() {
                    let message = "Windows sign-in needs a user name and a password";
                    return Err(Problem::new(Part::Account, message, "write the account as DOMAIN\\user"));
                }
            }
        }
        let tls = trust(&settings.trusted)?;
        let token = tokio::sync::Mutex::default();
        let (ticket, idle) = (tokio::sync::Mutex::default(), Mutex::default());
        Ok(Client { tls, place, settings, token, ticket, idle, sorts: AtomicBool::new(true) })
    }

    /// Asks for a path below the service, with its parameters; again where that may help.
    ///
    /// # Errors
    /// What is wrong, after all tries.
    pub(crate) async fn get(&self, path: &str) -> Result<Bytes, Problem> {
        let path = format!("{}/{path}", self.place.path);
        self.get_at(&path).await
    }

    /// The same for a whole path of the host.
    pub(crate) async fn get_at(&self, path: &str) -> Result<Bytes, Problem> {
        self.tried(path, Sent::Nothing).await
    }

    /// Sends JSON to a path below the service. It is sent again only where it was not worked on: what may have been done
    /// and whose answer was lost is for the caller to look at.
    ///
    /// # Errors
    /// What is wrong.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> Result<Bytes, Problem> {
        let path = format!("{}/{path}", self.place.path);
        self.tried(&path, Sent::Json(&body.to_string())).await
    }

    async fn tried(&self, path: &str, sent: Sent<'_>) -> Result<Bytes, Problem> {
        let limit = self.settings.timeout;
        let mut tried = 1;
        let mut renewed = false;
        loop {
            let problem = match tokio::time::timeout(limit, self.once(path, sent)).await {
                Ok(Ok(answer)) if (200..300).contains(&answer.status) => return Ok(answer.body),
                Ok(Ok(answer)) => {
                    let what = path.split('?').next().unwrap_or(path);
                    refused(&answer, &self.place.origin(), what, &self.settings.sign_in)
                }
                Ok(Err(problem)) => problem,
                Err(_) => Problem::new(
                    Part::Timeout,
                    format!("{} gave no answer within {} s", self.place.origin(), limit.as_secs_f64()),
                    "look how busy the SMS Provider is, and whether a firewall drops packets on the way",
                ),
            };
            // a token can be over or taken back before the end that it was given
            if problem.status == Some(401) && matches!(self.settings.sign_in, SignIn::Token(_)) && !renewed {
                renewed = true;
                *self.token.lock().await = None;
                continue;
            }
            let may_again = match sent {
                Sent::Nothing => problem.part.is_passing(),
                Sent::Form(_) | Sent::Json(_) => matches!(problem.status, Some(429 | 503)),
            };
            let wait = problem.retry_after.unwrap_or_else(|| backoff(tried));
            if !may_again || tried >= self.settings.tries || wait > LONGEST_ASKED_WAIT {
                return Err(problem);
            }
            tracing::debug!(path, tried, ?wait, %problem, "an administration service is asked again");
            tried += 1;
            tokio::time::sleep(wait).await;
        }
    }

    /// Gets a token where tokens are the way in; a Windows account is tried by the first question.
    ///
    /// # Errors
    /// What of the application is wrong.
    pub async fn sign_in(&self) -> Result<(), Problem> {
        match &self.settings.sign_in {
            SignIn::Token(application) => self.token(application).await.map(drop),
            SignIn::Windows(_) | SignIn::Kerberos(..) => Ok(()),
        }
    }

    async fn token(&self, application: &Application) -> Result<String, Problem> {
        let mut held = self.token.lock().await;
        if let Some(known) = held.as_ref().filter(|known| known.until > Instant::now()) {
            return Ok(known.value.clone());
        }
        let fresh = tokio::time::timeout(self.settings.timeout, token(&self.tls, application)).await;
        let fresh = fresh.map_err(|_| {
            let seconds = self.settings.timeout.as_secs();
            let message = format!("{} gave no token within {seconds} s", application.authority);
            Problem::new(Part::Timeout, message, "it is tried again")
        })??;
        let value = fresh.value.clone();
        *held = Some(fresh);
        Ok(value)
    }

    async fn once(&self, path: &str, sent: Sent<'_>) -> Result<Answer, Problem> {
        let bearer = match &self.settings.sign_in {
            SignIn::Token(application) => Some(format!("Bearer {}", self.token(application).await?)),
            SignIn::Windows(_) | SignIn::Kerberos(..) => None,
        };
        let kept = self.idle.lock().pop().filter(Line::is_open);
        let mut line = match kept {
            Some(line) => line,
            None => Line::connect(&self.tls, &self.place).await?,
        };
        let was_used = line.used;
        let mut outcome = self.ask(&mut line, path, sent, bearer.as_deref()).await;
        let was_only_asked = matches!(sent, Sent::Nothing);
        if was_used && was_only_asked && matches!(outcome, Err(Failed::Lost(_))) {
            // the other side has closed what it was tired of keeping
            line = Line::connect(&self.tls, &self.place).await?;
            outcome = self.ask(&mut line, path, sent, bearer.as_deref()).await;
        }
        let answer = outcome.map_err(|failed| match failed {
            Failed::Lost(lost) => broken(&self.place.origin(), &lost),
            Failed::Problem(problem) => problem,
        })?;
        if line.is_open() {
            self.idle.lock().push(line);
        }
        Ok(answer)
    }

    async fn ask(&self, line: &mut Line, path: &str, sent: Sent<'_>, bearer: Option<&str>) -> Result<Answer, Failed> {
        let answer = line.send(request(&self.place, path, bearer, sent)?).await?;
        match &self.settings.sign_in {
            SignIn::Windows(account) if answer.status == 401 => {
                self.windows(line, (path, sent), account, &answer).await
            }
            SignIn::Kerberos(account, kdc) if answer.status == 401 => {
                self.kerberos(line, (path, sent), (account, &kdc.0), &answer).await
            }
            _ => Ok(answer),
        }
    }

    /// Signs a connection in by a ticket and asks on it.
    async fn kerberos(
        &self,
        line: &mut Line,
        (path, sent): (&str, Sent<'_>),
        (account, kdc): (&Account, &str),
        answer: &Answer,
    ) -> Result<Answer, Failed> {
        if offered(answer, "Negotiate").is_none() {
            let message = format!("{} does not offer Kerberos (Negotiate)", self.place.origin());
            let advice = match offered(answer, "NTLM") {
                Some(_) => "it offers NTLM: choose sign-in by a Windows account without Kerberos",
                None => "look at the address; a cloud management gateway takes tokens: choose sign-in by token",
            };
            return Err(Problem::new(Part::Account, message, advice).with_status(401).into());
        }
        let signed = {
            let mut held = self.ticket.lock().await;
            let known = held.take().filter(|(_, since)| since.elapsed() < TICKET_IS_KEPT);
            let (ticket, since) = match known {
                Some(known) => known,
                None => (crate::kerberos::ticket(account, kdc, &self.place.host).await?, Instant::now()),
            };
            let token = crate::kerberos::token(&ticket, channel_binding(&line.certificate));
            *held = Some((ticket, since));
            format!("Negotiate {}", STANDARD.encode(token))
        };
        let answer = line.send(request(&self.place, path, Some(&signed), sent)?).await?;
        if answer.status == 401 {
            // the next one may be right where the service has got another password
            *self.ticket.lock().await = None;
        }
        Ok(answer)
    }

    /// Signs a connection in and asks on it.
    async fn windows(
        &self,
        line: &mut Line,
        (path, sent): (&str, Sent<'_>),
        account: &Account,
        answer: &Answer,
    ) -> Result<Answer, Failed> {
        let scheme = ["Negotiate", "NTLM"].into_iter().find(|scheme| offered(answer, scheme).is_some());
        let scheme = scheme.ok_or_else(|| {
            let message = format!("{} does not offer Windows sign-in", self.place.origin());
            let advice = "look at the address; a cloud management gateway takes tokens: choose sign-in by token";
            Problem::new(Part::Account, message, advice).with_status(401)
        })?;
        let first = format!("{scheme} {}", STANDARD.encode(negotiate()));
        let asked = line.send(request(&self.place, path, Some(&first), sent)?).await?;
        let challenge = offered(&asked, scheme).and_then(|text| STANDARD.decode(text).ok());
        let read = challenge.as_deref().and_then(|bytes| Some((bytes, Challenge::read(bytes)?)));
        let Some((bytes, challenge)) = read else {
            let message = format!("{} offers {scheme} and does not ask as NTLM does", self.place.origin());
            let advice = "look whether NTLM is allowed on the SMS Provider (policy Network security: Restrict NTLM)";
            return Err(Problem::new(Part::Account, message, advice).with_status(asked.status).into());
        };
        let mut nonce = [0; 8];
        rand::rng().fill_bytes(&mut nonce);
        let fresh = Fresh { nonce, time: windows_time() };
        let names = Names::of(account.user.trim(), &account.password);
        let target = format!("HTTP/{}", self.place.host);
        let last = authenticate(names, bytes, &challenge, &target, channel_binding(&line.certificate), &fresh);
        let last = format!("{scheme} {}", STANDARD.encode(last));
        Ok(line.send(request(&self.place, path, Some(&last), sent)?).await?)
    }
}

/// Why there is no answer.
enum Failed {
    Lost(Lost),
    Problem(Problem),
}

impl From<Lost> for Failed {
    fn from(lost: Lost) -> Self {
        Failed::Lost(lost)
    }
}

impl From<Problem> for Failed {
    fn from(problem: Problem) -> Self {
        Failed::Problem(problem)
    }
}

/// What a server says behind a scheme that it offers; empty where nothing.
fn offered<'a>(answer: &'a Answer, scheme: &str) -> Option<&'a str> {
    let offers = answer.headers.get_all(WWW_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok());
    offers.map(str::trim).find_map(|offer| {
        let (name, rest) = offer.split_once(' ').unwrap_or((offer, ""));
        name.eq_ignore_ascii_case(scheme).then_some(rest.trim())
    })
}

pub(crate) fn check_application(application: &Application) -> Result<(), Problem> {
    let is_name = |text: &str| {
        let known = |one: u8| one.is_ascii_alphanumeric() || b"-._".contains(&one);
        !text.is_empty() && text.len() <= 256 && text.bytes().all(known)
    };
    if !is_name(&application.tenant) {
        let message = format!("the tenant {:?} is neither the id nor the name of one", application.tenant);
        return Err(Problem::new(Part::Tenant, message, "enter the Azure AD tenant's id"));
    }
    if !is_name(&application.client_id) {
        let message = format!("the client ID {:?} is none", application.client_id);
        return Err(Problem::new(Part::Application, message, "it looks like a UUID"));
    }
    if application.secret.is_empty() {
        return Err(Problem::new(Part::Secret, "the secret key is missing", "give the value of the client secret key"));
    }
    if application.app_id_uri.trim().is_empty() {
        let advice = "enter the App ID URI of the web app, for instance https://ConfigMgrService";
        return Err(Problem::new(Part::AppIdUri, "the App ID URI is missing", advice));
    }
    Place::read("authority", &application.authority).map(drop)
}

fn windows_time() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    (since.as_secs() + UNIX_IN_1601) * 10_000_000 + u64::from(since.subsec_nanos() / 100)
}

/// Twice as long each time, and not all at once.
fn backoff(tried: u32) -> Duration {
    let whole = FIRST_WAIT.saturating_mul(1 << (tried - 1).min(10)).min(LONGEST_WAIT);
    let random = RandomState::new().build_hasher().finish() % 1_000;
    whole / 2 + whole.mul_f64(f64::from(u32::try_from(random).unwrap_or(0)) / 2_000.0)
}
