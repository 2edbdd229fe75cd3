//! S2 cells: squares on the faces of a cube around the sphere, named by their token.

use s2::cell::Cell;
use s2::cellid::CellID;
use s2::latlng::LatLng;
use watchkeeper_kql::Type;

use super::shape::{Polygon, point_json, polygons_json};
use super::sphere::{Place, Vector};
use super::{level, place_of, text_list};
use crate::functions::frame::{Function, Returns, Value};

const DYNAMIC: Returns = Returns::Always(Type::Dynamic);

/// The level of cells where a query names none.
pub const LEVEL: i64 = 11;
pub const FINEST: i64 = 30;

pub const FUNCTIONS: &[Function] = &[
    Function::row_with_nulls("geo_point_to_s2cell", 2, 3, Returns::Always(Type::String), |_, args| {
        let cell = level(args, 2, LEVEL, 0, FINEST).and_then(|level| {
            let place = place_of(args, 0)?;
            let leaf = CellID::from(LatLng::from_degrees(place.latitude, place.longitude));
            Some(leaf.parent(level as u64).to_token())
        });
        Value::string(cell.unwrap_or_default())
    }),
    Function::row("geo_s2cell_to_central_point", 1, 1, DYNAMIC, |_, args| {
        Value::from_option(cell_named(args[0].text()), |cell| {
            Value::dynamic(point_json(&Place::from_vector(vector(&Cell::from(cell).center()))))
        })
    }),
    Function::row("geo_s2cell_to_polygon", 1, 1, DYNAMIC, |_, args| {
        Value::from_option(cell_named(args[0].text()), |cell| {
            Value::dynamic(polygons_json(&[Polygon {
                shell: corners(cell).map(Place::from_vector).to_vec(),
                holes: Vec::new(),
            }]))
        })
    }),
    Function::row("geo_s2cell_neighbors", 1, 1, DYNAMIC, |_, args| {
        Value::from_option(cell_named(args[0].text()), |cell| {
            let mut cells = neighbors(cell);
            let mut seen = std::collections::HashSet::new();
            cells.retain(|cell| seen.insert(*cell));
            text_list(cells.iter().map(CellID::to_token))
        })
    }),
];

pub fn vector(point: &s2::point::Point) -> Vector {
    [point.0.x, point.0.y, point.0.z]
}

/// The corners of a cell, counterclockwise.
pub fn corners(cell: CellID) -> [Vector; 4] {
    Cell::from(cell).vertices().map(|corner| vector(&corner))
}

fn cell_named(token: &str) -> Option<CellID> {
    if token.is_empty() || token.len() > 16 {
        return None;
    }
    let cell = CellID::from_token(token);
    (cell.0 != 0 && cell.is_valid()).then_some(cell)
}

/// The cells that share an edge or a corner; one of them comes more than once next to a corner of the cube.
fn neighbors(cell: CellID) -> Vec<CellID> {
    let around = cell.all_neighbors(cell.level());
    [7, 0, 1, 2, 3, 5, 4, 6].iter().filter_map(|place: &usize| around.get(*place).copied()).collect()
}

#[cfg(test)]
mod tests {
    use crate::functions::frame::Value;
    use crate::functions::testing::{check, dynamic, string};

    #[test]
    fn cells_have_tokens_and_neighbors() {
        let (longitude, latitude) = (Value::Real(-80.195829), Value::Real(25.802215));
        check(
            "geo_point_to_s2cell",
            &[
                (vec![longitude.clone(), latitude.clone(), Value::Long(8)], string("88d9b")),
                (vec![longitude.clone(), latitude.clone(), Value::Long(31)], string("")),
                (vec![Value::Real(300.0), latitude], string("")),
            ],
        );
        check(
            "geo_s2cell_neighbors",
            &[
                (
                    vec![string("89c259")],
                    dynamic(r#"["89c25d","89c2f9","89c251","89c257","89c25f","89c25b","89c2f7","89c2f5"]"#),
                ),
                (vec![string("zz")], Value::Null),
            ],
        );
        check("geo_s2cell_to_central_point", &[(vec![string("a")], Value::Null)]);
    }
}
