//! What a running `watchkeeper-agent` with default settings costs: `measure AGENT [SECONDS]` starts a management
//! server, the agent binary against it, and prints resident memory and processor time.
#![allow(clippy::unwrap_used)]

#[path = "../tests/common/mod.rs"]
mod common;

use std::fs;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use common::{Memory, Sink, server};
use watchkeeper_management::Approval;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let agent = arguments.next().expect("the path of watchkeeper-agent");
    let seconds: u64 = arguments.next().map_or(120, |seconds| seconds.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let (sink, registry) = (Arc::new(Sink::default()), Arc::new(Memory::default()));
    let server = server(&folder.path().join("mg"), &sink, &registry, Approval::Auto, 0).await;
    let token = server.create_token("measure", None, None).await.unwrap();
    let file = folder.path().join("agent.toml");
    let configuration = format!(
        "servers = ['{}']\ndata = '{}'\nca_fingerprint = '{}'\ntoken = '{token}'\n",
        server.local_addr(),
        folder.path().join("agent").display(),
        server.fingerprint(),
    );
    fs::write(&file, configuration).unwrap();
    let mut child = Command::new(agent).args(["run", "--config"]).arg(&file).stderr(Stdio::inherit()).spawn().unwrap();
    let read = |name: &str| fs::read_to_string(format!("/proc/{}/{name}", child.id())).unwrap_or_default();
    let ticks = || -> u64 {
        let stat = read("stat");
        let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace().skip(11).take(2);
        fields.filter_map(|field| field.parse::<u64>().ok()).sum()
    };
    sink.wait("a heartbeat", |kept| kept.heartbeats > 0).await;
    tokio::time::sleep(Duration::from_secs(seconds.min(10))).await;
    let settled = ticks();
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    let spent = (ticks() - settled) as f64 / 100.0;
    for line in read("status").lines().filter(|line| line.starts_with("VmRSS") || line.starts_with("RssAnon")) {
        println!("{line}");
    }
    println!("processor: {spent} s in {seconds} s ({:.3} % of one)", 100.0 * spent / seconds as f64);
    child.kill().unwrap();
    child.wait().unwrap();
    server.stop().await;
}
