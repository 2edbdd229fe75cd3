//! H3 cells: hexagons (and twelve pentagons) on the faces of an icosahedron, named by their index in hexadecimal.

use h3o::{CellIndex, LatLng, Resolution};
use watchkeeper_kql::Type;

use super::shape::{Polygon, point_json, polygons_json};
use super::sphere::Place;
use super::{level, place_of, text_list};
use crate::functions::frame::{Function, Returns, Value};

const DYNAMIC: Returns = Returns::Always(Type::Dynamic);
const STRING: Returns = Returns::Always(Type::String);

/// Cells that one call gives at most.
pub const MOST: u64 = 61_680;
/// Rings around a cell that one call gives at most.
const RINGS: i64 = 142;

pub const FUNCTIONS: &[Function] = &[
    Function::row_with_nulls("geo_point_to_h3cell", 2, 3, STRING, |_, args| {
        let cell = resolution(args, 2, 6).and_then(|resolution| {
            let place = place_of(args, 0)?;
            Some(cell_at(&place, resolution)?.to_string())
        });
        Value::string(cell.unwrap_or_default())
    }),
    Function::row("geo_h3cell_to_central_point", 1, 1, DYNAMIC, |_, args| {
        Value::from_option(cell_named(args[0].text()), |cell| Value::dynamic(point_json(&center(cell))))
    }),
    Function::row("geo_h3cell_to_polygon", 1, 1, DYNAMIC, |_, args| {
        Value::from_option(cell_named(args[0].text()), |cell| {
            let shell = cell.boundary().iter().filter_map(|corner| Place::new(corner.lng(), corner.lat())).collect();
            Value::dynamic(polygons_json(&[Polygon { shell, holes: Vec::new() }]))
        })
    }),
    Function::row("geo_h3cell_neighbors", 1, 1, DYNAMIC, |_, args| {
        Value::from_option(cell_named(args[0].text()), |cell| {
            let rings = rings(cell, 1);
            text_list(rings.into_iter().skip(1).flatten().map(|cell| cell.to_string()))
        })
    }),
    Function::row("geo_h3cell_rings", 2, 2, DYNAMIC, |_, args| {
        let distance = args[1].as_i64().filter(|distance| (0..=RINGS).contains(distance));
        let found = cell_named(args[0].text()).zip(distance);
        Value::from_option(found, |(cell, distance)| {
            let rings: Vec<Vec<String>> = rings(cell, distance as u32)
                .into_iter()
                .map(|ring| ring.into_iter().map(|cell| cell.to_string()).collect())
                .collect();
            Value::json(&serde_json::json!(rings))
        })
    }),
    Function::row("geo_h3cell_children", 1, 2, DYNAMIC, |_, args| {
        let children = cell_named(args[0].text()).and_then(|cell| {
            let below = i64::from(u8::from(cell.resolution())) + 1;
            let resolution = resolution(args, 1, below)?;
            let fits = resolution > cell.resolution() && cell.children_count(resolution) <= MOST;
            fits.then(|| text_list(cell.children(resolution).map(|cell| cell.to_string())))
        });
        Value::from_option(children, |children| children)
    }),
    Function::row("geo_h3cell_parent", 1, 2, STRING, |_, args| {
        let parent = cell_named(args[0].text()).and_then(|cell| {
            let above = i64::from(u8::from(cell.resolution())) - 1;
            let resolution = resolution(args, 1, above)?;
            let parent = cell.parent(resolution)?;
            (resolution < cell.resolution()).then(|| parent.to_string())
        });
        Value::string(parent.unwrap_or_default())
    }),
    Function::row("geo_h3cell_level", 1, 1, Returns::Always(Type::Int), |_, args| {
        Value::from_option(cell_named(args[0].text()), |cell| Value::Int(i32::from(u8::from(cell.resolution()))))
    }),
];

fn resolution(args: &[Value<'_>], at: usize, default: i64) -> Option<Resolution> {
    let level = level(args, at, default, 0, 15)?;
    Resolution::try_from(level as u8).ok()
}

pub fn cell_at(place: &Place, resolution: Resolution) -> Option<CellIndex> {
    let place = LatLng::new(place.latitude, place.longitude).ok()?;
    Some(place.to_cell(resolution))
}

pub fn center(cell: CellIndex) -> Place {
    let center = LatLng::from(cell);
    let (longitude, latitude) = (center.lng(), center.lat());
    Place { longitude, latitude, vector: Place::new(longitude, latitude).map_or([0.0; 3], |place| place.vector) }
}

fn cell_named(name: &str) -> Option<CellIndex> {
    let bits = u64::from_str_radix(name, 16).ok()?;
    CellIndex::try_from(bits).ok()
}

/// The cell itself and the rings around it, nearest first.
fn rings(cell: CellIndex, distance: u32) -> Vec<Vec<CellIndex>> {
    let mut rings = vec![Vec::new(); distance as usize + 1];
    for (cell, away) in cell.grid_disk_distances::<Vec<(CellIndex, u32)>>(distance) {
        if let Some(ring) = rings.get_mut(away as usize) {
            ring.push(cell);
        }
    }
    rings
}

#[cfg(test)]
mod tests {
    use crate::functions::frame::Value;
    use crate::functions::testing::{check, dynamic, string};

    #[test]
    fn cells_know_their_parents_children_and_rings() {
        let liberty = string("862a1072fffffff");
        check(
            "geo_point_to_h3cell",
            &[(
                vec![Value::Real(-74.04450446039874), Value::Real(40.689250859314974), Value::Long(6)],
                liberty.clone(),
            )],
        );
        check(
            "geo_h3cell_parent",
            &[
                (vec![liberty.clone()], string("852a1073fffffff")),
                (vec![liberty.clone(), Value::Long(1)], string("812a3ffffffffff")),
                (vec![liberty.clone(), Value::Long(7)], string("")),
                (vec![string("123")], string("")),
            ],
        );
        check("geo_h3cell_level", &[(vec![liberty.clone()], Value::Int(6))]);
        check(
            "geo_h3cell_children",
            &[(vec![string("abc")], Value::Null), (vec![liberty, Value::Long(15)], Value::Null)],
        );
        check(
            "geo_h3cell_rings",
            &[(
                vec![string("861f8894fffffff"), Value::Long(1)],
                dynamic(concat!(
                    r#"[["861f8894fffffff"],["861f88947ffffff","861f8895fffffff","861f88867ffffff","#,
                    r#""861f8d497ffffff","861f8d4b7ffffff","861f8896fffffff"]]"#
                )),
            )],
        );
    }
}
