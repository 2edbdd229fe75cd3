//! `watchkeeper groups`: groups of objects and their members. A group that is made here is a management pack of its own,
//! which can be exported, changed and imported elsewhere like every other.

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use reqwest::Method;

use super::operate::Output;
use super::rows::segment;

/// What the identities of such packs begin with.
const PREFIX: &str = "Group.";
const INSTANCES: &str = "Microsoft.SystemCenter.InstanceGroup";

/// List groups of objects and their members; make, change and remove groups by rule.
#[derive(Args)]
#[command(visible_alias = "group")]
pub struct Groups {
    #[command(subcommand)]
    what: Option<GroupCommand>,
    #[command(flatten)]
    output: Output,
}

#[derive(Subcommand)]
enum GroupCommand {
    /// List all.
    List,
    /// List the members of a group, by its name or identity.
    Members {
        group: String,
        /// With the members of groups within it.
        #[arg(long)]
        nested: bool,
    },
    /// Make a group of the objects of a class.
    Add {
        name: String,
        #[command(flatten)]
        rule: Rule,
    },
    /// Give a group that was made here another rule.
    Set {
        name: String,
        #[command(flatten)]
        rule: Rule,
    },
    /// Remove a group that was made here.
    Remove { name: String },
}

/// Who is a member.
#[derive(Args)]
struct Rule {
    /// Objects of this class, Pack!Class.
    #[arg(long)]
    class: String,
    /// Only those whose property matches a regular expression; several hold together.
    #[arg(long = "where", value_name = "PROPERTY=PATTERN")]
    conditions: Vec<String>,
}

impl Groups {
    pub fn run(self) -> anyhow::Result<()> {
        let output = &self.output;
        match &self.what {
            None | Some(GroupCommand::List) => {
                let columns = ["name", "members", "health", "byRules", "classes", "id"];
                output.run(Method::GET, "/api/groups", None, &columns)
            }
            Some(GroupCommand::Members { group, nested }) => {
                let path = format!("/api/groups/{}/members?nested={nested}", segment(group));
                output.run(Method::GET, &path, None, &["name", "path", "classes", "health", "since", "id"])
            }
            Some(GroupCommand::Add { name, rule }) => match version_of(output, &pack_id(name)?)? {
                None => import(output, name, rule, 0),
                Some(_) => bail!("there is a group {name:?} already; `watchkeeper groups set` gives it another rule"),
            },
            Some(GroupCommand::Set { name, rule }) => {
                let present = version_of(output, &pack_id(name)?)?.with_context(|| missing(name))?;
                let revision = present.rsplit('.').next().and_then(|last| last.parse::<u32>().ok()).unwrap_or(0);
                import(output, name, rule, revision.saturating_add(1))
            }
            Some(GroupCommand::Remove { name }) => {
                let id = pack_id(name)?;
                version_of(output, &id)?.with_context(|| missing(name))?;
                output.run(Method::DELETE, &format!("/api/packs/{}", segment(&id)), None, &[])
            }
        }
    }
}

fn missing(name: &str) -> String {
    format!(
        "no group {name:?} was made here; a group of another pack is changed with that pack (`watchkeeper pack export`)"
    )
}

/// The pack of a group: its name in the letters that identities have.
fn pack_id(name: &str) -> anyhow::Result<String> {
    let plain: String = name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|part| !part.is_empty()).collect();
    if plain.is_empty() {
        bail!("the group's name {name:?} has no letters or digits of which its pack could be named");
    }
    Ok(format!("{PREFIX}{plain}"))
}

fn version_of(output: &Output, id: &str) -> anyhow::Result<Option<String>> {
    let packs = output.ask(Method::GET, "/api/packs", None)?;
    let mut all = packs.as_array().into_iter().flatten();
    let found = all.find(|pack| pack["id"].as_str().is_some_and(|known| known.eq_ignore_ascii_case(id)));
    Ok(found.and_then(|pack| pack["version"].as_str()).map(str::to_owned))
}

fn import(output: &Output, name: &str, rule: &Rule, revision: u32) -> anyhow::Result<()> {
    let (pack, class) =
        rule.class.split_once('!').with_context(|| format!("--class {:?} is not Pack!Class", rule.class))?;
    let version = version_of(output, pack)?
        .with_context(|| format!("there is no management pack {pack:?}; `watchkeeper classes` lists the classes"))?;
    let id = pack_id(name)?;
    let document = document(&id, name, revision, (pack, &version, class), &rule.conditions)?;
    let answer = output.upload(&format!("/api/packs?file={}.xml", segment(&id)), document.into_bytes())?;
    output.show(&answer["pack"], &["id", "version", "name"])
}

