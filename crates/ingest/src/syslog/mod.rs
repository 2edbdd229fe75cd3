//! Syslog over UDP, TCP and TLS into the table `Syslog`. The protocol has no acknowledgement: what arrives while the
//! store cannot keep up waits in the sender (TCP, TLS) or is dropped and counted (UDP).

mod frames;
mod message;

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use chrono::Utc;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::net::{TcpListener, UdpSocket};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use crate::error::IngestError;
use crate::limits::{SYSLOG_CONNECTIONS, SYSLOG_MESSAGE_BYTES, SYSLOG_WAITING};
use crate::rows::value::Value;
use crate::rows::{Options, RowsBuilder, TableRows, TimePolicy, Unknown};
use crate::writer::Ingest;
use frames::Frames;
pub use message::{FACILITIES, Message, SEVERITIES, parse};

const SOLUTION: &str = "Syslog";
const TABLE: &str = "Syslog";
/// Messages of one write.
const MOST_ROWS: usize = 5_000;
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a write that the store cannot take is tried again before its messages are given up.
const GIVE_UP: Duration = Duration::from_secs(300);

/// Where to listen; none is off.
#[derive(Default)]
pub struct SyslogOptions {
    pub udp: Option<UdpSocket>,
    pub tcp: Option<TcpListener>,
    pub tls: Option<(TcpListener, TlsAcceptor)>,
    /// This machine's name: `CollectorHostName`.
    pub collector: String,
}

/// Running listeners.
#[derive(Debug)]
pub struct SyslogServer {
    stop: CancellationToken,
    listeners: JoinSet<()>,
    writer: JoinHandle<()>,
}

/// A message and who sent it.
struct Received {
    peer: IpAddr,
    bytes: Vec<u8>,
}

impl SyslogServer {
    /// Starts to listen.
    pub fn start(options: SyslogOptions, ingest: Arc<Ingest>) -> SyslogServer {
        let stop = CancellationToken::new();
        let (sender, receiver) = mpsc::channel(SYSLOG_WAITING);
        let mut listeners = JoinSet::new();
        if let Some(socket) = options.udp {
            listeners.spawn(datagrams(socket, sender.clone(), Arc::clone(&ingest), stop.clone()));
        }
        if let Some(listener) = options.tcp {
            listeners.spawn(connections(listener, None, sender.clone(), stop.clone()));
        }
        if let Some((listener, acceptor)) = options.tls {
            listeners.spawn(connections(listener, Some(acceptor), sender.clone(), stop.clone()));
        }
        let writer = tokio::spawn(write(receiver, ingest, options.collector));
        SyslogServer { stop, listeners, writer }
    }

    /// Takes no more messages and stores those that have arrived.
    pub async fn stop(mut self) {
        self.stop.cancel();
        while self.listeners.join_next().await.is_some() {}
        if let Err(error) = self.writer.await {
            tracing::error!(%error, "the writer of syslog messages ended badly");
        }
    }
}

async fn datagrams(socket: UdpSocket, sender: mpsc::Sender<Received>, ingest: Arc<Ingest>, stop: CancellationToken) {
    let mut buffer = vec![0; SYSLOG_MESSAGE_BYTES];
    let dropped = AtomicU64::new(0);
    loop {
        let received = tokio::select! {
            () = stop.cancelled() => break,
            received = socket.recv_from(&mut buffer) => received,
        };
        match received {
            Ok((length, peer)) => {
                let message = Received { peer: peer.ip(), bytes: buffer[..length].to_vec() };
                match sender.try_send(message) {
                    Ok(()) => report_dropped(&dropped, &ingest),
                    Err(_) => {
                        dropped.fetch_add(1, Ordering::Relaxed);
                    }
                }
            }
            Err(error) => tracing::debug!(%error, "syslog datagram"),
        }
    }
    report_dropped(&dropped, &ingest);
}

fn report_dropped(dropped: &AtomicU64, ingest: &Ingest) {
    let count = dropped.swap(0, Ordering::Relaxed);
    if count > 0 {
        ingest.refused(SOLUTION, TABLE, "datagrams were dropped: more arrived than could be stored; use TCP", count);
    }
}

async fn connections(
    listener: TcpListener,
    acceptor: Option<TlsAcceptor>,
    sender: mpsc::Sender<Received>,
    stop: CancellationToken,
) {
    let turns = Arc::new(Semaphore::new(SYSLOG_CONNECTIONS));
    let mut running = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            Some(_) = running.join_next(), if !running.is_empty() => continue,
            accepted = listener.accept() => accepted,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // out of file descriptors, most likely: wait for connections to end
                tracing::warn!(%error, "cannot accept a syslog connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let Ok(turn) = Arc::clone(&turns).try_acquire_owned() else {
            tracing::warn!(%peer, limit = SYSLOG_CONNECTIONS, "too many syslog connections; this one is closed");
            continue;
        };
        let (acceptor, sender, stop) = (acceptor.clone(), sender.clone(), stop.clone());
        running.spawn(async move {
            let result = match acceptor {
                None => read(stream, peer.ip(), &sender, &stop).await,
                Some(acceptor) => match tokio::time::timeout(HANDSHAKE_TIMEOUT, acceptor.accept(stream)).await {
                    Ok(Ok(stream)) => read(stream, peer.ip(), &sender, &stop).await,
                    Ok(Err(error)) => Err(error),
                    Err(_) => Err(io::ErrorKind::TimedOut.into()),
                },
            };
            if let Err(error) = result {
                tracing::debug!(%peer, %error, "syslog connection");
            }
            drop(turn);
        });
    }
    while running.join_next().await.is_some() {}
}

