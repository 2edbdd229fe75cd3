//! `/api/relationships`: the kinds of relationship that the loaded packs have, and those of an object.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Query, State};
use serde::Deserialize;
use serde_json::{Value, json};
use watchkeeper_authorization::Action;
use watchkeeper_model::ids::{ElementId, ObjectId};
use watchkeeper_model::objects::Link;

use super::App;
use super::errors::ApiError;
use crate::authorization::{Cut, Need, Routes, Visible, get};

pub fn routes() -> Routes {
    Routes::new().route("/api/relationships", get(Need::InGroups(Action::ReadObjects, Cut::List), list))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Of {
    /// An object: its own relationships instead of the kinds.
    object: Option<String>,
}

async fn list(State(app): State<Arc<App>>, visible: Visible, Query(of): Query<Of>) -> Result<Json<Value>, ApiError> {
    let object = of.object.as_deref().map(|object| visible.find(&app, object)).transpose()?;
    let seen = |link: &Link| visible.has(link.source) && visible.has(link.target);
    let space = app.operations.group.read();
    let library = space.library.as_ref();
    // hosting follows from the keys of objects, whichever kind of it their classes have
    let hosting = ElementId::of("System.Library", "System.Hosting");
    if let Some(object) = object {
        let hosted = |source: ObjectId, target: ObjectId| Link { kind: hosting, source, target };
        let hosts = space.objects.hosts(object).map(|host| hosted(host, object));
        let guests = space.objects.hosted_by(object).map(|guest| hosted(object, guest));
        let links = space.objects.links_from(object).chain(space.objects.links_to(object)).chain(hosts).chain(guests);
        let item = |link: Link| {
            json!({
                "relationship": library.full_name(link.kind),
                "name": library.display_name(link.kind),
                "source": space.display_name(link.source),
                "target": space.display_name(link.target),
                "sourceId": link.source.to_string(),
                "targetId": link.target.to_string(),
            })
        };
        return Ok(Json(links.filter(seen).map(item).collect()));
    }
    let mut counts: HashMap<ElementId, usize> = HashMap::new();
    for link in space.objects.links().filter(seen) {
        *counts.entry(link.kind).or_default() += 1;
    }
    let reached = space.objects.iter().filter(|object| visible.has(object.id));
    let hosted = reached.map(|object| space.objects.hosts(object.id).filter(|host| visible.has(*host)).count()).sum();
    counts.insert(hosting, hosted);
    let kinds = library.set.packs().iter().flat_map(|pack| pack.relationships.iter().map(move |one| (pack, one)));
    let kinds = kinds.map(|(pack, one)| {
        let id = pack.element_id(&one.id);
        let class = |of| library.id_of(pack, of).map(|class| library.full_name(class));
        json!({
            "relationship": library.full_name(id),
            "name": library.display_name(id),
            "source": class(&one.source.class),
            "target": class(&one.target.class),
            "abstract": one.is_abstract,
            "instances": counts.get(&id).copied().unwrap_or_default(),
        })
    });
    Ok(Json(kinds.collect()))
}
