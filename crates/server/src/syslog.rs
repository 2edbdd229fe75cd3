//! Syslog listeners: from configured addresses to a running server.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context;
use rustls::ServerConfig;
use tokio::net::{TcpListener, UdpSocket};
use tokio_rustls::TlsAcceptor;
use watchkeeper_ingest::Ingest;
use watchkeeper_ingest::syslog::{SyslogOptions, SyslogServer};

use crate::config::SyslogConfig;

/// The addresses that are listened on, as `host:port`; empty where it is off.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SyslogAddresses {
    pub udp: String,
    pub tcp: String,
    pub tls: String,
}

/// Starts what the configuration asks for.
pub async fn start(
    config: &SyslogConfig,
    tls: Arc<ServerConfig>,
    ingest: Arc<Ingest>,
) -> anyhow::Result<(Option<SyslogServer>, SyslogAddresses)> {
    let mut addresses = SyslogAddresses::default();
    let collector = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let mut options = SyslogOptions { collector, ..SyslogOptions::default() };
    if let Some(address) = parse("syslog.udp", &config.udp)? {
        let socket = match UdpSocket::bind(address).await {
            Err(error) if may_move(config, &error) => UdpSocket::bind(free(address)).await,
            socket => socket,
        };
        let socket = socket.with_context(|| format!("cannot listen on {address} (syslog.udp)"))?;
        addresses.udp = socket.local_addr()?.to_string();
        options.udp = Some(socket);
    }
    if let Some(address) = parse("syslog.tcp", &config.tcp)? {
        let listener = listen(config, "syslog.tcp", address).await?;
        addresses.tcp = listener.local_addr()?.to_string();
        options.tcp = Some(listener);
    }
    if let Some(address) = parse("syslog.tls", &config.tls)? {
        let listener = listen(config, "syslog.tls", address).await?;
        addresses.tls = listener.local_addr()?.to_string();
        let mut settings = (*tls).clone();
        // HTTP's names of protocols are not syslog's
        settings.alpn_protocols.clear();
        options.tls = Some((listener, TlsAcceptor::from(Arc::new(settings))));
    }
    if addresses == SyslogAddresses::default() {
        return Ok((None, addresses));
    }
    tracing::info!(udp = addresses.udp, tcp = addresses.tcp, tls = addresses.tls, "listening for syslog");
    Ok((Some(SyslogServer::start(options, ingest)), addresses))
}

fn parse(key: &str, address: &str) -> anyhow::Result<Option<SocketAddr>> {
    match address {
        "" => Ok(None),
        address => {
            let parsed = address.parse();
            parsed.map(Some).with_context(|| format!("{key} is {address:?}; it has to be like 127.0.0.1:514"))
        }
    }
}

async fn listen(config: &SyslogConfig, key: &str, address: SocketAddr) -> anyhow::Result<TcpListener> {
    let listener = match TcpListener::bind(address).await {
        Err(error) if may_move(config, &error) => TcpListener::bind(free(address)).await,
        listener => listener,
    };
    listener.with_context(|| format!("cannot listen on {address} ({key})"))
}

/// Whether nobody asked for this very port, so that another one will do.
fn may_move(config: &SyslogConfig, error: &std::io::Error) -> bool {
    config.any_port && error.kind() == ErrorKind::AddrInUse
}

fn free(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip(), 0)
}
