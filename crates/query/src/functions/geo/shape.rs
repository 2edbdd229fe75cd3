//! GeoJSON as the functions take it and give it back: lines, polygons and their multiples on the sphere, checked for
//! what makes them invalid.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt::Write;
use std::rc::Rc;

use serde_json::Value as Tree;

use super::sphere::{Place, angle, crossing, near, on_edge, ring_holds, signed_area};
use crate::functions::frame::{Value, json};

/// Places in the order of travel.
pub type Line = Vec<Place>;

/// A counterclockwise ring around the land and the rings of its holes, each without its closing place. Holes are
/// counterclockwise here too.
#[derive(Debug, Clone, Default)]
pub struct Polygon {
    pub shell: Vec<Place>,
    pub holes: Vec<Vec<Place>>,
}

impl Polygon {
    pub fn rings(&self) -> impl Iterator<Item = &Vec<Place>> {
        std::iter::once(&self.shell).chain(&self.holes)
    }

    /// Whether the place is inside or one of the vertices.
    pub fn holds(&self, place: [f64; 3]) -> bool {
        if self.rings().flatten().any(|vertex| near(vertex.vector, place)) {
            return true;
        }
        ring_holds(&self.shell, place) && !self.holes.iter().any(|hole| ring_holds(hole, place))
    }

    /// Whether the place is inside, on an edge or a vertex.
    pub fn touches(&self, place: [f64; 3]) -> bool {
        self.holds(place) || self.edges().any(|(from, to)| on_edge(from.vector, to.vector, place))
    }

    pub fn edges(&self) -> impl Iterator<Item = (&Place, &Place)> {
        self.rings().flat_map(|ring| ring_edges(ring))
    }

    /// On the unit sphere.
    pub fn area(&self) -> f64 {
        let holes: f64 = self.holes.iter().map(|hole| signed_area(hole).abs()).sum();
        signed_area(&self.shell).abs() - holes
    }
}

/// The edges of a ring, the closing one included.
pub fn ring_edges(ring: &[Place]) -> impl Iterator<Item = (&Place, &Place)> {
    ring.iter().zip(ring.iter().cycle().skip(1))
}

/// What a GeoJSON value holds.
#[derive(Debug, Clone)]
pub enum Shape {
    Lines(Vec<Line>),
    Polygons(Vec<Polygon>),
}

/// How many parsed shapes a thread keeps: the same polygon usually comes with every row.
const KEPT: usize = 64;

thread_local! {
    static PARSED: RefCell<HashMap<String, Option<Rc<Shape>>>> = RefCell::new(HashMap::new());
}

/// The shape of a dynamic value; none where it is neither a valid line nor a valid polygon.
pub fn shape_of(value: &Value<'_>) -> Option<Rc<Shape>> {
    let text = value.text();
    PARSED.with(|parsed| {
        let mut parsed = parsed.borrow_mut();
        if let Some(shape) = parsed.get(text) {
            return shape.clone();
        }
        let shape = json::parse(text).and_then(|tree| read(&tree)).map(Rc::new);
        if parsed.len() >= KEPT {
            parsed.clear();
        }
        parsed.insert(text.to_owned(), shape.clone());
        shape
    })
}

/// The shape of a parsed GeoJSON geometry.
pub fn read(tree: &Tree) -> Option<Shape> {
    let coordinates = tree.get("coordinates");
    match tree.get("type")?.as_str()? {
        "LineString" => Some(Shape::Lines(vec![line(coordinates?)?])),
        "MultiLineString" => {
            let lines: Vec<Line> = items(coordinates?)?.iter().map(line).collect::<Option<_>>()?;
            (!lines.is_empty()).then_some(Shape::Lines(lines))
        }
        "Polygon" => Some(Shape::Polygons(vec![polygon(coordinates?)?])),
        "MultiPolygon" => {
            let polygons: Vec<Polygon> = items(coordinates?)?.iter().map(polygon).collect::<Option<_>>()?;
            (!polygons.is_empty()).then_some(Shape::Polygons(polygons))
        }
        _ => None,
    }
}

fn items(tree: &Tree) -> Option<&Vec<Tree>> {
    tree.as_array()
}

fn place(tree: &Tree) -> Option<Place> {
    let [longitude, latitude, ..] = items(tree)?.as_slice() else {
        return None;
    };
    Place::new(longitude.as_f64()?, latitude.as_f64()?)
}

/// Half a turn: the shorter edge between such places is not one.
fn opposite(from: &Place, to: &Place) -> bool {
    angle(from.vector, to.vector) > std::f64::consts::PI - 1e-9
}

fn line(tree: &Tree) -> Option<Line> {
    let mut places: Line = items(tree)?.iter().map(place).collect::<Option<_>>()?;
    places.dedup_by(|next, previous| next.same(previous));
    let valid = places.len() >= 2 && !places.windows(2).any(|pair| opposite(&pair[0], &pair[1]));
    valid.then_some(places)
}

fn polygon(tree: &Tree) -> Option<Polygon> {
    let mut rings: Vec<Vec<Place>> = items(tree)?.iter().map(ring).collect::<Option<_>>()?;
    if rings.is_empty() {
        return None;
    }
    let holes = rings.split_off(1);
    let polygon = Polygon { shell: rings.pop()?, holes };
    let rings: Vec<&Vec<Place>> = polygon.rings().collect();
    for (place, first) in rings.iter().enumerate() {
        for second in &rings[place + 1..] {
            let crossed = ring_edges(first).any(|(a, b)| {
                ring_edges(second).any(|(c, d)| crossing(a.vector, b.vector, c.vector, d.vector).is_some())
            });
            if crossed {
                return None;
            }
        }
    }
    Some(polygon)
}

