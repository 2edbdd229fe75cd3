//! The agent as a systemd service of this machine: installing it, letting it report to further management groups, and
//! taking it away. With another root folder, an image is prepared instead and nothing is started.

use std::fs;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};
use watchkeeper_wire::write_private;

use crate::config::{Config, groups_folder};

const PROGRAM: &str = "usr/bin/watchkeeper-agent";
const CONFIGURATION: &str = "etc/watchkeeper/agent.toml";
const UNIT: &str = "watchkeeper-agent.service";
/// Where units of packages are.
const PACKAGE_UNITS: [&str; 2] = ["lib/systemd/system", "usr/lib/systemd/system"];
const OWN_UNITS: &str = "etc/systemd/system";
const DATA: &str = "var/lib/watchkeeper-agent";
/// The unit, also of the Debian package.
const UNIT_TEXT: &str = include_str!("../../packaging/watchkeeper-agent.service");

/// `watchkeeper-agent install`
#[derive(Debug, clap::Args)]
pub struct Install {
    /// A management server or gateway, `host` or `host:port`, the preferred first; may be given several times.
    #[arg(long = "server", required = true)]
    servers: Vec<String>,
    /// Report to this further management group; the name is yours to choose.
    #[arg(long)]
    management_group: Option<String>,
    /// The certificate of the management group's authority.
    #[arg(long, required_unless_present = "ca_fingerprint")]
    ca_file: Option<PathBuf>,
    /// Or its SHA-256 fingerprint.
    #[arg(long, conflicts_with = "ca_file")]
    ca_fingerprint: Option<String>,
    /// The file with the enrolment token; `-` reads it from standard input.
    #[arg(long)]
    token_file: PathBuf,
    /// The computer's name in all rows; by default the fully qualified host name.
    #[arg(long)]
    computer: Option<String>,
    /// The root folder of an image that is prepared; nothing is started in it.
    #[arg(long, default_value = "/")]
    root: PathBuf,
    /// Install beside a management server or gateway.
    #[arg(long)]
    beside_server: bool,
}

/// `watchkeeper-agent upgrade`
#[derive(Debug, clap::Args)]
pub struct Upgrade {
    /// The root folder of an image.
    #[arg(long, default_value = "/")]
    root: PathBuf,
}

/// `watchkeeper-agent uninstall`
#[derive(Debug, clap::Args)]
pub struct Uninstall {
    /// Take away only this further management group.
    #[arg(long)]
    management_group: Option<String>,
    /// Delete configuration, identity and what waits in the queue as well.
    #[arg(long)]
    purge: bool,
    /// The root folder of an image.
    #[arg(long, default_value = "/")]
    root: PathBuf,
}

impl Install {
    /// Installs.
    ///
    /// # Errors
    /// Beside a server or gateway, where it is installed, without rights, or when a file cannot be read or written.
    pub fn run(&self) -> anyhow::Result<()> {
        need_rights(&self.root)?;
        if let Some(found) = server_here(&self.root)
            && !self.beside_server
        {
            bail!(
                "{found}. A server watches its own machine (`watchkeeper up`, or `local = true` under [agent] in \
                 its configuration) and a gateway carries its own agent: a second agent would report everything twice. \
                 To install it all the same, add --beside-server"
            );
        }
        let first = self.root.join(CONFIGURATION);
        let (file, name) = match &self.management_group {
            Some(group) => {
                check_name(group)?;
                if !first.exists() {
                    bail!(
                        "{} is not there: install for the first management group without --management-group",
                        first.display()
                    );
                }
                (groups_folder(&first).join(format!("{group}.toml")), group.as_str())
            }
            None => (first.clone(), "agent"),
        };
        if file.exists() {
            let servers = Config::load(&file).map(|config| config.servers.join(", ")).unwrap_or_default();
            bail!(
                "{} is there already (servers: {servers}). For a further management group add --management-group \
                 NAME; to change this one edit the file or uninstall it first",
                file.display()
            );
        }
        let token = self.token()?;
        let folder = file.parent().unwrap_or(&self.root);
        fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
        let inside = |path: &Path| Path::new("/").join(path.strip_prefix(&self.root).unwrap_or(path));
        let token_file = folder.join(format!("{name}.token"));
        let mut text = format!("servers = {:?}\ntoken_file = {:?}\n", self.servers, inside(&token_file));
        if let Some(fingerprint) = &self.ca_fingerprint {
            text.push_str(&format!("ca_fingerprint = {fingerprint:?}\n"));
        }
        if let Some(source) = &self.ca_file {
            let authority = fs::read(source).with_context(|| format!("cannot read {}", source.display()))?;
            if !String::from_utf8_lossy(&authority).contains("-----BEGIN CERTIFICATE-----") {
                bail!("{} is not a certificate in PEM form", source.display());
            }
            let ca_file = folder.join(format!("{name}.ca.pem"));
            fs::write(&ca_file, authority).with_context(|| format!("cannot write {}", ca_file.display()))?;
            text.push_str(&format!("ca_file = {:?}\n", inside(&ca_file)));
        }
        if let Some(computer) = &self.computer {
            text.push_str(&format!("computer = {computer:?}\n"));
        }
        Config::parse(&text, &file.display().to_string())?;
        write_private(&token_file, token.as_bytes())
            .with_context(|| format!("cannot write {}", token_file.display()))?;
        install_program(&self.root)?;
        install_unit(&self.root)?;
        // last: with it the service is complete
        write_private(&file, text.as_bytes()).with_context(|| format!("cannot write {}", file.display()))?;
        println!("configuration {}", file.display());
        if manages_services(&self.root) {
            systemctl(&["daemon-reload"])?;
            systemctl(&["enable", UNIT])?;
            systemctl(&["restart", UNIT])?;
            println!("{UNIT} runs; see `systemctl status {UNIT}`");
        } else {
            enable_in(&self.root)?;
            println!("{UNIT} starts when {} is booted with systemd", self.root.display());
        }
        Ok(())
    }

