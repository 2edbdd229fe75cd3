//! `Microsoft.SystemCenter.SyntheticTransactions.TCPPortCheckProbe`: whether a port answers.

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use tokio::net::{TcpStream, lookup_host};
use watchkeeper_model::item::DataItem;
use watchkeeper_model::node::Node;

use crate::workflow::job::{Job, Limits, Weight};
use crate::workflow::module::{Context, Failure, Item, Module, Setup};
use crate::workflow::modules::text::fill;

/// The type of what comes out.
pub const TCP_PORT_CHECK: &str = "Microsoft.SystemCenter.SyntheticTransactions.TCPPortCheckData";

/// It answered.
pub const CONNECTED: u32 = 0;
/// Nothing came back in time.
pub const TIMED_OUT: u32 = 2_147_952_460;
/// The machine is there and nobody listens.
pub const REFUSED: u32 = 2_147_952_461;
/// There is no way to it.
pub const UNREACHABLE: u32 = 2_147_952_465;
/// The name is not known.
pub const HOST_NOT_FOUND: u32 = 2_147_953_401;

const DEFAULT_SECONDS: u64 = 21;

struct Probe {
    server: String,
    port: String,
    timeout: Duration,
    limits: Limits,
}

/// Makes one: `ServerName`, `Port`, `TimeoutSeconds`.
///
/// # Errors
/// When a parameter is missing.
pub fn make(setup: &Setup<'_>) -> Result<Box<dyn Module>, String> {
    let seconds = setup.number("TimeoutSeconds")?.unwrap_or(DEFAULT_SECONDS).clamp(1, 120);
    Ok(Box::new(Probe {
        server: setup.required("ServerName")?.to_owned(),
        port: setup.required("Port")?.to_owned(),
        timeout: Duration::from_secs(seconds),
        limits: Limits { timeout: Duration::from_secs(seconds + 30), ..setup.limits },
    }))
}

impl Module for Probe {
    fn take(&mut self, _: usize, items: &[Item], context: &mut Context<'_>) -> Result<(), Failure> {
        let Some(item) = items.last() else { return Ok(()) };
        let server = fill(&self.server, Some(item), context.accounts)?;
        let port = fill(&self.port, Some(item), context.accounts)?;
        let number: u16 = port.trim().parse().map_err(|_| Failure::new(format!("Port is {port:?}; 1 to 65535")))?;
        let (timeout, now, source) = (self.timeout, context.now, item.source);
        context.begin(Job::new(Weight::Network, self.limits, async move {
            let began = Instant::now();
            let code = check(&server, number, timeout).await;
            let children = vec![
                Node::text("ServerName", server),
                Node::text("Port", port),
                Node::text("NoOfRetries", "0"),
                Node::text("TimeTakenInMilliSeconds", (began.elapsed().as_secs_f64() * 1_000.0).to_string()),
                Node::text("StatusCode", code.to_string()),
            ];
            Ok(vec![DataItem::new(TCP_PORT_CHECK, now, source, children)])
        }));
        Ok(())
    }
}

/// The status code of a connection to any address of a name.
async fn check(server: &str, port: u16, timeout: Duration) -> u32 {
    let addresses = match tokio::time::timeout(timeout, lookup_host((server, port))).await {
        Ok(Ok(addresses)) => addresses.collect::<Vec<_>>(),
        Ok(Err(_)) => return HOST_NOT_FOUND,
        Err(_) => return TIMED_OUT,
    };
    let mut code = HOST_NOT_FOUND;
    for address in addresses {
        code = match tokio::time::timeout(timeout, TcpStream::connect(address)).await {
            Ok(Ok(_)) => return CONNECTED,
            Err(_) => TIMED_OUT,
            Ok(Err(error)) => match error.kind() {
                ErrorKind::TimedOut => TIMED_OUT,
                ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => UNREACHABLE,
                _ => REFUSED,
            },
        };
    }
    code
}
