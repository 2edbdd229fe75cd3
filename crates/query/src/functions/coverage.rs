//! Which names of the language's table have no function here: the list is exact, so that it shrinks in plain sight.

use watchkeeper_kql::functions;

use super::{is_aggregate_implemented, is_implemented};

/// Scalar functions that are neither bound here nor resolved before a query runs.
const MISSING: &str = include_str!("missing.txt");

/// Names that the analyzer or the planner resolves, so that no function is ever bound for them.
const RESOLVED: &[&str] = &[
    "__cast",
    "__invoke",
    "ago",
    "all",
    "any",
    "bag_pack_columns",
    "cluster",
    "column_ifexists",
    "column_names_of",
    "database",
    "entity_group",
    "external_table",
    "graph",
    "inner_nodes",
    "iscolumnexists",
    "labels",
    "map",
    "materialized_view",
    "node_degree_in",
    "node_degree_out",
    "node_id",
    "now",
    "stored_query_result",
    "table",
];

#[test]
fn the_functions_that_are_missing_are_exactly_these() {
    let scalars = functions::scalars()
        .filter(|signature| !functions::is_window(signature.name))
        .filter(|signature| !RESOLVED.contains(&signature.name))
        .flat_map(|signature| std::iter::once(signature.name).chain(signature.aliases.clone()))
        .filter(|name| !is_implemented(name));
    let aggregates = functions::aggregates()
        .flat_map(|signature| std::iter::once(signature.name).chain(signature.aliases.clone()))
        .filter(|name| !is_aggregate_implemented(name))
        .map(|name| format!("aggregate {name}"));
    let mut missing: Vec<String> = scalars.map(str::to_owned).chain(aggregates).collect();
    missing.sort();
    let listed: Vec<&str> = MISSING.lines().filter(|line| !line.is_empty()).collect();
    assert_eq!(missing, listed, "missing.txt should read:\n{}", missing.join("\n"));
}
