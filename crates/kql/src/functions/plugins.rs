//! The plugins of `evaluate` (reference: "Plugins"). The return type says which columns come out:
//! `columns(…)` are fixed, `input(…)` is the input's columns and then these, `open` is known only when the query
//! runs, `special` is computed by the analyzer.

pub(super) const TABLE: &str = "
active_users_count(id: column, timeline: column, start: any, end: any, lookback: any, period: any, active_periods: long, bin: any, dimension?...: column) -> special
activity_counts_metrics(id: column, timeline: column, start: any, end: any, step: any, dimension?...: column) -> special
activity_engagement(id: column, timeline: column, start: any, end: any, inner_window: any, outer_window: any, dimension?...: column) -> special
activity_metrics(id: column, timeline: column, start: any, end: any, step: any, dimension?...: column) -> special
new_activity_metrics(id: column, timeline: column, start: any, end: any, step: any, argument?...: any) -> special
session_count(id: column, timeline: column, start: any, end: any, bin: any, lookback: any, dimension?...: column) -> special
sliding_window_counts(id: column, timeline: column, start: any, end: any, lookback: any, bin: any, dimension?...: column) -> special
funnel_sequence(id: column, timeline: column, start: any, end: any, max_step: any, step: any, state: column, sequence: dynamic) -> special
funnel_sequence_completion(id: column, timeline: column, start: any, end: any, step: any, state: column, sequence: dynamic, windows: dynamic) -> special
sequence_detect(timeline: column, max_step: any, max_span: any, expression...: any) -> special
rolling_percentile(value: column, percentile: number, index: column, bin: any, bins_per_window: long, dimension?...: column) -> special
rows_near(condition: bool, rows: long, rows_after?: long) -> special
dcount_intersect(hll...: dynamic) -> special
autocluster(argument?...: any) -> special
basket(argument?...: any) -> special
diffpatterns(split: column, value_a: any, value_b: any, argument?...: any) -> special
bag_unpack(column: dynamic, argument?...: any) -> open
pivot(column: column, argument?...: any) -> open
narrow() -> columns(Row: long, Column: string, Value: string)
preview(rows: long) -> special
identity(argument?...: any) -> special
identity_v3(argument?...: any) -> special
estimate_rows_count() -> columns(EstimatedRowsCount: long)
schema_merge(argument?...: any) -> columns(ColumnName: string, ColumnOrdinal: long, DataType: string, ColumnType: string)
ipv4_lookup(table: relation, key: column, network: column, argument?...: any) -> special
ipv6_lookup(table: relation, key: column, network: column, argument?...: any) -> special
geo_line_lookup(table: relation, line: column, longitude: column, latitude: column, radius: real, argument?...: any) -> special
geo_polygon_lookup(table: relation, polygon: column, longitude: column, latitude: column, argument?...: any) -> special
ai_chat_completion(argument?...: any) -> open
ai_chat_completion_prompt(argument?...: any) -> open
ai_embed_text(argument?...: any) -> open
ai_embeddings(argument?...: any) -> open
azure_digital_twins_query_request(argument?...: any) -> open
cosmosdb_sql_request(argument?...: any) -> open
csharp(argument?...: any) -> open
dax_request(argument?...: any) -> open
execute_query(argument?...: any) -> open
execute_show_command(argument?...: any) -> open
external_datatable(argument?...: any) -> open
http_request(uri: string, argument?...: any) -> columns(ResponseHeaders: dynamic, ResponseBody: dynamic)
http_request_post(uri: string, argument?...: any) -> columns(ResponseHeaders: dynamic, ResponseBody: dynamic)
infer_storage_schema(argument?...: any) -> columns(CslSchema: string)
infer_storage_schema_with_suggestions(argument?...: any) -> columns(CslSchema: string)
mysql_request(argument?...: any) -> open
postgresql_request(argument?...: any) -> open
sql_request(argument?...: any) -> open
python(argument?...: any) -> open
r(argument?...: any) -> open
";
