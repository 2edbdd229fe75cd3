//! Installing into an image, beside a server, for further management groups, and taking away again.
#![allow(clippy::unwrap_used)]

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

fn agent(arguments: &[&str], root: &Path) -> Output {
    let root = ["--root", root.to_str().unwrap()];
    Command::new(env!("CARGO_BIN_EXE_watchkeeper-agent")).args(arguments).args(root).output().unwrap()
}

fn error(output: &Output) -> String {
    assert!(!output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn done(output: &Output) {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn an_image_gets_program_unit_and_configuration_and_loses_them_again() {
    let folder = tempfile::tempdir().unwrap();
    let root = &folder.path().join("root");
    std::fs::create_dir(root).unwrap();
    let token = folder.path().join("token");
    std::fs::write(&token, "wke_one\n").unwrap();
    let token = token.to_str().unwrap();
    let first = [
        "install",
        "--server",
        "wk.example:5723",
        "--ca-fingerprint",
        "00",
        "--token-file",
        token,
        "--computer",
        "web",
    ];
    done(&agent(&first, root));
    let file = root.join("etc/watchkeeper/agent.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.contains("servers = [\"wk.example:5723\"]") && text.contains("computer = \"web\""), "{text}");
    assert!(text.contains("token_file = \"/etc/watchkeeper/agent.token\""), "seen from inside the image: {text}");
    assert!(!text.contains("wke_one"));
    let mode = |path: &str| std::fs::metadata(root.join(path)).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode("etc/watchkeeper/agent.toml"), 0o600);
    assert_eq!(mode("etc/watchkeeper/agent.token"), 0o600);
    assert_eq!(mode("usr/bin/watchkeeper-agent"), 0o755);
    assert!(root.join("etc/systemd/system/watchkeeper-agent.service").exists());
    let enabled = root.join("etc/systemd/system/multi-user.target.wants/watchkeeper-agent.service");
    assert_eq!(std::fs::read_link(&enabled).unwrap(), Path::new("/etc/systemd/system/watchkeeper-agent.service"));

    let again = error(&agent(&first, root));
    assert!(again.contains("is there already") && again.contains("--management-group"), "{again}");
    done(&agent(&[&first[..], &["--management-group", "north"]].concat(), root));
    assert!(root.join("etc/watchkeeper/agent.d/north.toml").exists());
    let unknown = error(&agent(&["uninstall", "--management-group", "south"], root));
    assert!(unknown.contains("does not report to \"south\""), "{unknown}");
    done(&agent(&["uninstall", "--management-group", "north"], root));
    assert!(!root.join("etc/watchkeeper/agent.d/north.toml").exists());
    assert!(file.exists());

    std::fs::write(root.join("usr/bin/watchkeeper-agent"), "old").unwrap();
    done(&agent(&["upgrade"], root));
    assert!(std::fs::metadata(root.join("usr/bin/watchkeeper-agent")).unwrap().len() > 1_000_000);

    done(&agent(&["uninstall"], root));
    assert!(file.exists() && !root.join("usr/bin/watchkeeper-agent").exists() && !enabled.is_symlink());
    done(&agent(&["uninstall", "--purge"], root));
    assert!(!file.exists() && !root.join("etc/watchkeeper/agent.token").exists());
    assert!(error(&agent(&["uninstall"], root)).contains("not installed"));
    assert!(error(&agent(&["upgrade"], root)).contains("watchkeeper-agent install"));
}

#[test]
fn beside_a_server_or_a_gateway_it_is_refused_unless_it_is_wanted() {
    for (path, what) in [
        ("etc/systemd/system/watchkeeper.service", "management server"),
        ("lib/systemd/system/watchkeeper-gateway.service", "gateway"),
        ("etc/watchkeeper/server.toml", "management server"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        let sign = root.join(path);
        std::fs::create_dir_all(sign.parent().unwrap()).unwrap();
        std::fs::write(&sign, "").unwrap();
        let token = root.join("token");
        std::fs::write(&token, "wke_one").unwrap();
        let install =
            ["install", "--server", "wk.example", "--ca-fingerprint", "00", "--token-file", token.to_str().unwrap()];
        let refused = error(&agent(&install, root));
        assert!(refused.contains(&format!("a {what} is")) && refused.contains("twice"), "{refused}");
        assert!(!root.join("usr/bin/watchkeeper-agent").exists(), "nothing of it was installed");
        done(&agent(&[&install[..], &["--beside-server"]].concat(), root));
    }
}

#[test]
fn what_is_missing_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let empty = root.join("empty");
    std::fs::write(&empty, "\n").unwrap();
    let with = |token: &str, ca: &str| {
        let options = ["install", "--server", "a", "--ca-file", ca, "--token-file", token];
        error(&agent(&options, root))
    };
    let empty = empty.to_str().unwrap();
    assert!(with("/nowhere", empty).contains("cannot read the token from /nowhere"));
    assert!(with(empty, empty).contains("watchkeeper tokens create"));
    let token = root.join("token");
    std::fs::write(&token, "wke_one").unwrap();
    assert!(with(token.to_str().unwrap(), empty).contains("is not a certificate in PEM form"));
    assert!(!root.join("etc/watchkeeper/agent.toml").exists());
}
