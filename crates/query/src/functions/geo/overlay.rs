//! Union and intersection of polygons. Polygons go to a plane by the gnomonic projection around their middle, which
//! makes straight lines of geodesics, and come back with their own vertices where they kept them.

use i_overlay::core::fill_rule::FillRule;
use i_overlay::core::overlay_rule::OverlayRule;
use i_overlay::float::overlay::{FloatOverlay, OverlayOptions};

use super::shape::{Polygon, ring_edges};
use super::sphere::{Place, Vector, compass, dot, normalized, plus, times};

pub use super::lines::union_of_lines;

type Flat = [f64; 2];

/// Cosine of the angle from the middle that the plane reaches to.
const REACH: f64 = 0.03;
/// Places of the plane that the overlay does not tell apart, as a share of the extent of all shapes.
const GRAIN: f64 = 1e-8;

/// The plane that touches the sphere in the middle of some polygons.
pub struct Plane {
    middle: Vector,
    east: Vector,
    north: Vector,
    /// Distance within which two places of the plane are one.
    pub grain: f64,
    vertices: Vec<(Flat, Place)>,
}

impl Plane {
    /// None where the polygons do not fit on one side of the sphere.
    pub fn of<'p>(polygons: impl Iterator<Item = &'p Polygon> + Clone) -> Option<Plane> {
        let places = || polygons.clone().flat_map(Polygon::rings).flatten();
        let sum = places().fold([0.0; 3], |sum, place| plus(sum, place.vector));
        let middle = normalized(sum);
        let (east, north) = compass(middle);
        let mut plane = Plane { middle, east, north, grain: 0.0, vertices: Vec::new() };
        let mut extent = 0.0f64;
        for place in places() {
            if dot(place.vector, middle) < REACH {
                return None;
            }
            let flat = plane.flat(place.vector);
            extent = extent.max(flat[0].abs()).max(flat[1].abs());
            plane.vertices.push((flat, *place));
        }
        plane.grain = extent * GRAIN;
        plane.vertices.sort_by(|a, b| a.0[0].total_cmp(&b.0[0]));
        Some(plane)
    }

    fn flat(&self, vector: Vector) -> Flat {
        let depth = dot(vector, self.middle);
        [dot(vector, self.east) / depth, dot(vector, self.north) / depth]
    }

    /// The vertex at this place of the plane, or the place itself.
    fn place(&self, flat: Flat) -> Place {
        let from = self.vertices.partition_point(|(vertex, _)| vertex[0] < flat[0] - self.grain);
        self.vertices[from..]
            .iter()
            .take_while(|(vertex, _)| vertex[0] <= flat[0] + self.grain)
            .find(|(vertex, _)| (vertex[1] - flat[1]).abs() <= self.grain)
            .map_or_else(
                || {
                    let across = plus(times(self.east, flat[0]), times(self.north, flat[1]));
                    Place::from_vector(plus(self.middle, across))
                },
                |(_, place)| *place,
            )
    }

    fn contours(&self, polygons: &[Polygon]) -> Vec<Vec<Flat>> {
        let mut contours = Vec::new();
        for polygon in polygons {
            for (index, ring) in polygon.rings().enumerate() {
                let mut contour: Vec<Flat> = ring.iter().map(|place| self.flat(place.vector)).collect();
                if index > 0 {
                    contour.reverse();
                }
                contours.push(contour);
            }
        }
        contours
    }

    fn overlay(&self, first: &[Polygon], second: &[Polygon], rule: OverlayRule) -> Vec<Polygon> {
        let (first, second) = (self.contours(first), self.contours(second));
        let mut options = OverlayOptions::<f64>::default();
        options.preserve_input_collinear = true;
        options.preserve_output_collinear = true;
        let shapes = FloatOverlay::<Flat, i32>::from_subj_and_clip_custom(&first, &second, options, Default::default())
            .overlay(rule, FillRule::NonZero);
        let inputs: Vec<&Vec<Flat>> = first.iter().chain(&second).collect();
        let mut polygons: Vec<(Option<(usize, usize)>, Polygon)> = shapes
            .into_iter()
            .filter_map(|shape| {
                let mut order = None;
                let mut rings = shape.into_iter().enumerate().filter_map(|(index, contour)| {
                    let (last_edge, contour) = self.turned(contour, &inputs);
                    let mut ring: Vec<Place> = contour.into_iter().map(|flat| self.place(flat)).collect();
                    ring.dedup_by(|next, previous| next.same(previous));
                    if index == 0 {
                        order = last_edge;
                    } else {
                        ring.reverse();
                    }
                    (ring.len() >= 3).then_some(ring)
                });
                let shell = rings.next()?;
                let holes = rings.collect();
                Some((order, Polygon { shell, holes }))
            })
            .collect();
        polygons.sort_by_key(|(order, _)| *order);
        polygons.into_iter().map(|(_, polygon)| polygon).collect()
    }

    /// A contour ends with what is left of the last edge of the shapes that it came from: the number of that edge's
    /// ring and of the edge, and the contour turned that way.
    fn turned(&self, mut contour: Vec<Flat>, inputs: &[&Vec<Flat>]) -> (Option<(usize, usize)>, Vec<Flat>) {
        let count = contour.len();
        let last_edge = inputs.iter().enumerate().rev().find_map(|(index, ring)| {
            (0..ring.len()).rev().find_map(|from| {
                let (a, b) = (ring[from], ring[(from + 1) % ring.len()]);
                (0..count)
                    .filter(|at| {
                        let (c, d) = (contour[*at], contour[(at + 1) % count]);
                        self.within(a, b, c) && self.within(a, b, d)
                    })
                    .max_by(|first, second| {
                        let along = |at: usize| {
                            let at = contour[at];
                            (at[0] - a[0]) * (b[0] - a[0]) + (at[1] - a[1]) * (b[1] - a[1])
                        };
                        along(*first).total_cmp(&along(*second))
                    })
                    .map(|at| ((index, from), at))
            })
        });
        if let Some((_, at)) = last_edge {
            contour.rotate_left((at + 1) % count);
        }
        (last_edge.map(|(edge, _)| edge), contour)
    }

    /// Whether a place of the plane is on the edge from `a` to `b`.
    fn within(&self, a: Flat, b: Flat, place: Flat) -> bool {
        let (edge, way) = ([b[0] - a[0], b[1] - a[1]], [place[0] - a[0], place[1] - a[1]]);
        let length = edge[0].hypot(edge[1]);
        let aside = (edge[0] * way[1] - edge[1] * way[0]) / length;
        let along = (edge[0] * way[0] + edge[1] * way[1]) / length;
        aside.abs() <= self.grain && along >= -self.grain && along <= length + self.grain
    }
}

