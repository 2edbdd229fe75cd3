//! Whether lines and polygons meet, what they have in common, and unions of many.

use watchkeeper_kql::Type;

use super::lines::{clipped, on_lines, union_of_lines};
use super::overlay::{intersection, outlines, union_of_polygons};
use super::shape::{Line, Polygon, Shape, collection_json, lines_json, lines_of, polygons_json, read, shape_of};
use super::sphere::{Place, Vector, angle, closest_on_edge};
use crate::functions::frame::{Function, Returns, Value, json};

const BOOL: Returns = Returns::Always(Type::Bool);
const DYNAMIC: Returns = Returns::Always(Type::Dynamic);

pub const FUNCTIONS: &[Function] = &[
    Function::row("geo_intersects_2lines", 2, 2, BOOL, |_, args| met(common_of_lines(args))),
    Function::row("geo_intersection_2lines", 2, 2, DYNAMIC, |_, args| common(common_of_lines(args))),
    Function::row("geo_intersects_line_with_polygon", 2, 2, BOOL, |_, args| met(common_of_line_and_polygon(args))),
    Function::row("geo_intersection_line_with_polygon", 2, 2, DYNAMIC, |_, args| {
        common(common_of_line_and_polygon(args))
    }),
    Function::row("geo_intersects_2polygons", 2, 2, BOOL, |_, args| met(common_of_polygons(args))),
    Function::row("geo_intersection_2polygons", 2, 2, DYNAMIC, |_, args| common(common_of_polygons(args))),
    Function::row("geo_union_lines_array", 1, 1, DYNAMIC, |_, args| {
        let lines = shapes_of(&args[0]).and_then(|shapes| {
            let mut all = Vec::new();
            for shape in shapes {
                match shape {
                    Shape::Lines(lines) => all.extend(lines),
                    Shape::Polygons(_) => return None,
                }
            }
            Some(all)
        });
        Value::from_option(lines, |lines| Value::dynamic(lines_json(&union_of_lines(lines))))
    }),
    Function::row("geo_union_polygons_array", 1, 1, DYNAMIC, |_, args| {
        let union = polygons_of_array(&args[0]).and_then(union_of_polygons);
        Value::from_option(union, |union| Value::dynamic(polygons_json(&union)))
    }),
];

/// What two shapes share.
struct Common {
    places: Vec<Place>,
    lines: Vec<Line>,
    polygons: Vec<Polygon>,
}

fn met<'a>(common: Option<Common>) -> Value<'a> {
    Value::from_option(common, |common| {
        Value::Bool(!(common.places.is_empty() && common.lines.is_empty() && common.polygons.is_empty()))
    })
}

fn common<'a>(common: Option<Common>) -> Value<'a> {
    Value::from_option(common, |common| {
        Value::dynamic(collection_json(&common.places, &common.lines, &common.polygons))
    })
}

fn shapes_of(value: &Value<'_>) -> Option<Vec<Shape>> {
    json::array_of(value)?.iter().map(read).collect()
}

/// All polygons of an array of polygons and multipolygons; none where one of them is invalid.
pub fn polygons_of_array(value: &Value<'_>) -> Option<Vec<Polygon>> {
    let mut all = Vec::new();
    for shape in shapes_of(value)? {
        match shape {
            Shape::Polygons(polygons) => all.extend(polygons),
            Shape::Lines(_) => return None,
        }
    }
    (!all.is_empty()).then_some(all)
}

/// The polygons of a value.
pub fn polygons_of(value: &Value<'_>) -> Option<Vec<Polygon>> {
    match &*shape_of(value)? {
        Shape::Polygons(polygons) => Some(polygons.clone()),
        Shape::Lines(_) => None,
    }
}

