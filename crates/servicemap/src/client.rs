//! A signed-in client: the token, requests with their limit of time, tries again, pages.

use std::fmt;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::{Duration, Instant};

use reqwest::header::RETRY_AFTER;
use reqwest::{Method, Response, Url};
use serde_json::Value;
use tokio::sync::Mutex;

use crate::answer::{Asked, refused, token_refused};
use crate::problem::{Kind, Problem};
use crate::transport::{address, failed, http};

/// What an answer may have; the map of a thousand machines has some 20 MB.
const MOST_BYTES: usize = 256 << 20;
const MOST_PAGES: usize = 10_000;
const FIRST_WAIT: Duration = Duration::from_millis(500);
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// Who is to wait longer than this is told instead.
const LONGEST_ASKED_WAIT: Duration = Duration::from_secs(120);
/// A token is renewed so long before its end.
const EARLY: Duration = Duration::from_secs(120);

/// Where to, and as whom.
#[derive(Clone, PartialEq, Eq)]
pub struct Settings {
    /// Who gives tokens, `https://HOST[:PORT]`.
    pub authority: String,
    /// The resource manager, `https://HOST[:PORT]`.
    pub endpoint: String,
    /// What tokens are asked for, `https://HOST`.
    pub resource: String,
    /// Id or name of the directory.
    pub tenant: String,
    /// The client id of the service principal.
    pub application_id: String,
    /// One of its secrets.
    pub secret: String,
    /// Certificates of authorities that are trusted besides the system's: PEM.
    pub trusted: String,
    /// How long one request may take.
    pub timeout: Duration,
    /// How often a request is sent that fails in passing; at least once.
    pub tries: u32,
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Settings({} at {}, tenant {})", self.application_id, self.endpoint, self.tenant)
    }
}

struct Token {
    value: String,
    until: Instant,
}

/// A client of one service principal.
pub struct Client {
    http: reqwest::Client,
    authority: Url,
    endpoint: Url,
    pub(crate) settings: Settings,
    token: Mutex<Option<Token>>,
}

/// An answer of any status.
struct Answer {
    status: u16,
    retry_after: Option<Duration>,
    body: Value,
}

impl Client {
    /// Without asking anybody.
    ///
    /// # Errors
    /// When an address or a certificate is none, or the tenant cannot be the name of one.
    pub fn new(settings: Settings) -> Result<Client, Problem> {
        let authority = address("authority", &settings.authority)?;
        let endpoint = address("endpoint", &settings.endpoint)?;
        let is_name = |text: &str| {
            !text.is_empty()
                && text.len() <= 256
                && text.bytes().all(|one| one.is_ascii_alphanumeric() || b"-._".contains(&one))
        };
        if !is_name(&settings.tenant) {
            let text = format!("the tenant {:?} is neither the id nor the name of one", settings.tenant);
            return Err(Problem::new(Kind::Tenant, text));
        }
        if !is_name(&settings.application_id) {
            let text = format!("the application id {:?} is none; it looks like a UUID", settings.application_id);
            return Err(Problem::new(Kind::Application, text));
        }
        if settings.secret.is_empty() {
            return Err(Problem::new(Kind::Secret, "the secret of the service principal is missing"));
        }
        Ok(Client { http: http(&settings.trusted)?, authority, endpoint, settings, token: Mutex::new(None) })
    }

    /// Signs in, unless that was done.
    ///
    /// # Errors
    /// What is wrong with address, tenant, application or secret.
    pub async fn sign_in(&self) -> Result<(), Problem> {
        self.token().await.map(drop)
    }

