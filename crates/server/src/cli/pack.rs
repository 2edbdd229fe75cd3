//! `watchkeeper pack check|show|diff|convert|import|export|list|remove`: management packs.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::{Value, json};
use watchkeeper_management::group::{form_of, read_pack};
use watchkeeper_model::pack::{ManagementPack, PackSet, Problem, Severity, diff, xml, yaml};

use super::client::Target;
use super::query::Format;
use super::rows::{print, segment};
use crate::api::packs::describe;

/// Check, show, compare, import and export management packs.
#[derive(Args)]
pub struct Pack {
    #[command(subcommand)]
    what: What,
    #[arg(long, value_enum, default_value_t = Format::Table, global = true)]
    format: Format,
    #[command(flatten)]
    target: Target,
}

#[derive(Subcommand)]
enum What {
    /// Check files, without a server: packs that refer to each other are given together.
    Check {
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
    /// Show what a file, or an imported pack, has and what of it runs.
    Show {
        /// A file or the ID of a pack.
        pack: String,
        /// Files of packs that the file refers to.
        #[arg(long = "with", value_name = "FILE")]
        others: Vec<PathBuf>,
    },
    /// Show what changed between two files, or between an imported pack and a file.
    Diff {
        /// A file or the ID of a pack.
        old: String,
        new: PathBuf,
    },
    /// Write a pack in XML as YAML, or one in YAML as XML.
    Convert {
        file: PathBuf,
        /// Where to write, .xml or .yaml; standard output otherwise.
        #[arg(short, long)]
        output: Option<PathBuf>,
    },
    /// Import files, or packs that came with the server by their names; nothing of a pack is imported where an element
    /// has an error.
    Import {
        #[arg(required = true, value_name = "FILE|NAME")]
        files: Vec<PathBuf>,
        /// Import all the same: elements with errors do not work.
        #[arg(long)]
        force: bool,
    },
    /// Print an imported pack as XML.
    Export { pack: String },
    /// List imported and built-in packs.
    List {
        /// The packs that came with the server, imported or not.
        #[arg(long)]
        shipped: bool,
    },
    /// Remove an imported pack.
    Remove { pack: String },
}

impl Pack {
    pub fn run(self) -> anyhow::Result<()> {
        match &self.what {
            What::Check { files } => check(files),
            What::Show { pack, others } => self.show(pack, others),
            What::Diff { old, new } => self.diff(old, new),
            What::Convert { file, output } => convert(file, output.as_deref()),
            What::Import { files, force } => self.import(files, *force),
            What::Export { pack } => super::block_on(async {
                let client = self.target.connect().await?;
                let path = format!("/api/packs/{}/document", segment(pack));
                let response = client.request(Method::GET, &path).send().await?;
                if !response.status().is_success() {
                    let body: Value = response.json().await.unwrap_or_default();
                    bail!("{}", body["error"]["message"].as_str().unwrap_or("the pack cannot be exported"));
                }
                print!("{}", response.text().await?);
                Ok(())
            }),
            What::List { shipped: true } => {
                let answer = self.ask(Method::GET, "/api/packs/shipped")?;
                print(&answer, &["id", "version", "importedVersion", "name", "description"], self.format)
            }
            What::List { shipped: false } => {
                let answer = self.ask(Method::GET, "/api/packs")?;
                print(&answer, &["id", "version", "name", "sealed", "builtIn", "importedAt"], self.format)
            }
            What::Remove { pack } => self.ask(Method::DELETE, &format!("/api/packs/{}", segment(pack))).map(drop),
        }
    }

    fn ask(&self, method: Method, path: &str) -> anyhow::Result<Value> {
        super::block_on(async {
            let client = self.target.connect().await?;
            client.json(client.request(method, path)).await
        })
    }

    fn show(&self, name: &str, others: &[PathBuf]) -> anyhow::Result<()> {
        let described = match Path::new(name).is_file() {
            false => self.ask(Method::GET, &format!("/api/packs/{}", segment(name)))?,
            true => {
                let (pack, problems) = read(Path::new(name))?;
                report(&problems);
                let pack = pack.with_context(|| format!("{name} holds no management pack"))?;
                let id = pack.id.clone();
                let mut all = vec![pack];
                for other in others {
                    all.extend(read(other)?.0);
                }
                let (set, _) = PackSet::load(all);
                let pack = set.pack(&id).with_context(|| format!("{id} is built in"))?;
                describe(&set, pack)
            }
        };
        if self.format == Format::Json {
            return print(&described, &[], Format::Json);
        }
        print(&described, &["id", "version", "name", "sealed", "references"], self.format)?;
        print(&described["workflows"], &["kind", "element", "runs", "reasons"], self.format)
    }

