//! Lists of revoked certificates of companies' authorities: checked and kept, fetched again in turns where they have an
//! address, and told to whoever lets agents in. The list that is there holds until a newer one of its issuer comes.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, bail};
use futures::StreamExt;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use watchkeeper_certificates::{MAX_LIST_BYTES, read_revocation_list, system_authorities};
use watchkeeper_management::ManagementServer;
use watchkeeper_state::{ListedCertificate, RevocationListRecord, State};

use crate::failover;
use crate::operations::Operations;

/// A list that could not be fetched is asked for again after this time, where its turn is later.
const RETRY: Duration = Duration::from_secs(300);
/// How soon a list whose turn has come is noticed.
const LOOK: Duration = Duration::from_secs(30);
const FETCH_DEADLINE: Duration = Duration::from_secs(30);
/// Identities of lists: the same issuer at the same address is the same list.
const NAMESPACE: Uuid = Uuid::from_u128(0x0d7c_3f52_64a9_4b0e_9a55_8e0f_1c27_b3d1);
/// Who changes lists that have an address.
const ITSELF: &str = "Watchkeeper";

/// A list as somebody gives it.
pub struct Given<'a> {
    pub bytes: &'a [u8],
    /// Certificates that its signature may be of, PEM; may be empty.
    pub certificates: &'a str,
    /// Where it came from and is fetched again; empty: from a file.
    pub url: &'a str,
    pub by: &'a str,
}

/// Checks a list and keeps it. It holds once `changed` was called.
///
/// # Errors
/// All that speaks against it, and when it is older than the one that is there.
pub async fn take(state: &State, given: &Given<'_>) -> anyhow::Result<RevocationListRecord> {
    let read = |pem: &str| -> anyhow::Result<Vec<CertificateDer<'static>>> {
        CertificateDer::pem_slice_iter(pem.as_bytes())
            .collect::<Result<_, _>>()
            .context("a certificate beside the list is damaged")
    };
    let mut trusted = Vec::new();
    for authority in state.authorities().await? {
        trusted.extend(read(&authority.pem)?);
    }
    let at_hand = read(given.certificates)?;
    let now = SystemTime::now();
    let list = read_revocation_list(given.bytes, &at_hand, &trusted, now).map_err(|problems| {
        let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
        anyhow::anyhow!("this list of revoked certificates is not taken: {}", problems.join("; "))
    })?;
    let id = Uuid::new_v5(&NAMESPACE, format!("{}\n{}", list.issuer, given.url).as_bytes());
    let record = RevocationListRecord {
        id: id.to_string(),
        issuer: list.issuer,
        issuer_name: list.issuer_name,
        certificates: given.certificates.to_owned(),
        url: given.url.to_owned(),
        this_update: seconds(list.this_update),
        next_update: list.next_update.map_or(0, seconds),
        revoked: list
            .revoked
            .into_iter()
            .map(|one| ListedCertificate { serial: one.serial, at: seconds(one.at), reason: one.reason })
            .collect(),
        looked_at: seconds(now),
        problem: String::new(),
        added_at: seconds(now),
        added_by: given.by.to_owned(),
    };
    if !state.put_revocation_list(&record).await? {
        bail!(
            "this list of {} is older than the one that is here; fetch the authority's present list",
            record.issuer_name
        );
    }
    Ok(record)
}

/// Fetches a list from its address.
///
/// # Errors
/// When it cannot be reached, or is too large.
pub async fn fetch(url: &str) -> anyhow::Result<Vec<u8>> {
    let scheme = url.split("://").next().unwrap_or_default();
    if !["http", "https"].contains(&scheme) || scheme == url {
        bail!("lists are fetched over http:// and https://, and this is {url:?}; give the list as a file");
    }
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(system_authorities());
    let tls = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let client = reqwest::Client::builder().tls_backend_preconfigured(tls).timeout(FETCH_DEADLINE).build()?;
    let answer = client.get(url).send().await.with_context(|| format!("cannot reach {url}"))?;
    if !answer.status().is_success() {
        bail!("{url} answers {}", answer.status());
    }
    let (mut bytes, mut parts) = (Vec::new(), answer.bytes_stream());
    while let Some(part) = parts.next().await {
        bytes.extend_from_slice(&part.with_context(|| format!("the answer of {url} broke off"))?);
        if bytes.len() > MAX_LIST_BYTES {
            bail!("what {url} has is larger than {MAX_LIST_BYTES} bytes");
        }
    }
    Ok(bytes)
}