/// A closed ring of at least three distinct places whose edges do not cross, turned counterclockwise.
fn ring(tree: &Tree) -> Option<Vec<Place>> {
    let mut places: Vec<Place> = items(tree)?.iter().map(place).collect::<Option<_>>()?;
    if places.len() < 4 || !places.first()?.same(places.last()?) {
        return None;
    }
    places.pop();
    if ring_crosses(&places) {
        return None;
    }
    if signed_area(&places) < 0.0 {
        // the first place stays the first
        places[1..].reverse();
    }
    Some(places)
}

/// Whether an open ring of places comes to a place twice or crosses itself.
pub fn ring_crosses(places: &[Place]) -> bool {
    let mut sorted: Vec<&Place> = places.iter().collect();
    sorted.sort_by(|a, b| {
        (a.longitude, a.latitude).partial_cmp(&(b.longitude, b.latitude)).unwrap_or(std::cmp::Ordering::Equal)
    });
    if sorted.windows(2).any(|pair| pair[0].same(pair[1])) {
        return true;
    }
    let edges: Vec<(&Place, &Place)> = ring_edges(places).collect();
    if edges.iter().any(|(from, to)| opposite(from, to)) {
        return true;
    }
    let reach: Vec<[f64; 2]> = edges
        .iter()
        .map(|(a, b)| {
            // an edge bulges out of the span between its ends by at most its length
            let bulge = angle(a.vector, b.vector).powi(2);
            let (low, high) = (a.vector[2].min(b.vector[2]), a.vector[2].max(b.vector[2]));
            [low - bulge, high + bulge]
        })
        .collect();
    for (first, (a, b)) in edges.iter().enumerate() {
        for second in first + 2..edges.len() {
            if reach[first][0] > reach[second][1] || reach[second][0] > reach[first][1] {
                continue;
            }
            let (c, d) = edges[second];
            if crossing(a.vector, b.vector, c.vector, d.vector).is_some() {
                return true;
            }
        }
    }
    false
}

/// The lines of a value.
pub fn lines_of(value: &Value<'_>) -> Option<Vec<Line>> {
    match &*shape_of(value)? {
        Shape::Lines(lines) => Some(lines.clone()),
        Shape::Polygons(_) => None,
    }
}

pub fn point_json(place: &Place) -> String {
    let mut out = String::from(r#"{"type":"Point","coordinates":"#);
    write_place(&mut out, place);
    out.push('}');
    out
}

pub fn write_place(out: &mut String, place: &Place) {
    // writing to a string does not fail
    let _ = write!(out, "[{},{}]", place.longitude, place.latitude);
}

fn write_list<T>(out: &mut String, items: &[T], one: impl Fn(&mut String, &T)) {
    out.push('[');
    for (place, item) in items.iter().enumerate() {
        if place > 0 {
            out.push(',');
        }
        one(out, item);
    }
    out.push(']');
}

fn write_ring(out: &mut String, ring: &[Place], hole: bool) {
    let mut ring = ring.to_vec();
    ring.extend(ring.first().copied());
    if hole {
        ring.reverse();
    }
    write_list(out, &ring, write_place);
}

fn write_polygon(out: &mut String, polygon: &Polygon) {
    let rings: Vec<(bool, &Vec<Place>)> = polygon.rings().enumerate().map(|(place, ring)| (place > 0, ring)).collect();
    write_list(out, &rings, |out, (hole, ring)| write_ring(out, ring, *hole));
}

/// One line, several lines, or a collection of nothing.
pub fn lines_json(lines: &[Line]) -> String {
    let mut out = String::new();
    match lines {
        [] => return EMPTY.to_owned(),
        [line] => {
            out.push_str(r#"{"type":"LineString","coordinates":"#);
            write_list(&mut out, line, write_place);
        }
        lines => {
            out.push_str(r#"{"type":"MultiLineString","coordinates":"#);
            write_list(&mut out, lines, |out, line| {
                write_list(out, line, write_place);
            });
        }
    }
    out.push('}');
    out
}

/// One polygon, several polygons, or a collection of nothing.
pub fn polygons_json(polygons: &[Polygon]) -> String {
    let mut out = String::new();
    match polygons {
        [] => return EMPTY.to_owned(),
        [polygon] => {
            out.push_str(r#"{"type":"Polygon","coordinates":"#);
            write_polygon(&mut out, polygon);
        }
        polygons => {
            out.push_str(r#"{"type":"MultiPolygon","coordinates":"#);
            write_list(&mut out, polygons, write_polygon);
        }
    }
    out.push('}');
    out
}

/// What functions give where shapes have nothing in common.
pub const EMPTY: &str = r#"{"type":"GeometryCollection","geometries":[]}"#;

/// Points, lines and polygons together: the one there is, or a collection of them.
pub fn collection_json(points: &[Place], lines: &[Line], polygons: &[Polygon]) -> String {
    let mut parts = Vec::new();
    match points {
        [] => {}
        [point] => parts.push(point_json(point)),
        points => {
            let mut out = String::from(r#"{"type":"MultiPoint","coordinates":"#);
            write_list(&mut out, points, write_place);
            out.push('}');
            parts.push(out);
        }
    }
    if !lines.is_empty() {
        parts.push(lines_json(lines));
    }
    if !polygons.is_empty() {
        parts.push(polygons_json(polygons));
    }
    match parts.len() {
        1 => parts.remove(0),
        _ => format!(r#"{{"type":"GeometryCollection","geometries":[{}]}}"#, parts.join(",")),
    }
}
