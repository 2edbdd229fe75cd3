//! The server's certificate: one of the owner's, or one that the server's own authority signs at each start.

use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, bail};
use rustls::ServerConfig;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use watchkeeper_wire::Authority;

use crate::config::Config;

/// Every name and address that clients on this machine may use.
pub fn server_names(config: &Config) -> Vec<String> {
    let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
    let host = rustix::system::uname().nodename().to_string_lossy().to_ascii_lowercase();
    let address = config.listen.address;
    let listening = (!address.is_unspecified()).then(|| address.to_string());
    for name in [host].into_iter().chain(listening).chain(config.listen.names.iter().cloned()) {
        if !name.is_empty() && !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// The TLS settings of the HTTPS listener, and the certificate that it shows.
pub fn server_config(
    config: &Config,
    authority: &Authority,
) -> anyhow::Result<(Arc<ServerConfig>, CertificateDer<'static>)> {
    let tls = &config.tls;
    let (chain, key) = match (tls.certificate.as_os_str().is_empty(), tls.key.as_os_str().is_empty()) {
        (true, true) => {
            let credentials = authority.server_credentials(&server_names(config))?;
            (credentials.chain_pem.into_bytes(), credentials.key_pem.into_bytes())
        }
        (false, false) => (read(&tls.certificate)?, read(&tls.key)?),
        _ => bail!("tls.certificate and tls.key belong together: set both or none"),
    };
    let chain: Vec<CertificateDer<'static>> =
        CertificateDer::pem_slice_iter(&chain).collect::<Result<_, _>>().context("the server's certificate")?;
    let key = PrivateKeyDer::from_pem_slice(&key).context("the server's key")?;
    let shown = chain.first().cloned().context("the server's certificate: the file has none")?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut settings = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .context("the server's certificate and key do not belong together")?;
    settings.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok((Arc::new(settings), shown))
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}

/// The host as it stands in an address: a loopback name where the server listens everywhere.
pub fn url_host(address: IpAddr) -> String {
    match address {
        address if address.is_loopback() || address.is_unspecified() => "localhost".to_owned(),
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("[{address}]"),
    }
}