/// The union of polygons, the two smallest at a time; none where they lie all around the earth.
pub fn union_of_polygons(polygons: Vec<Polygon>) -> Option<Vec<Polygon>> {
    if polygons.len() <= 1 {
        return Some(polygons);
    }
    let plane = Plane::of(polygons.iter())?;
    let mut queue: Vec<(usize, Vec<Polygon>)> =
        polygons.into_iter().map(|polygon| (polygon.rings().map(Vec::len).sum(), vec![polygon])).collect();
    queue.sort_by_key(|(size, _)| *size);
    let mut queue = std::collections::VecDeque::from(queue);
    while let (Some(first), Some(second)) = (queue.pop_front(), queue.pop_front()) {
        let size = first.0 + second.0;
        let union = plane.overlay(&first.1, &second.1, OverlayRule::Union);
        if queue.is_empty() {
            return Some(union);
        }
        let at = queue.partition_point(|(other, _)| *other <= size);
        queue.insert(at, (size, union));
    }
    None
}

/// What two sets of polygons have in common, without single places and lines.
pub fn intersection(first: &[Polygon], second: &[Polygon]) -> Option<(Plane, Vec<Polygon>)> {
    let plane = Plane::of(first.iter().chain(second))?;
    let common = plane.overlay(first, second, OverlayRule::Intersect);
    Some((plane, common))
}

/// The rings of polygons as closed lines.
pub fn outlines(polygons: &[Polygon]) -> Vec<super::shape::Line> {
    polygons
        .iter()
        .flat_map(Polygon::rings)
        .map(|ring| {
            let mut line: Vec<Place> = ring_edges(ring).map(|(from, _)| *from).collect();
            line.extend(ring.first().copied());
            line
        })
        .collect()
}
