//! Where tests keep an operational store: SQLite in a folder, and a PostgreSQL cluster of the test's own (a temporary
//! folder, a unix socket, no service), ended by its process id. Without PostgreSQL's programs tests run on SQLite alone
//! and say so.
#![allow(dead_code, reason = "every test binary uses its own part of this")]

use std::future::Future;
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// `nobody`, as whom a cluster runs when the tests run as root, which PostgreSQL refuses.
const NOBODY: u32 = 65534;

/// An empty operational store. It goes with the last clone.
#[derive(Clone)]
pub struct Place {
    pub url: String,
    pub key: PathBuf,
    pub postgresql: bool,
    _keep: Arc<(TempDir, Option<Cluster>)>,
}

/// Runs a case on an empty SQLite store and on an empty PostgreSQL one.
pub async fn each<F: Future<Output = ()>>(case: impl Fn(Place) -> F) {
    // kept here too: a case may capture only the fields that it names
    let place = sqlite();
    case(place.clone()).await;
    match postgresql() {
        Some(place) => case(place.clone()).await,
        None => eprintln!("not run on PostgreSQL: initdb and postgres were not found (install package postgresql)"),
    }
}

pub fn sqlite() -> Place {
    let dir = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", dir.path().join("state.db").display());
    Place { url, key: dir.path().join("state.key"), postgresql: false, _keep: Arc::new((dir, None)) }
}

/// `None` where PostgreSQL is not installed.
pub fn postgresql() -> Option<Place> {
    let programs = programs()?;
    let dir = tempfile::tempdir().unwrap();
    let cluster = Cluster::start(&programs);
    let url = format!("postgres://watchkeeper@localhost/postgres?host={}", cluster.dir.path().display());
    Some(Place { url, key: dir.path().join("state.key"), postgresql: true, _keep: Arc::new((dir, Some(cluster))) })
}

fn programs() -> Option<PathBuf> {
    let mut versions: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .map(|entries| entries.flatten().map(|entry| entry.path().join("bin")).collect())
        .unwrap_or_default();
    versions.sort();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).chain(versions.into_iter().rev());
    found.into_iter().find(|folder| folder.join("initdb").exists() && folder.join("postgres").exists())
}

struct Cluster {
    dir: TempDir,
    server: Child,
}

impl Cluster {
    fn start(programs: &Path) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("data");
        let template = template(programs);
        assert!(Command::new("cp").arg("-a").arg(&template).arg(&data).status().unwrap().success());
        own(dir.path());
        let mut server = unprivileged(&programs.join("postgres"));
        server.arg("-D").arg(&data).arg("-k").arg(dir.path());
        for setting in ["listen_addresses=", "fsync=off", "max_connections=100", "shared_buffers=32MB"] {
            server.arg("-c").arg(setting);
        }
        let log = std::fs::File::create(dir.path().join("log")).unwrap();
        server.stdout(Stdio::null()).stderr(log);
        let mut cluster = Self { server: server.spawn().unwrap(), dir };
        cluster.wait(&data);
        cluster
    }

    /// The last line of `postmaster.pid` says when connections are taken.
    fn wait(&mut self, data: &Path) {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            let status = std::fs::read_to_string(data.join("postmaster.pid")).unwrap_or_default();
            if status.lines().any(|line| line.trim() == "ready") {
                return;
            }
            let ended = self.server.try_wait().unwrap();
            if ended.is_some() || Instant::now() > deadline {
                let log = std::fs::read_to_string(self.dir.path().join("log")).unwrap_or_default();
                panic!("PostgreSQL did not start ({ended:?}): {log}");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // immediate shutdown; SIGKILL would leave its children and its shared memory
        let _ = Command::new("kill").arg("-QUIT").arg(self.server.id().to_string()).status();
        let _ = self.server.wait();
    }
}

/// An initialized data folder beside the test's program, made once and copied by every test: initdb takes a second.
fn template(programs: &Path) -> PathBuf {
    let beside = std::env::current_exe().unwrap().parent().unwrap().join("postgresql-template");
    if beside.exists() {
        return beside;
    }
    let dir = tempfile::tempdir().unwrap();
    own(dir.path());
    let data = dir.path().join("data");
    let mut initdb = unprivileged(&programs.join("initdb"));
    initdb.args(["--no-sync", "--auth=trust", "--username=watchkeeper", "--encoding=UTF8", "--locale=C", "-D"]);
    let made = initdb.arg(&data).output().unwrap();
    assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
    // under a name of its own first, so that another test never copies half of it
    let mine = beside.with_extension(std::process::id().to_string());
    assert!(Command::new("cp").arg("-a").arg(&data).arg(&mine).status().unwrap().success());
    if std::fs::rename(&mine, &beside).is_err() {
        let _ = std::fs::remove_dir_all(&mine);
    }
    beside
}

fn is_root(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|data| data.uid() == 0)
}

fn own(dir: &Path) {
    if is_root(dir) {
        chown(dir, Some(NOBODY), Some(NOBODY)).unwrap();
    }
}

fn unprivileged(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir("/").env("LC_ALL", "C");
    if is_root(Path::new("/proc/self")) {
        command.uid(NOBODY).gid(NOBODY);
    }
    command
}