/// Reads messages until the sender ends, or the server.
async fn read(
    mut stream: impl AsyncRead + Unpin,
    peer: IpAddr,
    sender: &mpsc::Sender<Received>,
    stop: &CancellationToken,
) -> io::Result<()> {
    let mut frames = Frames::default();
    let mut buffer = vec![0; 32 * 1024];
    loop {
        let length = tokio::select! {
            () = stop.cancelled() => return Ok(()),
            length = stream.read(&mut buffer) => length,
        };
        // many senders close a TLS connection without saying so
        let length = match length {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => 0,
            length => length?,
        };
        if length == 0 {
            if let Some(bytes) = frames.last().map(<[u8]>::to_vec) {
                let _ = sender.send(Received { peer, bytes }).await;
            }
            return Ok(());
        }
        frames.push(&buffer[..length]);
        while let Some(bytes) = frames.next().map(<[u8]>::to_vec) {
            if sender.send(Received { peer, bytes }).await.is_err() {
                return Ok(());
            }
        }
    }
}

/// Stores what arrives, as much at a time as has arrived while the last write ran.
async fn write(mut receiver: mpsc::Receiver<Received>, ingest: Arc<Ingest>, collector: String) {
    let mut messages = Vec::new();
    while receiver.recv_many(&mut messages, MOST_ROWS).await > 0 {
        let rows = table_rows(&ingest, &collector, &messages);
        let count = messages.len() as u64;
        messages.clear();
        if let Err(error) = store(&ingest, rows).await {
            ingest.refused(SOLUTION, TABLE, error.to_string(), count);
        }
    }
}

async fn store(ingest: &Ingest, rows: TableRows) -> Result<(), IngestError> {
    let start = tokio::time::Instant::now();
    loop {
        let error = match ingest.write(vec![rows.clone()], None).await {
            Ok(_) => return Ok(()),
            Err(error) => error,
        };
        let wait = match &error {
            IngestError::BackPressure { retry_after } => *retry_after,
            IngestError::Unavailable { .. } => Duration::from_secs(1),
            _ => return Err(error),
        };
        if start.elapsed() > GIVE_UP {
            return Err(error);
        }
        tokio::time::sleep(wait).await;
    }
}

fn table_rows(ingest: &Ingest, collector: &str, messages: &[Received]) -> TableRows {
    let now = Utc::now();
    let options = Options {
        unknown: Unknown::Refuse,
        time: TimePolicy::Recent,
        field_bytes: SYSLOG_MESSAGE_BYTES,
        now: now.timestamp_micros(),
    };
    let mut rows = ingest.rows(TABLE, options).with_source_system("Linux");
    let slots = ["TimeGenerated", "EventTime"].map(|name| rows.column(name));
    for received in messages {
        let line = String::from_utf8_lossy(&received.bytes);
        let message = parse(&line, now);
        let peer = received.peer.to_canonical().to_string();
        let host = if message.host.is_empty() { peer.as_str() } else { message.host };
        if let Some(time) = message.time {
            slots.iter().for_each(|slot| rows.set_datetime(*slot, time));
        }
        let texts = [
            ("Computer", host),
            ("HostName", host),
            ("HostIP", peer.as_str()),
            ("CollectorHostName", collector),
            ("Facility", message.facility),
            ("SeverityLevel", message.severity),
            ("ProcessName", message.process),
            ("SyslogMessage", message.text),
        ];
        for (name, text) in texts {
            set(&mut rows, name, Value::Text(text));
        }
        if let Some(process_id) = message.process_id {
            set(&mut rows, "ProcessID", Value::Long(process_id.into()));
        }
        rows.end_row();
    }
    rows.finish()
}

fn set(rows: &mut RowsBuilder, name: &str, value: Value<'_>) {
    let slot = rows.column(name);
    rows.set(slot, name, value);
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;
    use tokio::net::TcpStream;

    use super::*;
    use crate::writer::tests::{stored, texts, workspace};

    #[tokio::test]
    async fn messages_of_both_transports_are_stored_when_the_server_stops() {
        let (_dir, ingest) = workspace().await;
        let udp = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (udp_address, tcp_address) = (udp.local_addr().unwrap(), tcp.local_addr().unwrap());
        let options = SyslogOptions { udp: Some(udp), tcp: Some(tcp), tls: None, collector: "collector".into() };
        let server = SyslogServer::start(options, Arc::clone(&ingest));

        let sender = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        sender.send_to(b"<13>1 - web app 7 - - over udp", udp_address).await.unwrap();
        let mut stream = TcpStream::connect(tcp_address).await.unwrap();
        stream.write_all(b"24 <3>1 - db pg - - - o\nver<14>plain \xff line\n").await.unwrap();
        stream.shutdown().await.unwrap();
        drop(stream);
        // the messages are on their way through the loopback interface: wait until all are in the table
        let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
        while stored(&ingest, TABLE).num_rows() < 3 && tokio::time::Instant::now() < deadline {
            tokio::task::yield_now().await;
        }
        server.stop().await;

        let batch = stored(&ingest, TABLE);
        let mut messages = texts(&batch, "SyslogMessage");
        messages.sort();
        assert_eq!(messages, ["o\nver", "over udp", "plain \u{fffd} line"]);
        let mut computers = texts(&batch, "Computer");
        computers.sort();
        assert_eq!(computers, ["127.0.0.1", "db", "web"]);
        assert_eq!(texts(&batch, "CollectorHostName"), ["collector"; 3]);
    }
}
