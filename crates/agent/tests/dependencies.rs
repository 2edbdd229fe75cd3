//! What the agent and the gateway must never depend on.
#![allow(clippy::unwrap_used)]

use std::process::Command;

#[test]
fn the_agent_and_the_gateway_build_without_arrow_datafusion_and_sql() {
    for package in ["watchkeeper-agent", "watchkeeper-gateway"] {
        check(package);
    }
}

fn check(package: &str) {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "-p", package, "-e", "normal", "--prefix", "none", "--offline", "--locked"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let tree = String::from_utf8(output.stdout).unwrap();
    assert!(tree.contains("watchkeeper-wire"));
    for line in tree.lines() {
        let name = line.split_whitespace().next().unwrap_or_default();
        let forbidden = ["arrow", "datafusion", "parquet", "sqlx", "deltalake", "libsqlite3", "watchkeeper-store"];
        assert!(!forbidden.iter().any(|prefix| name.starts_with(prefix)), "{package} depends on {name}");
    }
}