    async fn token(&self) -> Result<String, Problem> {
        let mut held = self.token.lock().await;
        if let Some(token) = held.as_ref().filter(|token| token.until > Instant::now()) {
            return Ok(token.value.clone());
        }
        let mut url = self.authority.clone();
        url.set_path(&format!("/{}/oauth2/v2.0/token", self.settings.tenant));
        let scope = format!("{}/.default", self.settings.resource.trim_end_matches('/'));
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", self.settings.application_id.as_str()),
            ("client_secret", self.settings.secret.as_str()),
            ("scope", scope.as_str()),
        ];
        let asked = Instant::now();
        let answer = self
            .with_tries(|| async {
                let answer = self.once(self.http.post(url.clone()).form(&form), &url).await?;
                match answer.status {
                    200 => Ok(answer),
                    _ => Err((token_refused(answer.status, &answer.body, &self.settings), answer.retry_after)),
                }
            })
            .await?;
        let value = answer.body["access_token"].as_str().ok_or_else(|| {
            let text =
                format!("what {} answers has no access_token. Look at the address of the authority", self.authority);
            Problem::new(Kind::Answer, text)
        })?;
        let seconds = answer.body["expires_in"].as_u64().unwrap_or(300);
        let lasts = Duration::from_secs(seconds.min(86_400)).saturating_sub(EARLY);
        *held = Some(Token { value: value.to_owned(), until: asked + lasts });
        Ok(value.to_owned())
    }

    /// Asks the resource manager; `path` begins with `/` and has its parameters.
    pub(crate) async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        asked: Asked<'_>,
    ) -> Result<Value, Problem> {
        let wrong = |_| Problem::new(Kind::Answer, format!("{path:?} is no path of a request"));
        self.ask_at(method, self.endpoint.join(path).map_err(wrong)?, body, asked).await
    }

    async fn ask_at(&self, method: Method, url: Url, body: Option<&Value>, asked: Asked<'_>) -> Result<Value, Problem> {
        let mut renewed = false;
        loop {
            let token = self.token().await?;
            let answer = self
                .with_tries(|| async {
                    let request = self.http.request(method.clone(), url.clone()).bearer_auth(&token);
                    let request = match body {
                        Some(body) => request.json(body),
                        None => request,
                    };
                    let answer = self.once(request, &url).await?;
                    match answer.status {
                        200..300 | 401 => Ok(answer),
                        status => Err((refused(status, &answer.body, asked, &self.settings), answer.retry_after)),
                    }
                })
                .await?;
            match answer.status {
                // a token can be taken back before its end
                401 if !renewed => {
                    renewed = true;
                    *self.token.lock().await = None;
                }
                401 => return Err(refused(401, &answer.body, asked, &self.settings)),
                _ => return Ok(answer.body),
            }
        }
    }

    /// All resources of a list, page after page.
    pub(crate) async fn list(&self, path: &str, asked: Asked<'_>) -> Result<Vec<Value>, Problem> {
        let strange = |what: String| {
            Problem::new(
                Kind::Answer,
                format!("{} answers a list {what}. Look at the endpoint", self.settings.endpoint),
            )
        };
        let mut page = self.ask(Method::GET, path, None, asked).await?;
        let mut all = Vec::new();
        for _ in 0..MOST_PAGES {
            match page["value"].take() {
                Value::Array(items) => all.extend(items),
                _ => return Err(strange("that has no value".to_owned())),
            }
            let Some(next) = page["nextLink"].as_str().filter(|next| !next.is_empty()) else { return Ok(all) };
            let url = self.endpoint.join(next).map_err(|_| strange(format!("with the next page at {next:?}")))?;
            // the token is for this server alone
            if url.origin() != self.endpoint.origin() {
                return Err(strange(format!("whose next page is elsewhere, at {next:?}")));
            }
            page = self.ask_at(Method::GET, url, None, asked).await?;
        }
        Err(strange(format!("of more than {MOST_PAGES} pages")))
    }

    /// Does something again that failed in passing, later each time, as the other side asks.
    async fn with_tries<F>(&self, work: impl Fn() -> F) -> Result<Answer, Problem>
    where
        F: Future<Output = Result<Answer, (Problem, Option<Duration>)>>,
    {
        let mut tried = 1;
        loop {
            let (problem, asked_wait) = match work().await {
                Ok(answer) => return Ok(answer),
                Err(failed) => failed,
            };
            let wait = asked_wait.unwrap_or_else(|| backoff(tried));
            if !problem.kind.is_passing() || tried >= self.settings.tries || wait > LONGEST_ASKED_WAIT {
                return Err(problem);
            }
            tried += 1;
            tokio::time::sleep(wait).await;
        }
    }

    async fn once(&self, request: reqwest::RequestBuilder, url: &Url) -> Result<Answer, (Problem, Option<Duration>)> {
        let timeout = self.settings.timeout;
        let no_answer = |error: reqwest::Error| (failed(&error, url, timeout), None);
        let mut response = request.timeout(timeout).send().await.map_err(no_answer)?;
        let (status, retry_after) = (response.status().as_u16(), retry_after(&response));
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(no_answer)? {
            if bytes.len() + chunk.len() > MOST_BYTES {
                let text = format!("an answer of {} has more than {} MiB", self.settings.endpoint, MOST_BYTES >> 20);
                return Err((Problem::new(Kind::Answer, text), None));
            }
            bytes.extend_from_slice(&chunk);
        }
        let body = match serde_json::from_slice(&bytes) {
            Ok(body) => body,
            // a proxy's page of an error is no answer of this API; its status says enough
            Err(_) if !(200..300).contains(&status) => Value::Null,
            Err(_) => {
                let text = format!(
                    "what answers at {} gives no JSON. Look at the address: it may be another program's",
                    url.origin().ascii_serialization()
                );
                return Err((Problem::new(Kind::Answer, text), None));
            }
        };
        Ok(Answer { status, retry_after, body })
    }
}

fn retry_after(response: &Response) -> Option<Duration> {
    let seconds = response.headers().get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}

/// Twice as long each time, and not all at once.
fn backoff(tried: u32) -> Duration {
    let whole = FIRST_WAIT.saturating_mul(1 << (tried - 1).min(10)).min(LONGEST_WAIT);
    let random = RandomState::new().build_hasher().finish() % 1_000;
    whole / 2 + whole.mul_f64(f64::from(u32::try_from(random).unwrap_or(0)) / 2_000.0)
}
