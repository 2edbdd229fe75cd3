//! Cells that cover lines and polygons: S2 cells that meet them, H3 cells with their center within.

use std::collections::HashSet;

use h3o::{CellIndex, Resolution};
use s2::cellid::CellID;
use watchkeeper_kql::Type;

use super::change::Wide;
use super::combine::polygons_of;
use super::h3;
use super::s2::{FINEST, LEVEL, corners};
use super::shape::{Line, Polygon, lines_of, ring_edges};
use super::sphere::{Place, crossing, interpolate, on_edge};
use super::{level, number, text_list};
use crate::functions::frame::{Function, Returns, Value};

const DYNAMIC: Returns = Returns::Always(Type::Dynamic);

/// S2 cells that one call gives at most.
const MOST: usize = 65_536;

pub const FUNCTIONS: &[Function] = &[
    Function::row("geo_polygon_to_s2cells", 1, 3, DYNAMIC, |_, args| {
        let cells = level(args, 1, LEVEL, 0, FINEST).and_then(|level| {
            let polygons = widened(polygons_of(&args[0])?, args)?;
            s2_cells(&Covered { polygons, lines: Vec::new() }, level as u64)
        });
        s2_tokens(cells)
    }),
    Function::row("geo_line_to_s2cells", 1, 3, DYNAMIC, |_, args| {
        let cells = level(args, 1, LEVEL, 0, FINEST).and_then(|level| {
            let lines = lines_of(&args[0])?;
            let polygons = match radius(args)? {
                0.0 => Vec::new(),
                radius => Wide::new(radius, radius / 10.0)?.lines(&lines)?,
            };
            s2_cells(&Covered { polygons, lines }, level as u64)
        });
        s2_tokens(cells)
    }),
    Function::row("geo_polygon_to_h3cells", 1, 3, DYNAMIC, |_, args| {
        let cells = level(args, 1, 6, 0, 15).and_then(|level| {
            let resolution = Resolution::try_from(level as u8).ok()?;
            h3_cells(&widened(polygons_of(&args[0])?, args)?, resolution)
        });
        Value::from_option(cells, |cells| text_list(cells.iter().map(|cell| cell.to_string())))
    }),
];

fn s2_tokens<'a>(cells: Option<Vec<CellID>>) -> Value<'a> {
    Value::from_option(cells, |cells| text_list(cells.iter().map(CellID::to_token)))
}

