//! Angles, distances, lengths and areas, and whether a place is within a circle or a polygon.

use std::f64::consts::{PI, TAU};

use geographiclib_rs::{Geodesic, InverseGeodesic};
use watchkeeper_kql::Type;

use super::overlay::{union_of_lines, union_of_polygons};
use super::shape::{Line, Polygon, Shape, lines_of, point_json, shape_of};
use super::sphere::{
    EARTH_RADIUS, Place, Vector, along, angle, closest_on_edge, compass, dot, length, near, normal, normalized, plus,
    times,
};
use super::{number, place_of};
use crate::functions::frame::{Function, Returns, Value};

const REAL: Returns = Returns::Always(Type::Real);
const BOOL: Returns = Returns::Always(Type::Bool);
const DYNAMIC: Returns = Returns::Always(Type::Dynamic);

pub const FUNCTIONS: &[Function] = &[
    Function::row("geo_angle", 6, 6, REAL, |_, args| real(angle_of(args))),
    Function::row("geo_azimuth", 4, 4, REAL, |_, args| {
        let azimuth = place_of(args, 0).zip(place_of(args, 2));
        real(azimuth.and_then(|(from, to)| azimuth_of(&from, &to)))
    }),
    Function::row("geo_distance_2points", 4, 5, REAL, |_, args| {
        let places = place_of(args, 0).zip(place_of(args, 2));
        real(places.map(|(from, to)| distance(&from, &to, spheroid(args, 4))))
    }),
    Function::row("geo_distance_point_to_line", 3, 3, REAL, |_, args| {
        let found = place_of(args, 0).zip(lines_of(&args[2]));
        real(found.and_then(|(place, lines)| {
            let (_, radians) = closest(edges_of_lines(&lines), &place)?;
            Some(radians * EARTH_RADIUS)
        }))
    }),
    Function::row("geo_distance_point_to_polygon", 3, 3, REAL, |_, args| {
        let found = place_of(args, 0).zip(shape_of(&args[2]));
        real(found.and_then(|(place, shape)| {
            let (_, radians) = closest_in_polygons(polygons(&shape)?, &place)?;
            Some(radians * EARTH_RADIUS)
        }))
    }),
    Function::row("geo_closest_point_on_line", 3, 3, DYNAMIC, |_, args| {
        let found = place_of(args, 0).zip(lines_of(&args[2]));
        point(found.and_then(|(place, lines)| Some(closest(edges_of_lines(&lines), &place)?.0)))
    }),
    Function::row("geo_closest_point_on_polygon", 3, 3, DYNAMIC, |_, args| {
        let found = place_of(args, 0).zip(shape_of(&args[2]));
        point(found.and_then(|(place, shape)| Some(closest_in_polygons(polygons(&shape)?, &place)?.0)))
    }),
    Function::row("geo_point_in_circle", 5, 5, BOOL, |_, args| {
        let places = place_of(args, 0).zip(place_of(args, 2));
        let radius = number(args, 4).filter(|radius| *radius >= 0.0);
        Value::from_option(places.zip(radius), |((place, center), radius)| {
            Value::Bool(angle(place.vector, center.vector) * EARTH_RADIUS <= radius)
        })
    }),
    Function::row("geo_point_in_polygon", 3, 3, BOOL, |_, args| {
        let found = place_of(args, 0).zip(shape_of(&args[2]));
        let within =
            found.and_then(|(place, shape)| Some(polygons(&shape)?.iter().any(|polygon| polygon.holds(place.vector))));
        Value::from_option(within, Value::Bool)
    }),
    Function::row("geo_line_length", 1, 1, REAL, |_, args| {
        real(lines_of(&args[0]).map(|lines| line_length(&union_of_lines(lines)) * EARTH_RADIUS))
    }),
    Function::row("geo_line_centroid", 1, 1, DYNAMIC, |_, args| {
        point(lines_of(&args[0]).and_then(|lines| {
            let lines = union_of_lines(lines);
            let sum = edges_of_lines(&lines).fold([0.0; 3], |sum, (from, to)| {
                let weight = 2.0 * (angle(from.vector, to.vector) / 2.0).sin();
                let middle = normalized(plus(from.vector, to.vector));
                plus(sum, times(middle, weight))
            });
            place_in_direction(sum)
        }))
    }),
    Function::row("geo_line_interpolate_point", 2, 2, DYNAMIC, |_, args| {
        let fraction = number(args, 1).filter(|fraction| (0.0..=1.0).contains(fraction));
        let found = single_line(&args[0]).zip(fraction);
        point(found.and_then(|(line, fraction)| interpolate_line(&line, fraction)))
    }),
    Function::row("geo_line_locate_point", 3, 4, REAL, |_, args| {
        let found = single_line(&args[0]).zip(place_of(args, 1));
        real(found.and_then(|(line, place)| locate(&line, &place, spheroid(args, 3))))
    }),
    Function::row("geo_polygon_area", 1, 1, REAL, |_, args| {
        real(
            united(&args[0])
                .map(|polygons| polygons.iter().map(Polygon::area).sum::<f64>() * EARTH_RADIUS * EARTH_RADIUS),
        )
    }),
    Function::row("geo_polygon_perimeter", 1, 1, REAL, |_, args| {
        real(united(&args[0]).map(|polygons| {
            let radians: f64 =
                polygons.iter().flat_map(Polygon::edges).map(|(from, to)| angle(from.vector, to.vector)).sum();
            radians * EARTH_RADIUS
        }))
    }),
    Function::row("geo_polygon_centroid", 1, 1, DYNAMIC, |_, args| {
        point(united(&args[0]).and_then(|polygons| {
            let mut sum = [0.0; 3];
            for polygon in &polygons {
                sum = plus(sum, moment(&polygon.shell));
                for hole in &polygon.holes {
                    sum = plus(sum, times(moment(hole), -1.0));
                }
            }
            place_in_direction(sum)
        }))
    }),
];