    fn token(&self) -> anyhow::Result<String> {
        let mut token = String::new();
        if self.token_file.as_os_str() == "-" {
            std::io::stdin().read_to_string(&mut token).context("cannot read the token from standard input")?;
        } else {
            token = fs::read_to_string(&self.token_file)
                .with_context(|| format!("cannot read the token from {}", self.token_file.display()))?;
        }
        if token.trim().is_empty() {
            bail!("the token is empty; an administrator makes one with `watchkeeper tokens create`");
        }
        Ok(token.trim().to_owned())
    }
}

impl Upgrade {
    /// Puts this program in place of the installed one and starts it; identity, configuration and queue stay.
    ///
    /// # Errors
    /// When none is installed, a package owns it, without rights, or when a file cannot be written.
    pub fn run(&self) -> anyhow::Result<()> {
        need_rights(&self.root)?;
        let program = self.root.join(PROGRAM);
        if !program.exists() {
            bail!("{} is not there: use `watchkeeper-agent install`", program.display());
        }
        if let Some(unit) = package_unit(&self.root) {
            bail!("the program belongs to a Debian package ({}): install the newer package", unit.display());
        }
        install_program(&self.root)?;
        install_unit(&self.root)?;
        if manages_services(&self.root) {
            systemctl(&["daemon-reload"])?;
            systemctl(&["try-restart", UNIT])?;
        }
        println!("{} is version {}", program.display(), env!("CARGO_PKG_VERSION"));
        Ok(())
    }
}

impl Uninstall {
    /// Takes away.
    ///
    /// # Errors
    /// When it is not installed, without rights, or when a file cannot be deleted.
    pub fn run(&self) -> anyhow::Result<()> {
        need_rights(&self.root)?;
        let first = self.root.join(CONFIGURATION);
        let data = Config::load(&first).map_or_else(|_| PathBuf::from("/").join(DATA), |config| config.data);
        let data = self.root.join(data.strip_prefix("/").unwrap_or(&data));
        if let Some(group) = &self.management_group {
            check_name(group)?;
            let folder = groups_folder(&first);
            if !folder.join(format!("{group}.toml")).exists() {
                bail!("the agent does not report to {group:?}: there is no {group}.toml in {}", folder.display());
            }
            for ending in ["toml", "token", "ca.pem"] {
                delete(&folder.join(format!("{group}.{ending}")))?;
            }
            if self.purge {
                delete(&data.join("groups").join(group))?;
            }
            if manages_services(&self.root) {
                systemctl(&["try-restart", UNIT])?;
            }
            println!("the agent does not report to {group} any more");
            return Ok(());
        }
        let (unit, program) = (self.root.join(OWN_UNITS).join(UNIT), self.root.join(PROGRAM));
        if !unit.exists() && !program.exists() && !first.exists() {
            bail!("the agent is not installed in {}", self.root.display());
        }
        if manages_services(&self.root) {
            // a unit that was never started is no reason to stop here
            let _ = systemctl(&["disable", "--now", UNIT]);
        }
        delete(&self.root.join(OWN_UNITS).join("multi-user.target.wants").join(UNIT))?;
        if package_unit(&self.root).is_none() {
            delete(&unit)?;
            delete(&program)?;
        } else {
            println!("the program belongs to a Debian package: `apt remove watchkeeper-agent` takes it away");
        }
        if manages_services(&self.root) {
            systemctl(&["daemon-reload"])?;
        }
        if self.purge {
            delete(&groups_folder(&first))?;
            for ending in ["toml", "token", "ca.pem"] {
                delete(&first.with_extension(ending))?;
            }
            delete(&data)?;
        } else {
            println!("configuration and data stay: {}, {}", first.display(), data.display());
        }
        Ok(())
    }
}

