//! The sphere that distances, edges and areas are measured on: places as unit vectors, edges as the shorter great
//! circle between two places.

use std::f64::consts::PI;

/// Mean radius of the earth in metres, as S2 has it.
pub const EARTH_RADIUS: f64 = 6_371_010.0;

pub type Vector = [f64; 3];

/// Two places closer than this many radians (a few micrometres on earth) are one.
pub const SAME: f64 = 1e-12;

/// A place on earth: the coordinates as they were given and the unit vector that they mean.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    pub longitude: f64,
    pub latitude: f64,
    pub vector: Vector,
}

impl Place {
    /// None where a coordinate is out of range.
    pub fn new(longitude: f64, latitude: f64) -> Option<Place> {
        let valid = (-180.0..=180.0).contains(&longitude) && (-90.0..=90.0).contains(&latitude);
        valid.then(|| {
            let (sin_longitude, cos_longitude) = longitude.to_radians().sin_cos();
            let (sin_latitude, cos_latitude) = latitude.to_radians().sin_cos();
            Place {
                longitude,
                latitude,
                vector: [cos_latitude * cos_longitude, cos_latitude * sin_longitude, sin_latitude],
            }
        })
    }

    pub fn from_vector(vector: Vector) -> Place {
        let vector = normalized(vector);
        Place {
            longitude: vector[1].atan2(vector[0]).to_degrees(),
            latitude: vector[2].atan2(vector[0].hypot(vector[1])).to_degrees(),
            vector,
        }
    }

    pub fn same(&self, other: &Place) -> bool {
        near(self.vector, other.vector)
    }
}

pub fn near(a: Vector, b: Vector) -> bool {
    let difference = minus(a, b);
    dot(difference, difference) < SAME * SAME
}

pub fn dot(a: Vector, b: Vector) -> f64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