fn real<'a>(value: Option<f64>) -> Value<'a> {
    Value::from_option(value, Value::Real)
}

fn point<'a>(place: Option<Place>) -> Value<'a> {
    Value::from_option(place, |place| Value::dynamic(point_json(&place)))
}

fn spheroid(args: &[Value<'_>], at: usize) -> bool {
    args.get(at)
        .is_some_and(|value| value.as_bool().or_else(|| value.as_i64().map(|number| number != 0)).unwrap_or(false))
}

/// In metres, on the sphere or on the ellipsoid of WGS 84.
fn distance(from: &Place, to: &Place, spheroid: bool) -> f64 {
    if spheroid {
        Geodesic::wgs84().inverse(from.latitude, from.longitude, to.latitude, to.longitude)
    } else {
        angle(from.vector, to.vector) * EARTH_RADIUS
    }
}

/// Clockwise from north, from zero up to a full turn; none where no single direction leads there.
fn azimuth_of(from: &Place, to: &Place) -> Option<f64> {
    let between = angle(from.vector, to.vector);
    if !(1e-12..PI - 1e-12).contains(&between) {
        return None;
    }
    let (east, north) = compass(from.vector);
    let azimuth = dot(to.vector, east).atan2(dot(to.vector, north));
    Some(azimuth.rem_euclid(TAU))
}

/// Clockwise from the way back to the first place to the way to the third, seen from the second.
fn angle_of(args: &[Value<'_>]) -> Option<f64> {
    let (first, second, third) = (place_of(args, 0)?, place_of(args, 2)?, place_of(args, 4)?);
    let angle = azimuth_of(&second, &third)? - azimuth_of(&second, &first)?;
    Some(angle.rem_euclid(TAU))
}

fn polygons(shape: &Shape) -> Option<&[Polygon]> {
    match shape {
        Shape::Polygons(polygons) => Some(polygons),
        Shape::Lines(_) => None,
    }
}

/// The polygons of a value, united where they are several.
fn united(value: &Value<'_>) -> Option<Vec<Polygon>> {
    union_of_polygons(polygons(&*shape_of(value)?)?.to_vec())
}

fn single_line(value: &Value<'_>) -> Option<Line> {
    let mut lines = lines_of(value)?;
    let line = lines.pop()?;
    lines.is_empty().then_some(line)
}

fn edges_of_lines(lines: &[Line]) -> impl Iterator<Item = (&Place, &Place)> {
    lines.iter().flat_map(|line| line.windows(2).map(|pair| (&pair[0], &pair[1])))
}

fn line_length(lines: &[Line]) -> f64 {
    edges_of_lines(lines).map(|(from, to)| angle(from.vector, to.vector)).sum()
}

/// The closest place of the edges and its distance in radians.
fn closest<'p>(edges: impl Iterator<Item = (&'p Place, &'p Place)>, to: &Place) -> Option<(Place, f64)> {
    edges
        .map(|(a, b)| {
            let at = closest_on_edge(a.vector, b.vector, to.vector);
            let place = if near(at, a.vector) {
                *a
            } else if near(at, b.vector) {
                *b
            } else {
                Place::from_vector(at)
            };
            (place, angle(at, to.vector))
        })
        .min_by(|a, b| a.1.total_cmp(&b.1))
}

fn closest_in_polygons(polygons: &[Polygon], to: &Place) -> Option<(Place, f64)> {
    if polygons.iter().any(|polygon| polygon.holds(to.vector)) {
        return Some((*to, 0.0));
    }
    closest(polygons.iter().flat_map(Polygon::edges), to)
}

fn interpolate_line(line: &Line, fraction: f64) -> Option<Place> {
    let mut left = line_length(std::slice::from_ref(line)) * fraction;
    for pair in line.windows(2) {
        let edge = angle(pair[0].vector, pair[1].vector);
        if left <= 0.0 {
            return Some(pair[0]);
        }
        if left < edge {
            let at = along(pair[0].vector, pair[1].vector, left);
            return Some(Place::from_vector(at));
        }
        left -= edge;
    }
    line.last().copied()
}

/// How far along the line its place closest to this one is.
fn locate(line: &Line, to: &Place, spheroid: bool) -> Option<f64> {
    let (mut total, mut before, mut best) = (0.0, 0.0, f64::INFINITY);
    for pair in line.windows(2) {
        let at = closest_on_edge(pair[0].vector, pair[1].vector, to.vector);
        let away = angle(at, to.vector);
        if away < best {
            best = away;
            before = total + distance(&pair[0], &Place::from_vector(at), spheroid);
        }
        total += distance(&pair[0], &pair[1], spheroid);
    }
    (total > 0.0).then(|| (before / total).clamp(0.0, 1.0))
}

/// The sum of all places within a ring, each weighted with its area.
fn moment(ring: &[Place]) -> Vector {
    let sum = super::shape::ring_edges(ring).fold([0.0; 3], |sum, (from, to)| {
        let (a, b) = (from.vector, to.vector);
        plus(sum, times(normal(a, b), angle(a, b)))
    });
    times(sum, 0.5)
}

fn place_in_direction(sum: Vector) -> Option<Place> {
    (length(sum) > 0.0).then(|| Place::from_vector(sum))
}

#[cfg(test)]
mod tests {
    use crate::functions::frame::Value;
    use crate::functions::testing::{dynamic, run, type_of};

    const PARK: &str = concat!(
        r#"{"type":"Polygon","coordinates":[[[-73.9495,40.7969],[-73.95807266235352,40.80068603561921],"#,
        "[-73.98201942443848,40.76825672305777],[-73.97317886352539,40.76455136505513],[-73.9495,40.7969]]]}"
    );
    const LINE: &str = r#"{"type":"LineString","coordinates":[[-73.95796,40.80042],[-73.97317,40.764486]]}"#;

    fn call(name: &str, numbers: &[f64], shape: Option<&str>, shape_first: bool) -> Value<'static> {
        let mut args: Vec<Value<'static>> = numbers.iter().map(|n| Value::Real(*n)).collect();
        if let Some(shape) = shape {
            args.insert(if shape_first { 0 } else { args.len() }, dynamic(shape));
        }
        let types: Vec<_> = args.iter().map(type_of).collect();
        run(name, &types, &args, false)
    }

    fn near(got: &Value<'_>, want: f64) {
        let Value::Real(got) = got else {
            panic!("{got:?} is not a number");
        };
        assert!((got - want).abs() <= 1e-9 * want.abs(), "{got} is not {want}");
    }

    #[test]
    fn angles_and_distances() {
        for (name, numbers, shape, shape_first, want) in [
            ("geo_angle", &[0.0, 10.0, 0.0, 5.0, 3.0, -10.0][..], None, false, 2.94493843406882),
            ("geo_azimuth", &[5.0, 10.0, 10.0, -40.0], None, false, 3.05459939796449),
            ("geo_distance_2points", &[-122.407628, 47.578557, -118.275287, 34.019056], None, false, 1546754.35197381),
            ("geo_line_locate_point", &[-73.965, 40.792], Some(LINE), true, 0.2556013510030755),
            ("geo_polygon_area", &[], Some(PARK), true, 3475207.28346606),
            ("geo_polygon_perimeter", &[], Some(PARK), true, 9930.30149604938),
        ] {
            near(&call(name, numbers, shape, shape_first), want);
        }
        assert_eq!(call("geo_azimuth", &[5.0, 10.0, 5.0, 10.0], None, false), Value::Null);
    }

    #[test]
    fn centroids_and_closest_points() {
        for (name, numbers, shape, shape_first, longitude) in [
            ("geo_line_centroid", &[][..], LINE, true, -73.96556705723094),
            ("geo_line_interpolate_point", &[0.25], LINE, true, -73.96176404321828),
            ("geo_polygon_centroid", &[], PARK, true, -73.9657356899076),
            ("geo_closest_point_on_polygon", &[-73.9839, 40.7705], PARK, false, -73.98120558015393),
        ] {
            let point = call(name, numbers, Some(shape), shape_first);
            let point: serde_json::Value = serde_json::from_str(point.text()).unwrap();
            near(&Value::Real(point["coordinates"][0].as_f64().unwrap()), longitude);
        }
    }

    #[test]
    fn a_place_is_within_a_circle_or_a_polygon() {
        let circle = [-122.143564, 47.535677, -122.100896, 47.527351];
        for (radius, want) in [(3500.0, true), (3000.0, false)] {
            let numbers: Vec<f64> = circle.into_iter().chain([radius]).collect();
            assert_eq!(call("geo_point_in_circle", &numbers, None, false), Value::Bool(want));
        }
        for (numbers, want) in [([-73.96, 40.79], true), ([-73.94, 40.79], false)] {
            assert_eq!(call("geo_point_in_polygon", &numbers, Some(PARK), false), Value::Bool(want));
        }
        let broken = r#"{"type":"Polygon","coordinates":[[[0,0],[10,10],[10,10],[0,0]]]}"#;
        assert_eq!(call("geo_point_in_polygon", &[1.0, 1.0], Some(broken), false), Value::Null);
    }
}
