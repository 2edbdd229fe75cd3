//! Functions over the rows of a serialized relation (reference: "Window functions").

pub(super) const TABLE: &str = "
row_number(starting_index?: long, restart?: bool) -> long
row_cumsum(term: summable, restart?: bool) -> same
row_rank_dense|row_rank(term: any, restart?: bool) -> long
row_rank_min(term: any, restart?: bool) -> long
row_window_session(expr: datetime, max_from_first: timespan, max_between_neighbors: timespan, restart?: bool) -> same
prev(column: any, offset?: long, default_value?: any) -> same
next(column: any, offset?: long, default_value?: any) -> same
";
