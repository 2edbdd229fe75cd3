//! Lines and polygons made finer, coarser or wider.

use std::collections::{HashMap, HashSet};
use std::f64::consts::{FRAC_PI_2, PI};

use watchkeeper_kql::Type;

use super::combine::{polygons_of, polygons_of_array};
use super::overlay::{union_of_lines, union_of_polygons};
use super::shape::{Line, Polygon, lines_json, lines_of, polygons_json, ring_crosses, ring_edges};
use super::sphere::{
    EARTH_RADIUS, Place, Vector, angle, closest_on_edge, compass, dot, interpolate, plus, signed_area, times,
};
use super::{number, place_of};
use crate::functions::frame::{Function, Returns, Value};

const DYNAMIC: Returns = Returns::Always(Type::Dynamic);

/// Metres, where a query names no tolerance.
const TOLERANCE: f64 = 10.0;
/// The widest tolerance of a simplification, in metres.
const WIDEST: f64 = 7_800_000.0;

pub const FUNCTIONS: &[Function] = &[
    Function::row("geo_line_densify", 1, 3, DYNAMIC, |_, args| {
        let found = lines_of(&args[0]).zip(densify_tolerance(args));
        Value::from_option(found, |(lines, tolerance)| {
            let lines: Vec<Line> = lines.iter().map(|line| densified(line, tolerance, preserves(args))).collect();
            Value::dynamic(lines_json(&lines))
        })
    }),
    Function::row("geo_polygon_densify", 1, 3, DYNAMIC, |_, args| {
        let found = polygons_of(&args[0]).zip(densify_tolerance(args));
        Value::from_option(found, |(polygons, tolerance)| {
            let ring = |ring: &Vec<Place>| {
                let mut closed = ring.clone();
                closed.extend(ring.first().copied());
                let mut dense = densified(&closed, tolerance, preserves(args));
                dense.pop();
                dense
            };
            let polygons: Vec<Polygon> = polygons
                .iter()
                .map(|polygon| Polygon { shell: ring(&polygon.shell), holes: polygon.holes.iter().map(ring).collect() })
                .collect();
            Value::dynamic(polygons_json(&polygons))
        })
    }),
    Function::row("geo_line_simplify", 1, 2, DYNAMIC, |_, args| {
        let found = lines_of(&args[0]).zip(tolerance(args, 0.0, WIDEST));
        let lines = found.and_then(|(lines, tolerance)| {
            let lines: Vec<Line> =
                union_of_lines(lines).iter().filter_map(|line| simplified_line(line, tolerance)).collect();
            (!lines.is_empty()).then_some(lines)
        });
        Value::from_option(lines, |lines| Value::dynamic(lines_json(&lines)))
    }),
    Function::row("geo_polygon_simplify", 1, 2, DYNAMIC, |_, args| {
        let found = polygons_of(&args[0]).zip(tolerance(args, 0.1, 10_000.0));
        polygons_or_null(
            found.and_then(|(polygons, tolerance)| Some(simplified(&union_of_polygons(polygons)?, tolerance))),
        )
    }),
    Function::row("geo_simplify_polygons_array", 1, 2, DYNAMIC, |_, args| {
        let found = polygons_of_array(&args[0]).zip(tolerance(args, 0.0, WIDEST));
        polygons_or_null(found.map(|(polygons, tolerance)| simplified(&polygons, tolerance)))
    }),
    Function::row("geo_point_buffer", 3, 4, DYNAMIC, |_, args| {
        let found = place_of(args, 0).zip(Wide::of(args, 2));
        polygons_or_null(found.and_then(|(place, wide)| union_of_polygons(vec![wide.around(&place, &place)])))
    }),
    Function::row("geo_line_buffer", 2, 3, DYNAMIC, |_, args| {
        let found = lines_of(&args[0]).zip(Wide::of(args, 1));
        polygons_or_null(found.and_then(|(lines, wide)| wide.lines(&lines)))
    }),
    Function::row("geo_polygon_buffer", 2, 3, DYNAMIC, |_, args| {
        let found = polygons_of(&args[0]).zip(Wide::of(args, 1));
        polygons_or_null(found.and_then(|(polygons, wide)| wide.polygons(polygons)))
    }),
];

fn polygons_or_null<'a>(polygons: Option<Vec<Polygon>>) -> Value<'a> {
    let polygons = polygons.filter(|polygons| !polygons.is_empty());
    Value::from_option(polygons, |polygons| Value::dynamic(polygons_json(&polygons)))
}

