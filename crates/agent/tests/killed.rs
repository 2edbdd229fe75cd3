//! The real agent, killed again and again while lines are written to a log that rotates.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use common::{Memory, Sink, server};
use watchkeeper_management::Approval;

const ROUNDS: i64 = 8;
const LINES_A_ROUND: i64 = 400;

#[tokio::test]
async fn a_killed_agent_neither_loses_nor_doubles_a_line_of_a_rotating_log() {
    let folder = tempfile::tempdir().unwrap();
    let (sink, registry) = (Arc::new(Sink::default()), Arc::new(Memory::default()));
    let server = server(&folder.path().join("mg"), &sink, &registry, Approval::Auto, 0).await;
    let token = server.create_token("test", None, None).await.unwrap();
    let log = folder.path().join("app.log");
    let configuration = format!(
        "servers = ['{}']\ndata = '{}'\nca_fingerprint = '{}'\ntoken = '{token}'\n\
         [collect.performance]\nenabled = false\n[collect.syslog]\nenabled = false\n[collect.inventory]\nenabled = false\n\
         [[collect.text_logs]]\npaths = ['{}*']\ntable = 'T_CL'\nfrom_beginning = true\n",
        server.local_addr(),
        folder.path().join("agent").display(),
        server.fingerprint(),
        log.display(),
    );
    let file = folder.path().join("agent.toml");
    fs::write(&file, configuration).unwrap();
    let start = || -> Child {
        let mut command = Command::new(env!("CARGO_BIN_EXE_watchkeeper-agent"));
        command.args(["run", "--config"]).arg(&file).stderr(Stdio::null()).spawn().unwrap()
    };

    let mut next = 0_i64;
    let mut agent = start();
    for round in 0..ROUNDS {
        for _ in 0..LINES_A_ROUND {
            let mut writer = OpenOptions::new().create(true).append(true).open(&log).unwrap();
            writeln!(writer, "{next} of the log").unwrap();
            next += 1;
        }
        // some of what was written before this round's lines has come: the agent is at work when it dies
        let least = (round * LINES_A_ROUND / 2).max(1);
        sink.wait("a part of the lines", |kept| kept.numbers.len() as i64 >= least).await;
        if round % 3 == 1 {
            fs::rename(&log, folder.path().join(format!("app.log.{round}"))).unwrap();
        }
        agent.kill().unwrap();
        agent.wait().unwrap();
        agent = start();
    }
    sink.wait("all lines", |kept| kept.numbers.len() as i64 >= next).await;
    agent.kill().unwrap();
    agent.wait().unwrap();
    server.stop().await;
    let kept = sink.inner.lock().unwrap();
    assert!(kept.numbers.keys().copied().eq(0..next));
    assert!(kept.numbers.values().all(|times| *times == 1), "a line came twice");
}