/// Fetches a list again. True: it brought another set of certificates.
///
/// # Errors
/// Why the list that is there holds on; that is kept beside it as well.
pub async fn refresh(state: &State, list: &RevocationListRecord) -> anyhow::Result<bool> {
    let fetched = async {
        let bytes = fetch(&list.url).await?;
        let given = Given { bytes: &bytes, certificates: &list.certificates, url: &list.url, by: &list.added_by };
        let taken = take(state, &given).await?;
        if taken.id != list.id {
            state.delete_revocation_list(&taken.id).await?;
            bail!("{} has a list of {}, and was added as one of {}", list.url, taken.issuer_name, list.issuer_name);
        }
        Ok(taken.revoked != list.revoked)
    };
    let outcome = fetched.await;
    if let Err(error) = &outcome {
        state.revocation_list_looked_at(&list.id, seconds(SystemTime::now()), &format!("{error:#}")).await?;
    }
    outcome
}

/// What changed holds from now on; gives how many sessions have ended.
///
/// # Errors
/// When the operational store does not answer.
pub async fn changed(state: &State, management: &ManagementServer) -> anyhow::Result<usize> {
    failover::certificates_changed(state).await?;
    Ok(management.certificates_changed().await?)
}

/// Why a list is not as it should be: the last look failed, or its time is over.
pub fn problem(list: &RevocationListRecord, now: SystemTime) -> String {
    let is_over = list.next_update != 0 && list.next_update < seconds(now);
    match (list.problem.as_str(), is_over) {
        ("", true) if list.url.is_empty() => "its time is over: add the authority's present list".to_owned(),
        ("", true) => "its time is over, and its address has no newer one".to_owned(),
        (problem, _) => problem.to_owned(),
    }
}

/// Fetches every list with an address again when its turn has come.
pub fn follow(
    state: State,
    operations: Arc<Operations>,
    management: Arc<ManagementServer>,
    every: Duration,
    stop: CancellationToken,
) -> JoinHandle<()> {
    tokio::spawn(async move {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(LOOK.min(every)) => {}
            }
            if let Err(error) = refresh_due(&state, &operations, &management, every).await {
                tracing::warn!(%error, "lists of revoked certificates cannot be read");
            }
        }
    })
}

async fn refresh_due(
    state: &State,
    operations: &Operations,
    management: &ManagementServer,
    every: Duration,
) -> anyhow::Result<()> {
    let now = seconds(SystemTime::now());
    for list in state.revocation_lists().await? {
        let turn = if list.problem.is_empty() { every } else { every.min(RETRY) };
        if list.url.is_empty() || (0..turn.as_secs().cast_signed()).contains(&(now - list.looked_at)) {
            continue;
        }
        match refresh(state, &list).await {
            Ok(false) => {}
            Ok(true) => {
                let ended = changed(state, management).await?;
                tracing::info!(issuer = list.issuer_name, ended, "a list of revoked certificates has changed");
                let operational = &operations.operational;
                operational.audit(ITSELF, "update revocation list", &list.issuer_name, "Succeeded", &list.url).await?;
            }
            Err(error) => {
                let error = format!("{error:#}");
                tracing::warn!(issuer = list.issuer_name, error, "a list of revoked certificates was not fetched");
            }
        }
    }
    Ok(())
}

fn seconds(at: SystemTime) -> i64 {
    at.duration_since(UNIX_EPOCH).map_or(0, |since| i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
}