    fn diff(&self, old: &str, new: &Path) -> anyhow::Result<()> {
        let changes: Vec<String> = if Path::new(old).is_file() {
            let (before, _) = read(Path::new(old))?;
            let (after, problems) = read(new)?;
            report(&problems);
            let before = before.with_context(|| format!("{old} holds no management pack"))?;
            let after = after.with_context(|| format!("{} holds no management pack", new.display()))?;
            diff::diff(&before, &after).iter().map(ToString::to_string).collect()
        } else {
            let bytes = bytes(new)?;
            let answer = super::block_on(async {
                let client = self.target.connect().await?;
                let path =
                    format!("/api/packs/{}/difference?file={}", segment(old), segment(&new.display().to_string()));
                client.json(client.request(Method::POST, &path).body(bytes)).await
            })?;
            let list = answer["changes"].as_array().into_iter().flatten();
            list.filter_map(Value::as_str).map(str::to_owned).collect()
        };
        match self.format {
            Format::Table => changes.iter().for_each(|change| println!("{change}")),
            format => {
                let rows: Value = changes.iter().map(|change| json!({"change": change})).collect();
                print(&rows, &["change"], format)?;
            }
        }
        Ok(())
    }

    fn import(&self, files: &[PathBuf], force: bool) -> anyhow::Result<()> {
        let mut refused = 0;
        for file in files {
            let name = file.display().to_string();
            // a bare name is one of the shipped packs unless a file is called so
            let is_name = !file.exists() && !name.contains('/') && form_of_name(&name).is_none();
            let (path, bytes) = match is_name {
                true => (format!("/api/packs/shipped/{}?force={force}", segment(&name)), Vec::new()),
                false => (format!("/api/packs?file={}&force={force}", segment(&name)), bytes(file)?),
            };
            let (status, answer) = super::block_on(async {
                let client = self.target.connect().await?;
                let response = client.request(Method::POST, &path).body(bytes).send().await?;
                let status = response.status();
                Ok((status, response.json::<Value>().await.context("the server's answer is no JSON")?))
            })?;
            for problem in answer["problems"].as_array().into_iter().flatten() {
                eprintln!("{}", problem["text"].as_str().unwrap_or_default());
            }
            if status.is_success() {
                let pack = &answer["pack"];
                let text = |name: &str| pack[name].as_str().unwrap_or_default();
                println!("imported {} {}", text("id"), text("version"));
            } else {
                refused += 1;
                eprintln!("{name}: {}", answer["error"]["message"].as_str().unwrap_or("it was refused"));
            }
        }
        match refused {
            0 => Ok(()),
            refused => bail!("{refused} of {} packs were not imported", files.len()),
        }
    }
}

/// Writes a pack in the other form. Nothing is written where something of it could not be read: that would be lost.
fn convert(file: &Path, output: Option<&Path>) -> anyhow::Result<()> {
    let (pack, problems) = read(file)?;
    report(&problems);
    let pack = pack.with_context(|| format!("{} holds no management pack", file.display()))?;
    let errors = problems.iter().filter(|problem| problem.severity == Severity::Error).count();
    if errors > 0 {
        bail!("{} has {errors} errors; mend them first, else what they are about would be lost", file.display());
    }
    let other = if form_of(&file.display().to_string()) == "xml" { "yaml" } else { "xml" };
    let form = match output {
        None => other,
        Some(output) => form_of_name(&output.display().to_string()).with_context(|| {
            format!("cannot tell the form of {} by its name; end it in .xml or .yaml", output.display())
        })?,
    };
    let text = if form == "yaml" { yaml::write(&pack) } else { xml::write(&pack) };
    match output {
        None => {
            print!("{text}");
            Ok(())
        }
        Some(output) => {
            std::fs::write(output, text).with_context(|| format!("cannot write {}", output.display()))?;
            println!("{} {} written to {}", pack.id, pack.version, output.display());
            Ok(())
        }
    }
}

/// The form that the end of a file's name says.
fn form_of_name(name: &str) -> Option<&'static str> {
    let name = name.to_ascii_lowercase();
    let ends = |ends: &[&str]| ends.iter().any(|end| name.ends_with(end));
    match () {
        () if ends(&[".yaml", ".yml"]) => Some("yaml"),
        () if ends(&[".xml", ".mpx", ".mp"]) => Some("xml"),
        () => None,
    }
}

fn check(files: &[PathBuf]) -> anyhow::Result<()> {
    let mut packs = Vec::new();
    let mut problems = Vec::new();
    let mut names = Vec::new();
    for file in files {
        let (pack, found) = read(file)?;
        problems.extend(found);
        names.push(file.display().to_string());
        packs.extend(pack);
    }
    let (_, found) = PackSet::load(packs);
    problems.extend(found.into_iter().filter(|problem| names.contains(&problem.file)));
    report(&problems);
    let errors = problems.iter().filter(|problem| problem.severity == Severity::Error).count();
    match errors {
        0 => {
            println!("{} packs checked, no errors", files.len());
            Ok(())
        }
        errors => bail!("{errors} errors"),
    }
}

fn bytes(file: &Path) -> anyhow::Result<Vec<u8>> {
    std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))
}

fn read(file: &Path) -> anyhow::Result<(Option<ManagementPack>, Vec<Problem>)> {
    let name = file.display().to_string();
    Ok(read_pack(&name, form_of(&name), &bytes(file)?))
}

fn report(problems: &[Problem]) {
    for problem in problems {
        eprintln!("{problem}");
    }
}
