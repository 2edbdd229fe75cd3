//! The sites of a hierarchy and its service connection point, and whether they can be connected.

use serde::{Deserialize, Deserializer};

use crate::client::Client;
use crate::odata::quoted;
use crate::problem::{Part, Problem};

/// Build 8412 is version 1606, the oldest that can be connected ("Connect Configuration Manager to Azure Monitor",
/// prerequisites).
pub const LEAST_BUILD: u32 = 8412;
/// Releases by their builds, as far as they are named to people.
const RELEASES: [(u32, &str); 8] = [
    (8325, "1511"),
    (8355, "1602"),
    (8412, "1606"),
    (8458, "1610"),
    (8740, "1810"),
    (8968, "2002"),
    (9078, "2203"),
    (9128, "2403"),
];
/// The role's name in the site control file.
const CONNECTION_POINT_ROLE: &str = "SMS Dmp Connector";

/// Null is as good as empty.
pub(crate) fn text<'de, D: Deserializer<'de>>(value: D) -> Result<String, D::Error> {
    Ok(Option::<String>::deserialize(value)?.unwrap_or_default())
}

#[derive(Deserialize)]
struct SiteRecord {
    #[serde(rename = "SiteCode")]
    code: String,
    #[serde(rename = "SiteName", default, deserialize_with = "text")]
    name: String,
    #[serde(rename = "ServerName", default, deserialize_with = "text")]
    server: String,
    #[serde(rename = "Type")]
    kind: u32,
    #[serde(rename = "Version", default, deserialize_with = "text")]
    version: String,
    #[serde(rename = "BuildNumber", default)]
    build: u32,
    #[serde(rename = "ReportingSiteCode", default, deserialize_with = "text")]
    reports_to: String,
}

#[derive(Deserialize)]
struct IdentificationRecord {
    #[serde(rename = "ThisSiteCode")]
    code: String,
}

#[derive(Deserialize)]
struct RoleRecord {
    #[serde(rename = "SiteCode", default, deserialize_with = "text")]
    site: String,
    #[serde(rename = "NetworkOSPath", default, deserialize_with = "text")]
    path: String,
    #[serde(rename = "Props", default)]
    properties: Option<Vec<PropertyRecord>>,
}

#[derive(Deserialize)]
struct PropertyRecord {
    #[serde(rename = "PropertyName", default, deserialize_with = "text")]
    name: String,
    #[serde(rename = "Value", default)]
    value: Option<i64>,
}

/// What a site is in its hierarchy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SiteKind {
    Secondary,
    Primary,
    CentralAdministration,
    /// A number that is not documented.
    Other(u32),
}

impl SiteKind {
    fn of(number: u32) -> Self {
        match number {
            1 => SiteKind::Secondary,
            2 => SiteKind::Primary,
            4 => SiteKind::CentralAdministration,
            other => SiteKind::Other(other),
        }
    }

    /// As people say it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            SiteKind::Secondary => "secondary site",
            SiteKind::Primary => "primary site",
            SiteKind::CentralAdministration => "central administration site",
            SiteKind::Other(_) => "site",
        }
    }
}

/// A site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Site {
    pub code: String,
    pub name: String,
    pub server: String,
    pub kind: SiteKind,
    /// For instance `5.00.9128.1000`.
    pub version: String,
    pub build: u32,
    /// The code of the site above; empty at the top.
    pub reports_to: String,
}

impl Site {
    /// The release that people know the version by, for instance `1606`; none where it is between two of them.
    #[must_use]
    pub fn release(&self) -> Option<&'static str> {
        RELEASES.iter().find(|(build, _)| *build == self.build).map(|(_, name)| *name)
    }

    fn shown(&self) -> String {
        format!("{} {} ({})", self.kind.word(), self.code, self.server)
    }
}

/// A server with the role of service connection point.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectionPoint {
    pub server: String,
    pub site: String,
    pub is_online: bool,
}

/// What a site knows of its hierarchy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hierarchy {
    /// The code of the site that was asked.
    pub this: String,
    pub sites: Vec<Site>,
    pub connection_points: Vec<ConnectionPoint>,
}

/// A rule, and whether it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    pub part: Part,
    /// What was found.
    pub outcome: Result<String, Problem>,
}