/// The management pack with the group, its rule and its name.
fn document(
    id: &str,
    name: &str,
    revision: u32,
    (pack, version, class): (&str, &str, &str),
    conditions: &[String],
) -> anyhow::Result<String> {
    let class = escape(class);
    let condition = |text: &String| {
        let (property, pattern) =
            text.split_once('=').with_context(|| format!("--where {text:?} is not PROPERTY=PATTERN"))?;
        Ok(format!(
            "<RegExExpression><ValueExpression><Property>$MPElement[Name=\"Of!{class}\"]/{}$</Property></ValueExpression>\
             <Operator>MatchesRegularExpression</Operator><Pattern>{}</Pattern></RegExExpression>",
            escape(property),
            escape(pattern)
        ))
    };
    let tests = conditions.iter().map(condition).collect::<anyhow::Result<Vec<String>>>()?;
    let expression = match tests.as_slice() {
        [] => String::new(),
        [one] => format!("<Expression>{one}</Expression>"),
        several => {
            let all: String = several.iter().map(|one| format!("<Expression>{one}</Expression>")).collect();
            format!("<Expression><And>{all}</And></Expression>")
        }
    };
    let reference = |alias: &str, id: &str, version: &str| {
        format!("<Reference Alias=\"{alias}\"><ID>{id}</ID><Version>{version}</Version></Reference>")
    };
    let references = [
        reference("Center", "Microsoft.SystemCenter.Library", "1.0.0.0"),
        reference("Instances", "Microsoft.SystemCenter.InstanceGroup.Library", "1.0.0.0"),
        reference("Of", &escape(pack), version),
    ]
    .concat();
    Ok(format!(
        r#"<?xml version="1.0" encoding="utf-8"?>
<ManagementPack SchemaVersion="2.0" ContentReadable="true">
  <Manifest>
    <Identity><ID>{id}</ID><Version>1.0.0.{revision}</Version></Identity>
    <Name>{name}</Name>
    <References>{references}</References>
  </Manifest>
  <TypeDefinitions><EntityTypes><ClassTypes>
    <ClassType ID="{id}.Group" Accessibility="Public" Abstract="false" Base="Instances!{INSTANCES}" Hosted="false" Singleton="true" />
  </ClassTypes></EntityTypes></TypeDefinitions>
  <Monitoring><Discoveries>
    <Discovery ID="{id}.Members" Enabled="true" Target="{id}.Group" ConfirmDelivery="false" Remotable="true" Priority="Normal">
      <Category>Discovery</Category>
      <DiscoveryTypes><DiscoveryRelationship TypeID="Instances!{INSTANCES}ContainsEntities" /></DiscoveryTypes>
      <DataSource ID="DS" TypeID="Center!Microsoft.SystemCenter.GroupPopulator">
        <RuleId>$MPElement$</RuleId>
        <GroupInstanceId>$MPElement[Name="{id}.Group"]$</GroupInstanceId>
        <MembershipRules><MembershipRule>
          <MonitoringClass>$MPElement[Name="Of!{class}"]$</MonitoringClass>
          <RelationshipClass>$MPElement[Name="Instances!{INSTANCES}ContainsEntities"]$</RelationshipClass>
          {expression}
        </MembershipRule></MembershipRules>
      </DataSource>
    </Discovery>
  </Discoveries></Monitoring>
  <LanguagePacks><LanguagePack ID="ENU" IsDefault="true"><DisplayStrings>
    <DisplayString ElementID="{id}"><Name>{name}</Name></DisplayString>
    <DisplayString ElementID="{id}.Group"><Name>{name}</Name></DisplayString>
  </DisplayStrings></LanguagePack></LanguagePacks>
</ManagementPack>
"#,
        name = escape(name),
    ))
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_becomes_an_identity_and_its_text_is_no_markup() {
        assert_eq!(pack_id("Web servers (north)").unwrap(), "Group.Webserversnorth");
        assert!(pack_id("—").is_err());
        let conditions = ["PrincipalName=^web<1>".to_owned()];
        let text = document("Group.A", "A & B", 3, ("Pack", "1.0.0.0", "Class"), &conditions).unwrap();
        assert!(text.contains("<Name>A &amp; B</Name>") && text.contains("^web&lt;1&gt;") && text.contains("1.0.0.3"));
        assert!(document("Group.A", "A", 0, ("Pack", "1.0.0.0", "Class"), &["x".to_owned()]).is_err());
    }
}