/// The radius of the third argument in metres, zero where there is none.
fn radius(args: &[Value<'_>]) -> Option<f64> {
    let radius = if args.len() > 2 { number(args, 2)? } else { 0.0 };
    (radius >= 0.0).then_some(radius)
}

fn widened(polygons: Vec<Polygon>, args: &[Value<'_>]) -> Option<Vec<Polygon>> {
    match radius(args)? {
        0.0 => Some(polygons),
        radius => Wide::new(radius, radius / 10.0)?.polygons(polygons),
    }
}

struct Covered {
    polygons: Vec<Polygon>,
    lines: Vec<Line>,
}

/// How a cell lies to what is covered.
#[derive(PartialEq)]
enum Lies {
    Apart,
    Across,
    Within,
}

impl Covered {
    fn edges(&self) -> impl Iterator<Item = (&Place, &Place)> {
        let lines = self.lines.iter().flat_map(|line| line.windows(2).map(|pair| (&pair[0], &pair[1])));
        self.polygons.iter().flat_map(Polygon::edges).chain(lines)
    }

    fn lies(&self, cell: CellID) -> Lies {
        let cell = Polygon { shell: corners(cell).map(Place::from_vector).to_vec(), holes: Vec::new() };
        let across = self.edges().any(|(a, b)| {
            cell.touches(a.vector)
                || cell.touches(b.vector)
                || ring_edges(&cell.shell).any(|(c, d)| {
                    crossing(a.vector, b.vector, c.vector, d.vector).is_some() || on_edge(a.vector, b.vector, c.vector)
                })
        });
        if across {
            Lies::Across
        } else if self.polygons.iter().any(|polygon| polygon.holds(cell.shell[0].vector)) {
            Lies::Within
        } else {
            Lies::Apart
        }
    }
}

/// The cells of this level that meet what is covered; none where they are too many.
fn s2_cells(covered: &Covered, level: u64) -> Option<Vec<CellID>> {
    // the largest cells of a level have little more than twice their average area
    let largest = 2.2 * 4.0 * std::f64::consts::PI / 6.0 / 4f64.powi(level as i32);
    let most = MOST as f64 * largest;
    if covered.polygons.iter().any(|polygon| polygon.area() > most) {
        return None;
    }
    let mut found = Vec::new();
    let mut open: Vec<(CellID, bool)> = (0..6).rev().map(|face| (CellID::from_face(face), false)).collect();
    while let Some((cell, within)) = open.pop() {
        let lies = if within { Lies::Within } else { covered.lies(cell) };
        if lies == Lies::Apart {
            continue;
        }
        if cell.level() == level {
            found.push(cell);
            if found.len() > MOST {
                return None;
            }
        } else {
            open.extend(cell.children().into_iter().rev().map(|child| (child, lies == Lies::Within)));
        }
    }
    Some(found)
}

/// The cells with their center in one of the polygons; none where they are too many.
fn h3_cells(polygons: &[Polygon], resolution: Resolution) -> Option<Vec<CellIndex>> {
    let inside = |cell: CellIndex| {
        let center = h3::center(cell);
        polygons.iter().any(|polygon| polygon.holds(center.vector))
    };
    // half the radius of a cell, so that no cell on the border is stepped over
    let step = (resolution.area_rads2() / 4.0).sqrt() / 2.0;
    let most = h3::MOST as usize;
    let mut seen = HashSet::new();
    let mut open = Vec::new();
    for (from, to) in polygons.iter().flat_map(Polygon::edges) {
        let steps = (super::sphere::angle(from.vector, to.vector) / step).ceil().max(1.0);
        if steps as usize > most * 8 {
            return None;
        }
        for at in 0..=steps as usize {
            let place = Place::from_vector(interpolate(from.vector, to.vector, at as f64 / steps));
            for cell in h3::cell_at(&place, resolution)?.grid_disk::<Vec<_>>(1) {
                if seen.insert(cell) && inside(cell) {
                    open.push(cell);
                }
            }
        }
    }
    let mut found = Vec::new();
    while let Some(cell) = open.pop() {
        found.push(cell);
        if found.len() + open.len() > most {
            return None;
        }
        for next in cell.grid_disk::<Vec<_>>(1) {
            if seen.insert(next) && inside(next) {
                open.push(next);
            }
        }
    }
    found.sort_unstable();
    Some(found)
}

#[cfg(test)]
mod tests {
    use crate::functions::frame::Value;
    use crate::functions::testing::{dynamic, run};
    use watchkeeper_kql::Type;

    fn cells(name: &str, coordinates: &str, level: i64) -> Option<Vec<String>> {
        let shape = format!(r#"{{"type":"Polygon","coordinates":[{coordinates}]}}"#);
        let found = run(name, &[Type::Dynamic, Type::Long], &[dynamic(&shape), Value::Long(level)], true);
        (!found.is_null()).then(|| serde_json::from_str(found.text()).unwrap())
    }

    #[test]
    fn polygons_are_covered_with_cells() {
        let wide = "[[0,0],[0,50],[100,50],[0,0]]";
        assert_eq!(cells("geo_polygon_to_s2cells", wide, 5).unwrap().len(), 286);
        assert_eq!(cells("geo_polygon_to_s2cells", wide, 30), None);
        let madrid = "[[-3.659,40.553],[-3.913,40.409],[-3.729,40.273],[-3.524,40.440],[-3.659,40.553]]";
        let mut want = [
            "86390cb57ffffff",
            "86390cb0fffffff",
            "86390ca27ffffff",
            "86390cb87ffffff",
            "86390cb07ffffff",
            "86390ca2fffffff",
            "86390ca37ffffff",
            "86390cb17ffffff",
            "86390cb1fffffff",
            "86390cb8fffffff",
            "86390cba7ffffff",
            "86390ca07ffffff",
            "86390cbafffffff",
        ];
        want.sort_unstable();
        assert_eq!(cells("geo_polygon_to_h3cells", madrid, 6).unwrap(), want);
    }
}
