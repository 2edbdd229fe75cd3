//! Functions of places on earth: cells (geohash, H3, S2), distances, and lines and polygons in GeoJSON.

pub mod change;
pub mod combine;
pub mod cover;
pub mod geohash;
pub mod h3;
mod lines;
pub mod measure;
mod overlay;
pub mod s2;
mod shape;
mod sphere;
pub mod wkt;

use crate::functions::frame::Value;
use sphere::Place;

/// The place that the longitude at this argument and the latitude after it name.
fn place_of(args: &[Value<'_>], at: usize) -> Option<Place> {
    Place::new(number(args, at)?, number(args, at + 1)?)
}

/// A finite number.
fn number(args: &[Value<'_>], at: usize) -> Option<f64> {
    args.get(at)?.as_f64().filter(|number| number.is_finite())
}

/// A level or an accuracy in its range, the default where the argument is absent; none where it is null or out of range.
fn level(args: &[Value<'_>], at: usize, default: i64, least: i64, most: i64) -> Option<i64> {
    let level = match args.get(at) {
        Some(value) => value.as_i64()?,
        None => default,
    };
    (least..=most).contains(&level).then_some(level)
}

fn text_list<'a>(texts: impl Iterator<Item = String>) -> Value<'a> {
    Value::json(&serde_json::Value::Array(texts.map(serde_json::Value::String).collect()))
}