impl Client {
    /// Asks a site who it is and what is around it.
    ///
    /// # Errors
    /// Why it cannot be asked.
    pub async fn hierarchy(&self) -> Result<Hierarchy, Problem> {
        self.sign_in().await?;
        let own: Vec<IdentificationRecord> = self.list("SMS_Identification", "", "ThisSiteCode").await?;
        let select = "SiteCode,SiteName,ServerName,Type,Version,BuildNumber,ReportingSiteCode";
        let sites: Vec<SiteRecord> = self.list("SMS_Site", "", select).await?;
        let filter = format!("RoleName eq {}", quoted(CONNECTION_POINT_ROLE));
        // its properties are embedded records, which a selection leaves out
        let roles: Vec<RoleRecord> = self.list("SMS_SCI_SysResUse", &filter, "").await?;
        let this = own.into_iter().map(|own| own.code).find(|code| !code.is_empty()).ok_or_else(|| {
            let message = format!("{} does not say which site it is", self.place.origin());
            let advice = "look whether the account may read the whole hierarchy (security scope All)";
            Problem::new(Part::Role, message, advice)
        })?;
        Ok(Hierarchy {
            this,
            sites: sites.into_iter().map(site).collect(),
            connection_points: roles.into_iter().map(connection_point).collect(),
        })
    }
}

fn site(record: SiteRecord) -> Site {
    let SiteRecord { code, name, server, kind, version, build, reports_to } = record;
    // the third part of a version is the build
    let third = version.split('.').nth(2).and_then(|part| part.parse().ok());
    Site { code, name, server, kind: SiteKind::of(kind), build: third.unwrap_or(build), version, reports_to }
}

fn connection_point(record: RoleRecord) -> ConnectionPoint {
    let offline = record.properties.unwrap_or_default().into_iter().find(|one| one.name == "OfflineMode");
    ConnectionPoint {
        server: record.path.trim_matches('\\').to_owned(),
        site: record.site,
        is_online: offline.is_none_or(|property| property.value.unwrap_or_default() == 0),
    }
}

impl Hierarchy {
    /// The site that was asked.
    #[must_use]
    pub fn site(&self) -> Option<&Site> {
        self.named(&self.this)
    }

    fn named(&self, code: &str) -> Option<&Site> {
        self.sites.iter().find(|site| site.code.eq_ignore_ascii_case(code))
    }

    /// The site at the top, as far as the one that was asked knows it.
    #[must_use]
    pub fn top(&self) -> Option<&Site> {
        let mut at = self.site()?;
        // not longer than there are sites: a circle is no hierarchy
        for _ in 0..self.sites.len() {
            match self.named(&at.reports_to) {
                Some(above) if !at.reports_to.is_empty() => at = above,
                _ => break,
            }
        }
        Some(at)
    }

    /// The service connection point, an online one before others.
    #[must_use]
    pub fn connection_point(&self) -> Option<&ConnectionPoint> {
        self.connection_points.iter().max_by_key(|point| point.is_online)
    }

    /// The rules of a connection, in the order in which they are looked at. `known` is the code of the site that the
    /// connection was made for, empty where it is being made.
    #[must_use]
    pub fn checks(&self, known: &str) -> Vec<Check> {
        let Some(site) = self.site() else {
            let message = format!("the site {} does not list itself", self.this);
            let advice = "look whether the account may read the whole hierarchy (security scope All)";
            let outcome = Err(Problem::new(Part::Role, message, advice));
            return vec![Check { part: Part::Site, outcome }];
        };
        vec![
            Check { part: Part::Version, outcome: version(site) },
            Check { part: Part::Site, outcome: self.top_tier(site, known) },
            Check { part: Part::ServiceConnectionPoint, outcome: self.point() },
        ]
    }

    fn top_tier(&self, site: &Site, known: &str) -> Result<String, Problem> {
        if site.kind == SiteKind::Secondary {
            let message = format!("{} is a secondary site", site.code);
            let advice = "connect the site at the top of the hierarchy: the central administration site, or a primary \
                          site that stands alone";
            return Err(Problem::new(Part::Site, message, advice));
        }
        if site.reports_to.is_empty() {
            return Ok(format!("{} is at the top of its hierarchy", site.shown()));
        }
        let above = self.top().filter(|top| top.code != site.code);
        let above = above.map_or_else(|| format!("the site {}", site.reports_to), Site::shown);
        if known.eq_ignore_ascii_case(&site.code) {
            let message = format!(
                "the hierarchy has got a new top, the {above}; this connection still leads to {}",
                site.shown()
            );
            let advice = "move it there in one step (`watchkeeper configmgr move NAME --address https://SERVER`); until then \
                          the groups stay as they are";
            return Err(Problem::new(Part::Hierarchy, message, advice));
        }
        let message = format!("the {} is below the {above}", site.shown());
        Err(Problem::new(Part::Site, message, "connect the site at the top of the hierarchy"))
    }

