//! Functions about the query, its principal, its storage, and graph elements; the scalar names that stand for
//! tables (`table("T")`) are resolved by the analyzer before it looks here.

pub(super) const TABLE: &str = "
column_ifexists|columnifexists(column_name: string, default_value: any) -> special
iscolumnexists(column_name: string) -> bool
column_names_of(table: relation) -> dynamic
current_cluster_endpoint() -> string
current_database() -> string
current_principal() -> string
current_principal_details() -> dynamic
current_principal_is_member_of(group...: string|dynamic) -> bool
current_node_id() -> string
extent_id|extentid() -> guid
extent_tags() -> dynamic
ingestion_time() -> datetime as only_prefix $IngestionTime
cursor_after(cursor: string) -> bool
cursor_before_or_at(cursor: string) -> bool
cursor_current|current_cursor() -> string
rowstore_ordinal_range() -> dynamic
row_id() -> long
estimate_data_size(column...: any) -> long
new_guid() -> guid
cluster(name: string) -> relation
database(name?: string) -> relation
table(name: string, query_data_scope?: string) -> relation
external_table(name: string, mapping?: any) -> relation
materialized_view(name: string, max_age?: timespan) -> relation
entity_group(name: string) -> relation
stored_query_result(name: string, index?: any) -> relation
graph(name: string, snapshot?: any) -> relation
all(pattern_element: any, expression: bool) -> bool
any(pattern_element: any, expression: bool) -> bool
map(pattern_element: any, expression: any) -> dynamic
inner_nodes(edge: any) -> dynamic
node_degree_in(node?: any) -> long
node_degree_out(node?: any) -> long
node_id(node?: any) -> string
labels(pattern_element?: any) -> dynamic
";