fn common_of_lines(args: &[Value<'_>]) -> Option<Common> {
    let (first, second) = (lines_of(&args[0])?, lines_of(&args[1])?);
    let (places, lines) = clipped(&first, &second, |place| on_lines(&second, place));
    Some(Common { places, lines, polygons: Vec::new() })
}

fn common_of_line_and_polygon(args: &[Value<'_>]) -> Option<Common> {
    let (lines, polygons) = (lines_of(&args[0])?, polygons_of(&args[1])?);
    let (places, lines) =
        clipped(&lines, &outlines(&polygons), |place| polygons.iter().any(|polygon| polygon.touches(place)));
    Some(Common { places, lines, polygons: Vec::new() })
}

fn common_of_polygons(args: &[Value<'_>]) -> Option<Common> {
    let first = union_of_polygons(polygons_of(&args[0])?)?;
    let second = union_of_polygons(polygons_of(&args[1])?)?;
    let Some((plane, polygons)) = intersection(&first, &second) else {
        // polygons that are too far apart for one plane have nothing in common
        let apart = !first
            .iter()
            .any(|one| one.shell.iter().any(|place| second.iter().any(|other| other.touches(place.vector))));
        return apart.then(|| Common { places: Vec::new(), lines: Vec::new(), polygons: Vec::new() });
    };
    // polygons may also touch in a place or along an edge where their insides have nothing in common
    let (first_lines, second_lines) = (outlines(&first), outlines(&second));
    let (mut places, mut lines) = clipped(&first_lines, &second_lines, |place| on_lines(&second_lines, place));
    let inside = |place: Vector| {
        polygons.iter().any(|polygon| {
            polygon.holds(place)
                || polygon.edges().any(|(from, to)| {
                    let closest = closest_on_edge(from.vector, to.vector, place);
                    angle(closest, place) <= 4.0 * plane.grain
                })
        })
    };
    places.retain(|place| !inside(place.vector));
    lines.retain(|line| !line.iter().all(|place| inside(place.vector)));
    Some(Common { places, lines, polygons })
}

#[cfg(test)]
mod tests {
    use serde_json::Value as Tree;

    use crate::functions::frame::Value;
    use crate::functions::testing::{dynamic, run, type_of};

    fn call(name: &str, shapes: &[&str]) -> Value<'static> {
        let args: Vec<Value<'static>> = shapes.iter().map(|shape| dynamic(shape)).collect();
        let types: Vec<_> = args.iter().map(type_of).collect();
        run(name, &types, &args, false)
    }

    fn line(coordinates: &str) -> String {
        format!(r#"{{"type":"LineString","coordinates":{coordinates}}}"#)
    }

    fn polygon(coordinates: &str) -> String {
        format!(r#"{{"type":"Polygon","coordinates":[{coordinates}]}}"#)
    }

    /// The same structure, numbers within a hundred-millionth of one another.
    fn same(got: &Tree, want: &Tree) -> bool {
        match (got, want) {
            (Tree::Number(got), Tree::Number(want)) => {
                let (got, want) = (got.as_f64().unwrap(), want.as_f64().unwrap());
                (got - want).abs() < 1e-8 * want.abs()
            }
            (Tree::Array(got), Tree::Array(want)) => {
                got.len() == want.len() && got.iter().zip(want).all(|(got, want)| same(got, want))
            }
            (Tree::Object(got), Tree::Object(want)) => {
                got.len() == want.len()
                    && want.iter().all(|(key, want)| got.get(key).is_some_and(|got| same(got, want)))
            }
            _ => got == want,
        }
    }

    fn check(name: &str, shapes: &[&str], want: &str) {
        let got = call(name, shapes);
        let tree: Tree = serde_json::from_str(got.text()).unwrap();
        let want: Tree = serde_json::from_str(want).unwrap();
        assert!(same(&tree, &want), "{name}\n got  {tree}\n want {want}");
    }

    #[test]
    fn lines_meet_in_places_and_stretches() {
        let (first, second) = (
            line("[[-73.978929,40.785155],[-73.980903,40.782621]]"),
            line("[[-73.985195,40.788275],[-73.974552,40.779761]]"),
        );
        check(
            "geo_intersection_2lines",
            &[&first, &second],
            r#"{"type":"Point","coordinates":[-73.979837116670978,40.783989289772165]}"#,
        );
        check("geo_intersection_2lines", &[&first, &first], &first);
        let apart = line("[[3,3],[4,4]]");
        check("geo_intersection_2lines", &[&first, &apart], r#"{"type":"GeometryCollection","geometries":[]}"#);
        let polygon = polygon(
            "[[-73.9712905883789,40.78580561168767],[-73.98004531860352,40.775276834803655],[-73.97000312805176,40.77852663535664],[-73.9712905883789,40.78580561168767]]",
        );
        check(
            "geo_intersection_line_with_polygon",
            &[&second, &polygon],
            &line("[[-73.975611956578192,40.78060906714618],[-73.974552,40.779761]]"),
        );
        assert_eq!(call("geo_intersects_line_with_polygon", &[&apart, &polygon]), Value::Bool(false));
    }

    #[test]
    fn polygons_meet_in_places_and_areas() {
        let first = polygon("[[2,45],[0,45],[1,44],[2,45]]");
        check(
            "geo_intersection_2polygons",
            &[&first, &polygon("[[3,44],[2,45],[2,43],[3,44]]")],
            r#"{"type":"Point","coordinates":[2,45]}"#,
        );
        let several = concat!(
            r#"{"type":"MultiPolygon","coordinates":[[[[3,44],[2,45],[2,43],[3,44]]],"#,
            "[[[1.192,45.265],[1.005,44.943],[1.356,44.937],[1.192,45.265]]]]}"
        );
        check(
            "geo_intersection_2polygons",
            &[&first, several],
            concat!(
                r#"{"type":"GeometryCollection","geometries":[{"type":"Point","coordinates":[2,45]},"#,
                r#"{"type":"Polygon","coordinates":[[[1.3227075526410679,45.003909145068739],"#,
                "[1.0404565374899824,45.004356403066552],[1.005,44.943],[1.356,44.937],",
                "[1.3227075526410679,45.003909145068739]]]}]}"
            ),
        );
    }

    #[test]
    fn unions_keep_the_vertices_of_their_parts() {
        check(
            "geo_union_lines_array",
            &[&format!("[{},{}]", line("[[1,1],[2,2],[3,2]]"), line("[[2,2],[3,2],[4,1]]"))],
            &line("[[1,1],[2,2],[3,2],[4,1]]"),
        );
        let parts = [
            "[[-73.9495,40.7969],[-73.95807,40.80068],[-73.98201,40.76825],[-73.97317,40.76455],[-73.9495,40.7969]]",
            "[[-73.94622,40.79249],[-73.96888,40.79282],[-73.9577,40.7789],[-73.94622,40.79249]]",
            "[[-73.97335,40.77274],[-73.9936,40.76630],[-73.97171,40.75655],[-73.97335,40.77274]]",
        ]
        .map(polygon)
        .join(",");
        check(
            "geo_union_polygons_array",
            &[&format!("[{parts}]")],
            &polygon(concat!(
                "[[-73.972599326729608,40.765330371902991],[-73.960302383706178,40.782140794645024],",
                "[-73.9577,40.7789],[-73.94622,40.79249],[-73.9526593223173,40.792584227716468],",
                "[-73.9495,40.7969],[-73.95807,40.80068],[-73.9639277517478,40.792748258673875],",
                "[-73.96888,40.792819999999992],[-73.9662719791645,40.7895734224338],",
                "[-73.9803360309571,40.770518810606404],[-73.9936,40.7663],[-73.97171,40.756550000000004],",
                "[-73.972599326729608,40.765330371902991]]"
            )),
        );
    }
}
