//! The commands' way to a server: the connection file, a token, requests.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, bail};
use clap::Args;
use reqwest::{Method, RequestBuilder};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use serde_json::Value;

use crate::config::default_data_dir;
use crate::connection::{Connection, connection_file};

/// Which server, and as whom.
#[derive(Args)]
pub struct Target {
    /// The connection file that the server wrote [default: connection.json in the data folder].
    #[arg(long, env = "WATCHKEEPER_CONNECTION", global = true)]
    connection: Option<PathBuf>,
    /// The workspace's address, https://HOST:PORT or https://HOST:PORT/v1/workspaces/ID.
    #[arg(long, global = true)]
    workspace: Option<String>,
}

/// A signed-in client.
pub struct Client {
    http: reqwest::Client,
    pub base: String,
    pub workspace_id: String,
    token: String,
}

impl Target {
    /// Reads the connection and signs in.
    pub async fn connect(&self) -> anyhow::Result<Client> {
        let path = self.connection.clone().unwrap_or_else(|| connection_file(&default_data_dir()));
        let connection = Connection::read(&path)
            .context("no server is known; start one with `watchkeeper up`, or name its file with --connection")?;
        let (base, workspace_id) = match &self.workspace {
            None => (connection.url.clone(), connection.workspace_id.clone()),
            Some(address) => split_address(address, &connection.workspace_id)?,
        };
        let http = http_client(&connection)?;
        let url = format!("{base}/{}/oauth2/v2.0/token", connection.tenant_id);
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", connection.client_id.as_str()),
            ("client_secret", connection.client_secret.as_str()),
            ("scope", "https://api.loganalytics.io/.default"),
        ];
        let response = http.post(url).form(&form).send().await.with_context(|| format!("cannot reach {base}"))?;
        let answer = read_answer(response).await.context("signing in failed")?;
        let token =
            answer["access_token"].as_str().context("the server's token answer has no access_token")?.to_owned();
        Ok(Client { http, base, workspace_id, token })
    }
}

impl Client {
    /// A request to a path of the server, with the token.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.base)).bearer_auth(&self.token)
    }

    /// Sends a request and reads its JSON; an error status becomes an error with the server's words.
    pub async fn json(&self, request: RequestBuilder) -> anyhow::Result<Value> {
        let response = request.send().await.with_context(|| format!("cannot reach {}", self.base))?;
        read_answer(response).await
    }
}

async fn read_answer(response: reqwest::Response) -> anyhow::Result<Value> {
    let status = response.status();
    let text = response.text().await.context("the server's answer broke off")?;
    let body: Value = if text.is_empty() {
        Value::Null
    } else {
        serde_json::from_str(&text).with_context(|| format!("the server answered {status} without JSON"))?
    };
    if status.is_success() {
        return Ok(body);
    }
    let error = &body["error"];
    match body["error_description"].as_str().or_else(|| error["message"].as_str()).or_else(|| error.as_str()) {
        Some(message) => bail!("{message} ({status})"),
        None => bail!("the server answered {status}"),
    }
}

fn http_client(connection: &Connection) -> anyhow::Result<reqwest::Client> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(&connection.ca_file)
        .with_context(|| format!("cannot read the authority {}", connection.ca_file.display()))?
    {
        roots.add(certificate.with_context(|| format!("{} is damaged", connection.ca_file.display()))?)?;
    }
    let tls = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    reqwest::Client::builder().tls_backend_preconfigured(tls).build().context("cannot make an HTTPS client")
}

fn split_address(address: &str, default_workspace: &str) -> anyhow::Result<(String, String)> {
    let address = address.trim_end_matches('/');
    if !address.starts_with("https://") {
        bail!("--workspace {address:?} does not start with https://");
    }
    Ok(match address.split_once("/v1/workspaces/") {
        Some((base, id)) => (base.to_owned(), id.to_owned()),
        None => (address.to_owned(), default_workspace.to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_workspace_address_may_name_the_workspace() {
        let split = |address| split_address(address, "mine").ok();
        assert_eq!(split("https://h:1/"), Some(("https://h:1".into(), "mine".into())));
        assert_eq!(split("https://h:1/v1/workspaces/w"), Some(("https://h:1".into(), "w".into())));
        assert_eq!(split("http://h"), None);
    }
}
