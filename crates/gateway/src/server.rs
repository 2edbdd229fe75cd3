//! The running gateway: its listener, its link, and its certificate.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_stream::wrappers::ReceiverStream;
use watchkeeper_wire::proto::agent_server::AgentServer;
use watchkeeper_wire::proto::enrolment_server::EnrolmentServer;
use watchkeeper_wire::{MAX_MESSAGE_BYTES, ServerCertificate, WireError, server_config};

use crate::carry::locked;
use crate::config::{Config, ConfigError};
use crate::link::{Files, Link, enrol, renew};
use crate::relay::Relay;
use crate::trust::Trust;
use crate::zone::Zone;

/// TLS handshakes at one time; more wait in the system's queue.
const MAX_HANDSHAKES: usize = 256;
const HANDSHAKE_DEADLINE: Duration = Duration::from_secs(10);
const KEEPALIVE: Duration = Duration::from_secs(30);
/// Of one connection, which can be another gateway's with 2,000 agents.
const MAX_STREAMS: u32 = 4096;
const CONNECTION_WINDOW: u32 = 16 << 20;
const CERTIFICATE_CHECK: Duration = Duration::from_secs(3600);

/// The gateway cannot work.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    /// Its configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Certificates and their files.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// The port cannot be taken.
    #[error("cannot listen for agents on {listen}: {source}; is a server or another gateway running?")]
    Listen {
        /// Where.
        listen: SocketAddr,
        /// Why not.
        source: std::io::Error,
    },
    /// The queue cannot be opened.
    #[error("the queue in {}: {source}", folder.display())]
    Queue {
        /// Where it lies.
        folder: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// The management server said no.
    #[error("the management server refused this gateway: {0}")]
    Refused(String),
}

/// A running gateway.
pub struct Gateway {
    address: SocketAddr,
    gateway_id: String,
    zone: Arc<Zone>,
    stop: watch::Sender<bool>,
    running: Mutex<Vec<JoinHandle<()>>>,
}

impl Gateway {
    /// Enrols when that was not done yet (and waits for approval), then listens. Needs a tokio runtime.
    ///
    /// # Errors
    /// When the server says no, the port cannot be taken or the data folder cannot be used.
    pub async fn start(config: Config) -> Result<Self, GatewayError> {
        let files = Files(config.data.join("identity"));
        let identity = enrol(&config, &files).await?;
        let link = Arc::new(Link::new(&config, identity.clone())?);
        let authority = CertificateDer::from_pem_slice(identity.authority_pem.as_bytes()).map_err(|error| {
            WireError::Unusable { what: "the authority's certificate".to_owned(), reason: error.to_string() }
        })?;
        let certificate = Arc::new(ServerCertificate::new(&identity.credentials())?);
        let trust = Arc::new(Trust::open(authority, &files.0)?);
        let acceptor = TlsAcceptor::from(server_config(Arc::clone(trust.clients()), Arc::clone(&certificate))?);
        let listen = config.listen;
        let listener = TcpListener::bind(listen).await.map_err(|source| GatewayError::Listen { listen, source })?;
        let address = listener.local_addr().map_err(|source| GatewayError::Listen { listen, source })?;
        let (stop, stopping) = watch::channel(false);
        let folder = config.data.join("queue");
        let zone = Zone::open(folder.clone(), config.queue_megabytes << 20, Arc::clone(&link), stopping.clone())
            .map_err(|source| GatewayError::Queue { folder, source })?;
        let relay = Relay { zone: Arc::clone(&zone), link: Arc::clone(&link), trust: Arc::clone(&trust) };
        let (connections, incoming) = mpsc::channel(16);
        let router = tonic::transport::Server::builder()
            .http2_keepalive_interval(Some(KEEPALIVE))
            .http2_keepalive_timeout(Some(KEEPALIVE))
            .max_concurrent_streams(MAX_STREAMS)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .add_service(EnrolmentServer::new(relay.clone()))
            .add_service(AgentServer::new(relay).max_decoding_message_size(MAX_MESSAGE_BYTES));
        let until = stopped(stopping.clone());
        let serving = tokio::spawn(async move {
            if let Err(error) = router.serve_with_incoming_shutdown(ReceiverStream::new(incoming), until).await {
                tracing::error!(%error, "the agents' port has failed");
            }
        });
        let accepting = tokio::spawn(accept(listener, acceptor, connections, stopping));
        let gateway_id = identity.certificate.agent_id.clone();
        tracing::info!(%address, gateway_id, server = config.server, "gateway listens for agents");
        zone.spawn(Arc::clone(&link).choose_server());
        zone.spawn(trust.follow(Arc::clone(&link), Arc::clone(&zone)));
        zone.spawn(replace_certificate(config, files, link, certificate, identity.certificate.renew_at()));
        Ok(Self { address, gateway_id, zone, stop, running: Mutex::new(vec![accepting, serving]) })
    }