fn tolerance(args: &[Value<'_>], least: f64, most: f64) -> Option<f64> {
    let tolerance = if args.len() > 1 { number(args, 1)? } else { TOLERANCE };
    (least..=most).contains(&tolerance).then_some(tolerance / EARTH_RADIUS)
}

fn densify_tolerance(args: &[Value<'_>]) -> Option<f64> {
    tolerance(args, 0.1, 10_000.0)
}

fn preserves(args: &[Value<'_>]) -> bool {
    args.get(2).is_some_and(|value| value.as_bool().or_else(|| Some(value.as_i64()? != 0)).unwrap_or(false))
}

/// Where between the ends the distance of a planar edge from the geodesic is measured, and the factor by which that
/// underestimates the greatest distance.
const PROBE: f64 = 0.312_156_910_822_483_12;
const PROBED: f64 = 0.838_299_925_698_885_1;

/// A line with places added until every geodesic edge is as close as the tolerance to the planar one.
fn densified(line: &Line, tolerance: f64, preserve_crossing: bool) -> Line {
    let mut dense: Line = line.first().copied().into_iter().collect();
    for pair in line.windows(2) {
        let (from, to) = (pair[0], pair[1]);
        let mut target = (to.longitude, to.latitude);
        let around = target.0 - from.longitude;
        if preserve_crossing && around.abs() > 180.0 {
            target.0 -= 360.0 * around.signum();
        }
        split((from.longitude, from.latitude), target, tolerance, 0, &mut dense);
        dense.push(to);
    }
    dense
}

/// The place that planar coordinates mean, which may lie beyond the antimeridian.
fn planar(at: (f64, f64)) -> Option<Place> {
    let longitude = if at.0.abs() > 180.0 { at.0 - 360.0 * at.0.signum() } else { at.0 };
    Place::new(longitude, at.1)
}

fn split(from: (f64, f64), to: (f64, f64), tolerance: f64, depth: usize, dense: &mut Line) {
    let (Some(a), Some(b)) = (planar(from), planar(to)) else {
        return;
    };
    let deviation = if dot(a.vector, b.vector) < -1e-14 || (to.0 - from.0).abs() > 180.0 {
        f64::INFINITY
    } else {
        [PROBE, 1.0 - PROBE]
            .into_iter()
            .filter_map(|part| {
                let flat = planar((from.0 + (to.0 - from.0) * part, from.1 + (to.1 - from.1) * part))?;
                Some(angle(flat.vector, interpolate(a.vector, b.vector, part)))
            })
            .fold(0.0, f64::max)
    };
    if depth > 32 || a.same(&b) || deviation <= tolerance * PROBED {
        return;
    }
    let middle = ((from.0 + to.0) / 2.0, (from.1 + to.1) / 2.0);
    split(from, middle, tolerance, depth + 1, dense);
    dense.extend(planar(middle));
    split(middle, to, tolerance, depth + 1, dense);
}

/// The line without the places that are within the tolerance of the edge that replaces them.
fn thinned(line: &[Place], tolerance: f64) -> Line {
    let mut kept = vec![false; line.len()];
    let mut spans = vec![(0, line.len().saturating_sub(1))];
    while let Some((from, to)) = spans.pop() {
        kept[from] = true;
        kept[to] = true;
        let (a, b) = (line[from].vector, line[to].vector);
        let farthest = (from + 1..to)
            .map(|at| {
                let place = line[at].vector;
                (at, angle(closest_on_edge(a, b, place), place))
            })
            .max_by(|a, b| a.1.total_cmp(&b.1));
        if let Some((at, away)) = farthest.filter(|(_, away)| *away > tolerance) {
            debug_assert!(away > tolerance);
            spans.push((from, at));
            spans.push((at, to));
        }
    }
    line.iter().zip(kept).filter(|(_, kept)| *kept).map(|(place, _)| *place).collect()
}

/// Whether all places are as close to the first as the tolerance.
fn collapsed(places: &[Place], tolerance: f64) -> bool {
    places.iter().all(|place| angle(places[0].vector, place.vector) <= tolerance)
}

fn simplified_line(line: &Line, tolerance: f64) -> Option<Line> {
    let thin = thinned(line, tolerance);
    (!collapsed(&thin, tolerance)).then_some(thin)
}

/// Polygons with fewer vertices. A border between two of them stays common to both: it is thinned between the places
/// where more than two edges meet, always from the same end.
fn simplified(polygons: &[Polygon], tolerance: f64) -> Vec<Polygon> {
    let mut neighbors: HashMap<[i64; 3], HashSet<[i64; 3]>> = HashMap::new();
    for (from, to) in polygons.iter().flat_map(Polygon::edges) {
        neighbors.entry(key(from)).or_default().insert(key(to));
        neighbors.entry(key(to)).or_default().insert(key(from));
    }
    let node = |place: &Place| neighbors.get(&key(place)).is_some_and(|others| others.len() != 2);
    polygons
        .iter()
        .filter_map(|polygon| {
            Some(Polygon {
                shell: simplified_ring(&polygon.shell, tolerance, node)?,
                holes: polygon.holes.iter().filter_map(|hole| simplified_ring(hole, tolerance, node)).collect(),
            })
        })
        .collect()
}

fn key(place: &Place) -> [i64; 3] {
    place.vector.map(|part| (part * 1e11).round() as i64)
}

fn simplified_ring(ring: &[Place], tolerance: f64, node: impl Fn(&Place) -> bool) -> Option<Vec<Place>> {
    let mut anchors: Vec<usize> = (0..ring.len()).filter(|at| node(&ring[*at])).collect();
    if anchors.is_empty() {
        anchors.push(0);
    }
    if anchors.len() == 1 {
        let first = anchors[0];
        let farthest = (0..ring.len()).max_by(|a, b| {
            let away = |at: usize| angle(ring[first].vector, ring[at].vector);
            away(*a).total_cmp(&away(*b))
        })?;
        anchors.push(farthest);
        anchors.sort_unstable();
    }
    let thin = |tolerance: f64| {
        let mut thin: Vec<Place> = Vec::new();
        for (place, from) in anchors.iter().enumerate() {
            let to = anchors.get(place + 1).copied().unwrap_or(anchors[0] + ring.len());
            let mut chain: Vec<Place> = (*from..=to).map(|at| ring[at % ring.len()]).collect();
            let turned = key(&chain[0]) > key(&chain[chain.len() - 1]);
            if turned {
                chain.reverse();
            }
            let mut chain = thinned(&chain, tolerance);
            if turned {
                chain.reverse();
            }
            chain.pop();
            thin.extend(chain);
        }
        thin
    };
    let result = thin(tolerance);
    if result.len() < 3 || collapsed(&result, tolerance) {
        return None;
    }
    if !ring_crosses(&result) && signed_area(&result) > 0.0 {
        return Some(result);
    }
    // a ring that would cross itself is thinned less
    let less = [0.5, 0.25, 0.125].into_iter().map(|part| thin(tolerance * part));
    less.filter(|ring| ring.len() >= 3)
        .find(|ring| !ring_crosses(ring) && signed_area(ring) > 0.0)
        .or_else(|| Some(ring.to_vec()))
}

/// A distance around shapes.
pub struct Wide {
    radius: f64,
    /// Corners of half a circle.
    corners: usize,
}

impl Wide {
    /// The radius at this argument and the tolerance after it, in metres.
    fn of(args: &[Value<'_>], at: usize) -> Option<Wide> {
        let tolerance = if args.len() > at + 1 { number(args, at + 1)? } else { TOLERANCE };
        Wide::new(number(args, at)?, tolerance)
    }

    /// None where the radius is not positive or the tolerance is out of proportion.
    pub fn new(radius: f64, tolerance: f64) -> Option<Wide> {
        if radius <= 0.0 || radius / EARTH_RADIUS > FRAC_PI_2 || tolerance < radius * 1e-6 || tolerance <= 0.0 {
            return None;
        }
        // how far a chord is from its arc at most
        let share = (tolerance / radius).min(0.1);
        let corners = (FRAC_PI_2 / (1.0 - share).acos()).ceil().max(4.0) as usize;
        Some(Wide { radius: radius / EARTH_RADIUS, corners })
    }

    fn arc(&self, center: Vector, heading: f64, out: &mut Vec<Place>) {
        let (east, north) = compass(center);
        for corner in 0..=self.corners {
            let at = heading - PI * corner as f64 / self.corners as f64;
            let direction = plus(times(north, at.cos()), times(east, at.sin()));
            let place = plus(times(center, self.radius.cos()), times(direction, self.radius.sin()));
            out.push(Place::from_vector(place));
        }
    }

    /// Everything within the radius of an edge, or of one place.
    fn around(&self, from: &Place, to: &Place) -> Polygon {
        let heading = |from: &Place, to: &Place| {
            let (east, north) = compass(from.vector);
            dot(to.vector, east).atan2(dot(to.vector, north))
        };
        let (there, back) = if from.same(to) { (0.0, PI) } else { (heading(from, to), heading(to, from)) };
        let mut shell = Vec::new();
        self.arc(from.vector, there - FRAC_PI_2, &mut shell);
        self.arc(to.vector, back - FRAC_PI_2, &mut shell);
        shell.dedup_by(|next, previous| next.same(previous));
        if shell.len() > 1 && shell[0].same(&shell[shell.len() - 1]) {
            shell.pop();
        }
        if signed_area(&shell) < 0.0 {
            shell.reverse();
        }
        Polygon { shell, holes: Vec::new() }
    }

    pub fn lines(&self, lines: &[Line]) -> Option<Vec<Polygon>> {
        let edges = lines.iter().flat_map(|line| line.windows(2));
        union_of_polygons(edges.map(|pair| self.around(&pair[0], &pair[1])).collect())
    }

    pub fn polygons(&self, mut polygons: Vec<Polygon>) -> Option<Vec<Polygon>> {
        let borders: Vec<Polygon> = polygons
            .iter()
            .flat_map(Polygon::rings)
            .flat_map(|ring| ring_edges(ring).map(|(from, to)| self.around(from, to)))
            .collect();
        polygons.extend(borders);
        union_of_polygons(polygons)
    }
}

#[cfg(test)]
mod tests {
    use watchkeeper_kql::Type;

    use crate::functions::frame::Value;
    use crate::functions::testing::{check, dynamic, run};

    fn line(coordinates: &str) -> Value<'static> {
        dynamic(&format!(r#"{{"type":"LineString","coordinates":{coordinates}}}"#))
    }

    fn polygon(coordinates: &str) -> Value<'static> {
        dynamic(&format!(r#"{{"type":"Polygon","coordinates":[{coordinates}]}}"#))
    }

    #[test]
    fn planar_edges_become_chains_of_geodesics() {
        check(
            "geo_line_densify",
            &[
                (
                    vec![line("[[50,50],[51,51]]")],
                    line(
                        "[[50,50],[50.125,50.125],[50.25,50.25],[50.375,50.375],[50.5,50.5],[50.625,50.625],[50.75,50.75],[50.875,50.875],[51,51]]",
                    ),
                ),
                (vec![line("[[1,1],[2,2]]"), Value::Real(0.0)], Value::Null),
            ],
        );
        check(
            "geo_polygon_densify",
            &[(
                vec![polygon("[[10,10],[11,10],[11,11],[10,11],[10,10]]")],
                polygon(
                    "[[10,10],[10.25,10],[10.5,10],[10.75,10],[11,10],[11,11],[10.75,11],[10.5,11],[10.25,11],[10,11],[10,10]]",
                ),
            )],
        );
    }

    #[test]
    fn places_close_to_an_edge_go_and_what_is_too_small_vanishes() {
        check(
            "geo_line_simplify",
            &[
                (vec![line("[[0,0],[0.5,0.00001],[1,0]]")], line("[[0,0],[1,0]]")),
                (vec![line("[[0,0],[0.5,0.1],[1,0]]")], line("[[0,0],[0.5,0.1],[1,0]]")),
                (vec![line("[[1.1,1.1],[1.2,1.2]]"), Value::Real(100_000.0)], Value::Null),
                (vec![line("[[1,1],[2,2]]"), Value::Real(-1.0)], Value::Null),
            ],
        );
        check(
            "geo_polygon_simplify",
            &[
                (vec![polygon("[[0,0],[0.5,0.00001],[1,0],[1,1],[0,0]]")], polygon("[[0,0],[1,0],[1,1],[0,0]]")),
                (vec![polygon("[[0,0],[0.001,0],[0.001,0.001],[0,0]]"), Value::Real(1000.0)], Value::Null),
            ],
        );
    }

    #[test]
    fn a_buffer_has_the_area_of_what_is_around_it() {
        let area = |shape: Value<'static>| {
            let Value::Real(area) = run("geo_polygon_area", &[Type::Dynamic], &[shape], true) else {
                panic!("no area");
            };
            area
        };
        let near = |got: f64, want: f64| assert!((got / want - 1.0).abs() < 0.01, "{got} is not about {want}");
        let circle = std::f64::consts::PI * 1e6;
        let point = [Value::Real(12.0), Value::Real(41.0), Value::Real(1000.0), Value::Real(1.0)];
        near(area(run("geo_point_buffer", &[Type::Real; 4], &point, true)), circle);
        // 1112 m long twice, a corner between
        let types = [Type::Dynamic, Type::Real, Type::Real];
        let bent = [line("[[0,0],[0.1,0],[0.1,0.1]]"), Value::Real(1000.0), Value::Real(1.0)];
        let corner = 1e6 * (1.0 - std::f64::consts::FRAC_PI_4);
        near(area(run("geo_line_buffer", &types, &bent, true)), circle + 4.0 * 11_119_500.0 - corner);
        let square = [polygon("[[0,0],[0.1,0],[0.1,0.1],[0,0.1],[0,0]]"), Value::Real(1000.0), Value::Real(1.0)];
        let side = 11_119.5f64;
        near(area(run("geo_polygon_buffer", &types, &square, true)), side * side + 4.0 * side * 1000.0 + circle);
        let none = [line("[[0,0],[1,1]]"), Value::Real(0.0)];
        assert!(run("geo_line_buffer", &types[..2], &none, true).is_null());
    }
}