pub fn cross(a: Vector, b: Vector) -> Vector {
    [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
}

pub fn plus(a: Vector, b: Vector) -> Vector {
    [a[0] + b[0], a[1] + b[1], a[2] + b[2]]
}

pub fn minus(a: Vector, b: Vector) -> Vector {
    [a[0] - b[0], a[1] - b[1], a[2] - b[2]]
}

pub fn times(a: Vector, factor: f64) -> Vector {
    [a[0] * factor, a[1] * factor, a[2] * factor]
}

pub fn length(a: Vector) -> f64 {
    dot(a, a).sqrt()
}

/// The unit vector of the same direction; the null vector stays.
pub fn normalized(a: Vector) -> Vector {
    let length = length(a);
    if length == 0.0 { a } else { times(a, 1.0 / length) }
}

/// A vector at right angles to both, exact also where `a` and `b` are close to one another.
pub fn normal(a: Vector, b: Vector) -> Vector {
    normalized(cross(plus(a, b), minus(b, a)))
}

/// The angle between two places, in radians.
pub fn angle(a: Vector, b: Vector) -> f64 {
    length(minus(a, b)).atan2(length(plus(a, b))) * 2.0
}

/// The place at this fraction of the way from `a` to `b`.
pub fn interpolate(a: Vector, b: Vector, fraction: f64) -> Vector {
    along(a, b, angle(a, b) * fraction)
}

/// The place at this many radians from `a` in the direction of `b`.
pub fn along(a: Vector, b: Vector, radians: f64) -> Vector {
    let direction = cross(normal(a, b), a);
    let (sin, cos) = radians.sin_cos();
    normalized(plus(times(a, cos), times(normalized(direction), sin)))
}

/// The two unit vectors to the east and to the north at a place.
pub fn compass(at: Vector) -> (Vector, Vector) {
    let east = if at[0].hypot(at[1]) < 1e-15 { [0.0, 1.0, 0.0] } else { normalized([-at[1], at[0], 0.0]) };
    (east, cross(at, east))
}

/// The place of the edge that is closest to `to`.
pub fn closest_on_edge(a: Vector, b: Vector, to: Vector) -> Vector {
    let edge_normal = normal(a, b);
    let foot = minus(to, times(edge_normal, dot(to, edge_normal)));
    let between = dot(cross(edge_normal, a), foot) > 0.0 && dot(cross(b, edge_normal), foot) > 0.0;
    if between {
        normalized(foot)
    } else if angle(a, to) <= angle(b, to) {
        a
    } else {
        b
    }
}

/// Positive where `c` is to the left of the edge from `a` to `b`, zero within rounding of it.
fn side(edge_normal: Vector, c: Vector) -> f64 {
    let side = dot(edge_normal, c);
    if side.abs() < SAME { 0.0 } else { side }
}

/// Where two edges cross within both of them (not at an end).
pub fn crossing(a: Vector, b: Vector, c: Vector, d: Vector) -> Option<Vector> {
    let (first, second) = (normal(a, b), normal(c, d));
    let (of_c, of_d) = (side(first, c), side(first, d));
    let (of_a, of_b) = (side(second, a), side(second, b));
    if of_c * of_d >= 0.0 || of_a * of_b >= 0.0 {
        return None;
    }
    // a positive combination of c and d lies on their edge; the other pair tells it from its antipode
    let at = plus(times(c, of_d.abs()), times(d, of_c.abs()));
    let across = plus(times(a, of_b.abs()), times(b, of_a.abs()));
    (dot(at, across) > 0.0).then(|| normalized(at))
}

/// Whether the place lies on the edge, its ends included.
pub fn on_edge(a: Vector, b: Vector, place: Vector) -> bool {
    near(closest_on_edge(a, b, place), place)
}

/// The area to the left of a ring on the unit sphere, negative for a clockwise ring of less than half the sphere.
pub fn signed_area(ring: &[Place]) -> f64 {
    let Some((first, rest)) = ring.split_first() else {
        return 0.0;
    };
    let a = first.vector;
    let sum: f64 = rest
        .windows(2)
        .map(|pair| {
            let (b, c) = (pair[0].vector, pair[1].vector);
            let volume = dot(a, cross(minus(b, a), minus(c, a)));
            2.0 * volume.atan2(1.0 + dot(a, b) + dot(b, c) + dot(c, a))
        })
        .sum();
    if sum > 2.0 * PI {
        sum - 4.0 * PI
    } else if sum < -2.0 * PI {
        sum + 4.0 * PI
    } else {
        sum
    }
}

/// Whether a counterclockwise ring holds the place: how often the ring turns around it, seen from there.
pub fn ring_holds(ring: &[Place], place: Vector) -> bool {
    let (east, north) = compass(place);
    let mut turns = 0;
    let Some(last) = ring.last() else {
        return false;
    };
    let mut from = last.vector;
    let mut from_east = dot(from, east);
    for vertex in ring {
        let to = vertex.vector;
        let to_east = dot(to, east);
        if (from_east > 0.0) != (to_east > 0.0) {
            let on_meridian = plus(times(from, to_east.abs()), times(to, from_east.abs()));
            if dot(on_meridian, north) > 0.0 {
                turns += if from_east > 0.0 { 1 } else { -1 };
            }
        }
        (from, from_east) = (to, to_east);
    }
    turns > 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(longitude: f64, latitude: f64) -> Place {
        Place::new(longitude, latitude).unwrap()
    }

    #[test]
    fn an_octant_has_an_eighth_of_the_area_and_holds_its_middle() {
        let octant = [place(0.0, 0.0), place(90.0, 0.0), place(0.0, 90.0)];
        assert!((signed_area(&octant) - PI / 2.0).abs() < 1e-12);
        assert!(ring_holds(&octant, place(45.0, 30.0).vector));
        for (longitude, latitude) in [(45.0, -30.0), (-135.0, -30.0), (135.0, 10.0)] {
            assert!(!ring_holds(&octant, place(longitude, latitude).vector));
        }
        let clockwise: Vec<Place> = octant.into_iter().rev().collect();
        assert!(signed_area(&clockwise) < 0.0);
    }

    #[test]
    fn edges_cross_on_the_near_side_of_the_sphere_only() {
        let (a, b) = (place(-10.0, 0.0).vector, place(10.0, 0.0).vector);
        let at = crossing(a, b, place(0.0, -5.0).vector, place(0.0, 5.0).vector).unwrap();
        assert!(near(at, place(0.0, 0.0).vector));
        let (c, d) = (place(180.0, -5.0).vector, place(180.0, 5.0).vector);
        assert!(crossing(a, b, c, d).is_none());
    }
}