    fn point(&self) -> Result<String, Problem> {
        let part = Part::ServiceConnectionPoint;
        let Some(point) = self.connection_point() else {
            let message = "the hierarchy has no service connection point";
            let advice = "add the role Service connection point at the top site, in online mode (console, Administration, \
                          Site Configuration, Servers and Site System Roles)";
            return Err(Problem::new(part, message, advice));
        };
        if !point.is_online {
            let message = format!("the service connection point on {} is in offline mode", point.server);
            let advice = "set it to online mode (console, Administration, Site Configuration, Servers and Site System \
                          Roles, properties of the role)";
            return Err(Problem::new(part, message, advice));
        }
        Ok(format!("the service connection point on {} is online", point.server))
    }
}

fn version(site: &Site) -> Result<String, Problem> {
    let release = site.release().map(|name| format!(" ({name})")).unwrap_or_default();
    match site.build >= LEAST_BUILD {
        true => Ok(format!("{} has version {}{release}", site.code, site.version)),
        false => Err(Problem::new(
            Part::Version,
            format!(
                "the site {} has version {}{release}; 1606 (5.00.8412) or later can be connected",
                site.code, site.version
            ),
            "update the site (console, Administration, Updates and Servicing)",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site_of(code: &str, kind: u32, version: &str, reports_to: &str) -> Site {
        site(SiteRecord {
            code: code.to_owned(),
            name: String::new(),
            server: format!("{}.contoso.com", code.to_lowercase()),
            kind,
            version: version.to_owned(),
            build: 1,
            reports_to: reports_to.to_owned(),
        })
    }

    fn broken(this: &str, sites: &[Site], online: Option<bool>, known: &str) -> Vec<Part> {
        let point = |is_online| ConnectionPoint { server: "scp".to_owned(), site: this.to_owned(), is_online };
        let connection_points = online.map(point).into_iter().collect();
        let hierarchy = Hierarchy { this: this.to_owned(), sites: sites.to_vec(), connection_points };
        hierarchy
            .checks(known)
            .into_iter()
            .filter_map(|check| check.outcome.err())
            .map(|problem| problem.part)
            .collect()
    }

    #[test]
    fn the_rules_are_looked_at_one_by_one() {
        let new = "5.00.9128.1000";
        let alone = [site_of("P01", 2, new, "")];
        assert_eq!(broken("P01", &alone, Some(true), ""), []);
        assert_eq!(broken("P01", &alone, Some(false), ""), [Part::ServiceConnectionPoint]);
        assert_eq!(broken("P01", &alone, None, ""), [Part::ServiceConnectionPoint]);
        // 1602 is too old, 1606 is not
        assert_eq!(broken("P01", &[site_of("P01", 2, "5.00.8355.1000", "")], Some(true), ""), [Part::Version]);
        assert_eq!(broken("P01", &[site_of("P01", 2, "5.00.8412.1000", "")], Some(true), ""), []);
        let grown = [site_of("P01", 2, new, "CAS"), site_of("CAS", 4, new, ""), site_of("S01", 1, new, "P01")];
        assert_eq!(broken("CAS", &grown, Some(true), ""), []);
        assert_eq!(broken("P01", &grown, Some(true), ""), [Part::Site]);
        assert_eq!(broken("P01", &grown, Some(true), "P01"), [Part::Hierarchy]);
        assert_eq!(broken("S01", &grown, Some(true), ""), [Part::Site]);
        assert_eq!(broken("X01", &grown, Some(true), ""), [Part::Role]);
        let circle = [site_of("P01", 2, new, "P02"), site_of("P02", 2, new, "P01")];
        assert_eq!(broken("P01", &circle, Some(true), ""), [Part::Site]);
    }
}