    /// Where it listens.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Its identity in the management group.
    #[must_use]
    pub fn gateway_id(&self) -> &str {
        &self.gateway_id
    }

    /// Ends all sessions and stops listening. What was acknowledged to agents is on the disk.
    pub async fn stop(&self) {
        let _ = self.stop.send(true);
        let running = std::mem::take(&mut *locked(&self.running));
        for task in running {
            let _ = task.await;
        }
        self.zone.ended().await;
    }
}

async fn stopped(mut stopping: watch::Receiver<bool>) {
    let _ = stopping.wait_for(|stopping| *stopping).await;
}

async fn replace_certificate(
    config: Config,
    files: Files,
    link: Arc<Link>,
    certificate: Arc<ServerCertificate>,
    mut renew_at: SystemTime,
) {
    loop {
        tokio::time::sleep(CERTIFICATE_CHECK).await;
        if SystemTime::now() < renew_at {
            continue;
        }
        if matches!(files.load(), Ok(Some(identity)) if identity.imported) {
            tracing::warn!("the imported certificate ends; `watchkeeper cert renew --for gateway` makes the request");
            continue;
        }
        let renewed = match renew(&config, &files, &link).await {
            Err(error) if matches!(files.load(), Ok(None)) => {
                tracing::error!(%error, "the gateway's certificate has ended; it enrols again");
                enrol(&config, &files).await
            }
            renewed => renewed,
        };
        let replaced = renewed.and_then(|identity| {
            certificate.replace(&identity.credentials())?;
            let renew_at = identity.certificate.renew_at();
            link.set_identity(identity)?;
            Ok(renew_at)
        });
        match replaced {
            Ok(next) => {
                tracing::info!("the gateway's certificate was renewed");
                renew_at = next;
            }
            Err(error) => tracing::error!(%error, "the gateway's certificate was not renewed"),
        }
    }
}

async fn accept(
    listener: TcpListener,
    acceptor: TlsAcceptor,
    connections: mpsc::Sender<Result<TlsStream<TcpStream>, std::io::Error>>,
    stopping: watch::Receiver<bool>,
) {
    let handshakes = Arc::new(Semaphore::new(MAX_HANDSHAKES));
    loop {
        let Ok(permit) = Arc::clone(&handshakes).acquire_owned().await else { return };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stopped(stopping.clone()) => return,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // out of file descriptors, for instance: give others time to finish
                tracing::warn!(%error, "cannot accept an agent's connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let (acceptor, connections) = (acceptor.clone(), connections.clone());
        tokio::spawn(async move {
            let _ = stream.set_nodelay(true);
            match tokio::time::timeout(HANDSHAKE_DEADLINE, acceptor.accept(stream)).await {
                Ok(Ok(stream)) => {
                    let _ = connections.send(Ok(stream)).await;
                }
                Ok(Err(error)) => tracing::info!(%peer, %error, "TLS handshake failed"),
                Err(_) => tracing::info!(%peer, "TLS handshake took too long"),
            }
            drop(permit);
        });
    }
}