/// A management server or a gateway on this machine, in words.
fn server_here(root: &Path) -> Option<String> {
    for (name, what) in [
        ("watchkeeper.service", "management server"),
        ("watchkeeper-server.service", "management server"),
        ("watchkeeper-gateway.service", "gateway"),
    ] {
        let found = PACKAGE_UNITS.iter().chain(&[OWN_UNITS]).map(|folder| root.join(folder).join(name));
        if let Some(unit) = found.into_iter().find(|unit| unit.exists()) {
            return Some(format!("a {what} is installed here ({})", unit.display()));
        }
    }
    for (name, what) in [("server.toml", "management server"), ("gateway.toml", "gateway")] {
        let file = root.join("etc/watchkeeper").join(name);
        if file.exists() {
            return Some(format!("a {what} is configured here ({})", file.display()));
        }
    }
    if root == Path::new("/") {
        for entry in fs::read_dir("/proc").ok()?.flatten() {
            let Ok(line) = fs::read(entry.path().join("cmdline")) else { continue };
            let words: Vec<&[u8]> = line.split(|byte| *byte == 0).collect();
            let program = words.first().and_then(|word| word.rsplit(|byte| *byte == b'/').next());
            let what = match words.get(1).copied() {
                Some(b"up" | b"serve") => "management server",
                Some(b"gateway") => "gateway",
                _ => continue,
            };
            if program == Some(b"watchkeeper") {
                return Some(format!("a {what} runs here (process {})", entry.file_name().to_string_lossy()));
            }
        }
    }
    None
}

fn need_rights(root: &Path) -> anyhow::Result<()> {
    if root == Path::new("/") && !rustix::process::geteuid().is_root() {
        bail!("this needs the rights of root: run it with sudo");
    }
    if !root.is_dir() {
        bail!("{} is not a folder", root.display());
    }
    Ok(())
}

fn check_name(group: &str) -> anyhow::Result<()> {
    let allowed = |character: char| character.is_ascii_alphanumeric() || "-_".contains(character);
    if group.is_empty() || !group.chars().all(allowed) {
        bail!("{group:?} cannot be the name of a management group here: use letters, digits, - and _");
    }
    Ok(())
}

/// Copies this very program, unless it is the installed one.
fn install_program(root: &Path) -> anyhow::Result<()> {
    let target = root.join(PROGRAM);
    let own = match std::env::current_exe() {
        Ok(own) => own,
        // in an image without /proc: what a package has put there stays
        Err(_) if target.exists() => return Ok(()),
        Err(error) => return Err(error).context("cannot find this program's own file"),
    };
    if fs::canonicalize(&target).ok() == fs::canonicalize(&own).ok() {
        return Ok(());
    }
    let folder = target.parent().unwrap_or(root);
    fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    // beside it and then in its place: the file of a running program cannot be written
    let new = target.with_extension("new");
    fs::copy(&own, &new).with_context(|| format!("cannot write {}", new.display()))?;
    fs::set_permissions(&new, fs::Permissions::from_mode(0o755))?;
    fs::rename(&new, &target).with_context(|| format!("cannot write {}", target.display()))
}

fn package_unit(root: &Path) -> Option<PathBuf> {
    PACKAGE_UNITS.iter().map(|folder| root.join(folder).join(UNIT)).find(|unit| unit.exists())
}

fn install_unit(root: &Path) -> anyhow::Result<()> {
    if package_unit(root).is_some() {
        return Ok(());
    }
    let unit = root.join(OWN_UNITS).join(UNIT);
    let folder = unit.parent().unwrap_or(root);
    fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    fs::write(&unit, UNIT_TEXT).with_context(|| format!("cannot write {}", unit.display()))
}

/// What `systemctl enable` does, in an image.
fn enable_in(root: &Path) -> anyhow::Result<()> {
    let wants = root.join(OWN_UNITS).join("multi-user.target.wants");
    fs::create_dir_all(&wants).with_context(|| format!("cannot create {}", wants.display()))?;
    let unit = package_unit(root).unwrap_or_else(|| root.join(OWN_UNITS).join(UNIT));
    let target = Path::new("/").join(unit.strip_prefix(root).unwrap_or(&unit));
    delete(&wants.join(UNIT))?;
    std::os::unix::fs::symlink(&target, wants.join(UNIT)).with_context(|| format!("cannot enable {UNIT}"))
}

fn manages_services(root: &Path) -> bool {
    root == Path::new("/") && Path::new("/run/systemd/system").is_dir()
}

fn systemctl(arguments: &[&str]) -> anyhow::Result<()> {
    let command = format!("systemctl {}", arguments.join(" "));
    let output = Command::new("systemctl").args(arguments).output().with_context(|| format!("cannot run {command}"))?;
    if !output.status.success() {
        bail!("{command} failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(())
}

/// Deletes a file, link or folder, if it is there.
fn delete(path: &Path) -> anyhow::Result<()> {
    let deleted = match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(_) => Ok(()),
    };
    deleted.with_context(|| format!("cannot delete {}", path.display()))
}
