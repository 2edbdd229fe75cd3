//! What is known of the addresses of client groups and port groups: for the panels of the map.

use std::collections::BTreeMap;

use serde::Serialize;
use watchkeeper_map::Map;
use watchkeeper_places::{Known, Remote, Threat};

/// An address outside, as far as it is known. Empty texts are not known.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RemoteEnd {
    pub country: String,
    pub state: String,
    pub city: String,
    /// Null where it is not in the list of threats.
    pub threat: Option<KnownThreat>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct KnownThreat {
    pub kind: String,
    pub description: String,
    pub tlp_level: String,
    pub confidence: String,
    pub severity: i32,
    pub first_reported: String,
    pub last_reported: String,
    pub is_active: bool,
    pub link: String,
    pub more: String,
}

/// Those of the shown addresses of which something is known.
pub fn remote_ends(known: &Known, map: &Map) -> BTreeMap<String, RemoteEnd> {
    let clients = map.client_groups.iter().flat_map(|group| &group.addresses);
    let shown = clients.chain(map.port_groups.iter().flat_map(|group| &group.addresses));
    shown.filter_map(|address| Some((address.clone(), end_of(&*known.find(address.parse().ok()?)?)))).collect()
}

fn end_of(remote: &Remote) -> RemoteEnd {
    let place = remote.place.clone().unwrap_or_default();
    let threat = remote.threat.as_deref().map(threat_of);
    RemoteEnd { country: place.country, state: place.state, city: place.city, threat }
}

fn threat_of(threat: &Threat) -> KnownThreat {
    KnownThreat {
        kind: threat.indicator_threat_type.clone(),
        description: threat.description.clone(),
        tlp_level: threat.tlp_level.clone(),
        confidence: threat.confidence.clone(),
        severity: threat.severity,
        first_reported: threat.first_reported.clone(),
        last_reported: threat.last_reported.clone(),
        is_active: threat.is_active,
        link: threat.report_reference_link.clone(),
        more: threat.additional_information.clone(),
    }
}
