//! Where an address is: `geo_info_from_ip_address`, from the database that the server has been given.

use std::net::IpAddr;
use std::sync::{Arc, OnceLock};

use watchkeeper_kql::Type;
use watchkeeper_places::Remotes;

use crate::functions::frame::{Function, Returns, Value};

pub const FUNCTIONS: &[Function] =
    &[Function::row("geo_info_from_ip_address", 1, 1, Returns::Always(Type::Dynamic), |_, args| {
        place_of(args[0].text())
    })];

/// Functions are known by their names alone, in every plan of this process; so is their database.
static REMOTES: OnceLock<Arc<Remotes>> = OnceLock::new();

/// Gives `geo_info_from_ip_address` its database. Only the first call counts; before it, no address has a place.
pub fn use_places(remotes: Arc<Remotes>) {
    let _ = REMOTES.set(remotes);
}

/// The documented fields, as far as they are known; null for an address that is not.
fn place_of<'a>(text: &str) -> Value<'a> {
    let address = text.trim().parse::<IpAddr>().ok();
    let remote = address.zip(REMOTES.get()).and_then(|(address, remotes)| remotes.known().find(address));
    let Some(place) = remote.as_ref().and_then(|remote| remote.place.as_ref()) else { return Value::Null };
    let mut fields = serde_json::Map::new();
    for (name, text) in [("country", &place.country), ("state", &place.state), ("city", &place.city)] {
        if !text.is_empty() {
            fields.insert(name.to_owned(), text.as_str().into());
        }
    }
    for (name, degrees) in [("latitude", place.latitude), ("longitude", place.longitude)] {
        if let Some(degrees) = degrees {
            fields.insert(name.to_owned(), degrees.into());
        }
    }
    Value::dynamic(serde_json::Value::Object(fields).to_string())
}

#[cfg(test)]
mod tests {
    use watchkeeper_places::Files;

    use super::*;
    use crate::functions::testing::{check, dynamic, string};

    #[test]
    fn an_address_has_the_place_that_the_database_says() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../places/tests/data/cities.mmdb");
        let remotes = Remotes::new(Files { places: Some(file.into()), threats: None });
        assert_eq!(remotes.look().len(), 1);
        use_places(Arc::new(remotes));
        let amsterdam =
            r#"{"country":"Netherlands","state":"North Holland","city":"Amsterdam","latitude":52.37,"longitude":4.9}"#;
        for (address, place) in [
            ("203.0.113.9", dynamic(amsterdam)),
            ("2001:db8::1", dynamic(r#"{"country":"Australia","latitude":-33.87,"longitude":151.2}"#)),
            ("10.0.0.1", Value::Null),
            ("nowhere", Value::Null),
        ] {
            check("geo_info_from_ip_address", &[(vec![string(address)], place)]);
        }
    }
}
