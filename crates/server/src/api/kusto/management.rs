//! The management commands that clients send: what there is (`.show …`), and `.cancel query`.

use serde_json::{Map, Value, json};
use watchkeeper_authorization::{Action, Scope};
use watchkeeper_kql::typed::TableSource;
use watchkeeper_kql::{Column, StoredFunction, Ticks, Type};
use watchkeeper_query::shape;
use watchkeeper_state::SavedQuery;

use super::answer::Answer;
use super::command::Command;
use super::errors::Failure;
use super::{Endpoint, Work};
use crate::api::log_analytics::clock;
use crate::queries::{Entry, Functions};

/// The name of the command's table in the query of the operators that follow it; shorter than any command.
const COMMAND_TABLE: &str = "_c";

const TABLES: [(&str, Type); 4] = [
    ("TableName", Type::String),
    ("DatabaseName", Type::String),
    ("Folder", Type::String),
    ("DocString", Type::String),
];
const TABLE_SCHEMA: [(&str, Type); 5] = [
    ("TableName", Type::String),
    ("Schema", Type::String),
    ("DatabaseName", Type::String),
    ("Folder", Type::String),
    ("DocString", Type::String),
];
const FUNCTIONS: [(&str, Type); 5] = [
    ("Name", Type::String),
    ("Parameters", Type::String),
    ("Body", Type::String),
    ("Folder", Type::String),
    ("DocString", Type::String),
];

/// A table of the database.
struct Table {
    name: String,
    columns: Vec<Column>,
}

impl Work<'_> {
    /// Runs a command, and the operators after it.
    pub(super) async fn manage(&self, text: &str) -> Result<Vec<u8>, Failure> {
        let command = Command::read(text);
        let answer = self.command(&command).await?;
        let Some(pipe) = command.pipe else { return Ok(answer.to_json()) };
        // blanks keep every place of the rest where it is in the text of the request
        let blanks = text[..pipe]
            .chars()
            .map(|letter| if letter == '\n' { "\n".to_owned() } else { " ".repeat(letter.len_utf8()) });
        let mut query: String = blanks.collect();
        let start = text.len() - text.trim_start().len();
        query.replace_range(start..start + COMMAND_TABLE.len(), COMMAND_TABLE);
        query.push_str(&text[pipe..]);
        let table = StoredFunction { parameters: String::new(), body: answer.to_kql() };
        self.query(&query, Functions::from([(COMMAND_TABLE.to_owned(), table)]), Endpoint::Management).await
    }

    async fn command(&self, command: &Command) -> Result<Answer, Failure> {
        let words: Vec<&str> = command.lower.iter().map(String::as_str).collect();
        let named = |at: usize| command.words.get(at).map(String::as_str).unwrap_or_default();
        match words.as_slice() {
            [".show", "databases", ..] | [".show", "database"] | [".show", "database", _, "details"]
                if !words.contains(&"schema") =>
            {
                Ok(self.databases())
            }
            [".show", "tables"] => Ok(self.show_tables(&self.tables())),
            [".show", "tables", "details"] => self.details(&self.tables()).await,
            [".show", "tables", "schema", ..] => Ok(self.schema_rows(&self.tables())),
            [".show", "tables", "(", ..] => {
                let tables = self.listed(&command.words[3..])?;
                match words.last() {
                    Some(&"details") => self.details(&tables).await,
                    _ => Ok(self.show_tables(&tables)),
                }
            }
            [".show", "table", _] => self.columns(named(2)),
            [".show", "table", _, "details"] => self.details(&[self.table(named(2))?]).await,
            [".show", "table", _, "cslschema"] | [".show", "table", _, "schema", "as", "csl"] => {
                let table = self.table(named(2))?;
                Ok(self.table_schema(&table, csl_schema(&table.columns)))
            }
            [".show", "table", _, "schema", "as", "json"] => {
                let table = self.table(named(2))?;
                Ok(self.table_schema(&table, table_json(&table).to_string()))
            }
            [".show", "table", _, "schema"] => Ok(self.schema_rows(&[self.table(named(2))?])),
            [".show", "schema" | "databases" | "database", .., "as", "json"] if words.contains(&"schema") => {
                self.check_databases(command)?;
                let column = if words[1] == "schema" { "ClusterSchema" } else { "DatabaseSchema" };
                let schema = self.schema_json().await?;
                Ok(Answer::new(&[(column, Type::String)], vec![vec![json!(schema.to_string())]]))
            }
            [".show", "schema"] | [".show", "databases" | "database", .., "schema" | "details"]
                if words.contains(&"schema") =>
            {
                self.check_databases(command)?;
                Ok(self.schema_rows(&self.tables()))
            }
            [".show", "functions"] => Ok(self.show_functions(&self.saved_functions().await?)),
            [".show", "function", _] => {
                let mut functions = self.saved_functions().await?;
                functions.retain(|function| function.function_alias == named(2));
                match functions.is_empty() {
                    true => Err(Failure::no_entity("Function", named(2))),
                    false => Ok(self.show_functions(&functions)),
                }
            }
            [".show", "version"] => Ok(version()),
            [".show", "cluster"] => Ok(self.cluster()),
            [".show", "principal", "roles" | "access", ..] | [".show", "database", .., "principal", "roles"] => {
                Ok(self.roles())
            }
            [".show", "running", "queries", ..] => Ok(self.show_queries(self.app.queries.journal().running())),
            [".show", "queries"] => {
                let mut all = self.app.queries.journal().ended();
                all.extend(self.app.queries.journal().running());
                Ok(self.show_queries(all))
            }
            [".cancel", "query", _, ..] => Ok(self.cancel(named(2))),
            _ => Err(Failure::bad_request(format!(
                "the command {:?} is not one of this server's: .show databases, tables [details], table T \
                 [cslschema | schema as json | details], schema [as json], database schema [as json], functions, \
                 function F, version, cluster, principal roles, queries, running queries; .cancel query \"ID\"",
                command.words.join(" ")
            ))),
        }
    }

    fn tables(&self) -> Vec<Table> {
        let tables = self.app.queries.tables();
        let (mut names, readable) = (tables.names(), self.readable());
        names.retain(|name| readable.has(name));
        names.sort();
        let described = names.into_iter().filter_map(|name| {
            let schema = tables.schema(&TableSource::Local, &name)?;
            Some(Table { name, columns: schema.columns })
        });
        described.collect()
    }

    fn table(&self, name: &str) -> Result<Table, Failure> {
        let schema = self.app.queries.tables().schema(&TableSource::Local, name);
        let schema = schema.filter(|_| self.readable().has(name));
        let schema = schema.ok_or_else(|| Failure::no_entity("Table", name))?;
        Ok(Table { name: name.to_owned(), columns: schema.columns })
    }

    /// The tables of `A, B)`.
    fn listed(&self, words: &[String]) -> Result<Vec<Table>, Failure> {
        let names = words.iter().take_while(|word| *word != ")").filter(|word| *word != ",");
        names.map(|name| self.table(name)).collect()
    }

    /// A command may name databases; the only one there is is the request's.
    fn check_databases(&self, command: &Command) -> Result<(), Failure> {
        let names = command.words.iter().zip(&command.lower).skip(2);
        for (name, lower) in names {
            let known = ["(", ")", ",", "schema", "as", "json", "details"].contains(&lower.as_str());
            let ours = [&self.database.id, &self.database.name].iter().any(|ours| ours.eq_ignore_ascii_case(name));
            if !known && !ours {
                return Err(Failure::no_database(name));
            }
        }
        Ok(())
    }

    fn databases(&self) -> Answer {
        let columns = [
            ("DatabaseName", Type::String),
            ("PersistentStorage", Type::String),
            ("Version", Type::String),
            ("IsCurrent", Type::Bool),
            ("DatabaseAccessMode", Type::String),
            ("PrettyName", Type::String),
            ("ReservedSlot1", Type::Bool),
            ("DatabaseId", Type::Guid),
            ("InTransitionTo", Type::String),
            ("SuspensionState", Type::String),
        ];
        let row = vec![
            json!(self.database.name),
            json!(""),
            json!("v1.0"),
            json!(true),
            json!("ReadWrite"),
            json!(self.database.name),
            Value::Null,
            json!(self.database.id),
            json!(""),
            json!(""),
        ];
        Answer::new(&columns, vec![row])
    }

    fn show_tables(&self, tables: &[Table]) -> Answer {
        let row = |table: &Table| vec![json!(table.name), json!(self.database.name), json!(""), json!("")];
        Answer::new(&TABLES, tables.iter().map(row).collect())
    }

    /// The tables with the number of their rows and the range of their times.
    async fn details(&self, tables: &[Table]) -> Result<Answer, Failure> {
        let mut columns = TABLES.to_vec();
        columns.extend([("TotalRowCount", Type::Long), ("MinTime", Type::Datetime), ("MaxTime", Type::Datetime)]);
        let mut rows = Vec::new();
        for table in tables {
            let name = entity(&table.name);
            let timed = table.columns.iter().any(|column| column.name == "TimeGenerated");
            let times = if timed { "min(TimeGenerated), max(TimeGenerated)" } else { "datetime(null), datetime(null)" };
            let text = format!("{name} | summarize n = count(), {times}");
            let response = self.app.queries.run(self.asked(&text, Functions::new())).await;
            let response = response.map_err(|error| Failure::of_query(&text, &error))?;
            let mut row = vec![json!(table.name), json!(self.database.name), json!(""), json!("")];
            let result = response.tables.first();
            let batch = result.and_then(|result| result.batches.first().filter(|batch| batch.num_rows() > 0));
            for at in 0..3 {
                let Some((batch, result)) = batch.zip(result) else {
                    row.push(if at == 0 { json!(0) } else { Value::Null });
                    continue;
                };
                let mut cell = Vec::new();
                let ty = result.schema.columns[at].ty;
                shape::write_cell(&mut cell, batch.column(at), 0, ty, shape::cell::Style::DynamicAsText);
                row.push(serde_json::from_slice(&cell).unwrap_or(Value::Null));
            }
            rows.push(row);
        }
        Ok(Answer { columns, rows })
    }

    fn columns(&self, name: &str) -> Result<Answer, Failure> {
        let row = |column: &Column| vec![json!(column.name), json!(clr_name(column.ty)), json!(column.ty.name())];
        let columns = [("AttributeName", Type::String), ("AttributeType", Type::String), ("ColumnType", Type::String)];
        Ok(Answer::new(&columns, self.table(name)?.columns.iter().map(row).collect()))
    }

    fn table_schema(&self, table: &Table, schema: String) -> Answer {
        let row = vec![json!(table.name), json!(schema), json!(self.database.name), json!(""), json!("")];
        Answer::new(&TABLE_SCHEMA, vec![row])
    }

    /// One row for the database, each table and each column.
    fn schema_rows(&self, tables: &[Table]) -> Answer {
        let columns = [
            ("DatabaseName", Type::String),
            ("TableName", Type::String),
            ("ColumnName", Type::String),
            ("ColumnType", Type::String),
            ("IsDefaultTable", Type::Bool),
            ("IsDefaultColumn", Type::Bool),
            ("PrettyName", Type::String),
            ("Version", Type::String),
            ("Folder", Type::String),
            ("DocString", Type::String),
        ];
        let row = |table: &str, column: &str, ty: &str| {
            let (database, empty, no) = (json!(self.database.name), json!(""), json!(false));
            let version = if table.is_empty() { json!("v1.0") } else { empty.clone() };
            let names = [database, json!(table), json!(column), json!(ty), no.clone(), no];
            names.into_iter().chain([empty.clone(), version, empty.clone(), empty]).collect()
        };
        let mut rows = vec![row("", "", "")];
        for table in tables {
            rows.push(row(&table.name, "", ""));
            rows.extend(table.columns.iter().map(|column| row(&table.name, &column.name, clr_name(column.ty))));
        }
        Answer::new(&columns, rows)
    }

    async fn schema_json(&self) -> Result<Value, Failure> {
        let tables: Map<String, Value> =
            self.tables().iter().map(|table| (table.name.clone(), table_json(table))).collect();
        let functions = self.saved_functions().await?;
        let functions: Map<String, Value> = functions
            .iter()
            .map(|function| {
                let described = json!({
                    "Name": function.function_alias,
                    "InputParameters": parameters_json(&function.function_parameters),
                    "Body": format!("{{ {} }}", function.query),
                    "Folder": function.category,
                    "DocString": function.name,
                    "FunctionKind": "Unknown",
                    "OutputColumns": [],
                });
                (function.function_alias.clone(), described)
            })
            .collect();
        let name = &self.database.name;
        Ok(json!({
            "Plugins": [],
            "Databases": {
                name: {
                    "Name": name, "Tables": tables, "ExternalTables": {}, "MaterializedViews": {},
                    "EntityGroups": {}, "MajorVersion": 1, "MinorVersion": 0, "Functions": functions,
                    "DatabaseAccessMode": "ReadWrite", "PrettyName": name,
                },
            },
        }))
    }

    async fn saved_functions(&self) -> Result<Vec<SavedQuery>, Failure> {
        if !self.readable().is_all() {
            return Ok(Vec::new());
        }
        let saved = self.app.state.saved_queries(&self.database.id).await;
        let saved = saved.map_err(|error| self.state_failed(&error))?;
        Ok(saved.into_iter().filter(|saved| !saved.function_alias.is_empty()).collect())
    }

    fn show_functions(&self, functions: &[SavedQuery]) -> Answer {
        let row = |function: &SavedQuery| {
            vec![
                json!(function.function_alias),
                json!(format!("({})", function.function_parameters.trim_matches(['(', ')']))),
                json!(format!("{{ {} }}", function.query)),
                json!(function.category),
                json!(function.name),
            ]
        };
        Answer::new(&FUNCTIONS, functions.iter().map(row).collect())
    }

    fn cluster(&self) -> Answer {
        let columns = [
            ("NodeId", Type::String),
            ("Address", Type::String),
            ("Name", Type::String),
            ("StartTime", Type::Datetime),
            ("IsAdmin", Type::Bool),
            ("ProcessorCount", Type::Int),
            ("EnvironmentDescription", Type::String),
        ];
        let up = i64::try_from(self.app.started.elapsed().as_micros()).unwrap_or(i64::MAX).saturating_mul(10);
        let started = Ticks(crate::queries::ticks_now().0.saturating_sub(up));
        let row = vec![
            json!("0"),
            json!("localhost"),
            json!("watchkeeper"),
            json!(shape::cell::datetime(started)),
            json!(true),
            json!(std::thread::available_parallelism().map_or(1, usize::from)),
            json!(""),
        ];
        Answer::new(&columns, vec![row])
    }

    fn roles(&self) -> Answer {
        let columns = [
            ("Scope", Type::String),
            ("DisplayName", Type::String),
            ("AADObjectID", Type::String),
            ("Role", Type::String),
        ];
        let rows = self.caller.access.assignments().iter().map(|assignment| {
            vec![
                json!(assignment.scope.to_string()),
                json!(self.caller.name),
                json!(self.caller.subject),
                json!(assignment.role.name),
            ]
        });
        Answer::new(&columns, rows.collect())
    }

    /// The caller's queries; everybody's for an administrator.
    fn show_queries(&self, entries: Vec<Entry>) -> Answer {
        let columns = [
            ("ClientActivityId", Type::String),
            ("Text", Type::String),
            ("Database", Type::String),
            ("StartedOn", Type::Datetime),
            ("LastUpdatedOn", Type::Datetime),
            ("Duration", Type::Timespan),
            ("State", Type::String),
            ("RootActivityId", Type::Guid),
            ("User", Type::String),
            ("FailureReason", Type::String),
            ("TotalCpu", Type::Timespan),
            ("Application", Type::String),
            ("MemoryPeak", Type::Long),
            ("Principal", Type::String),
        ];
        let now = crate::queries::ticks_now();
        let visible = entries.iter().filter(|entry| self.owns(entry));
        let rows = visible.map(|entry| {
            let last = entry.ended.unwrap_or(now);
            vec![
                json!(entry.origin.request_id),
                json!(entry.text),
                json!(self.database.name),
                json!(shape::cell::datetime(entry.started)),
                json!(shape::cell::datetime(last)),
                json!(shape::cell::timespan(Ticks(last.0.saturating_sub(entry.started.0)))),
                json!(entry.state.name()),
                json!(entry.origin.activity_id),
                json!(entry.origin.user),
                json!(entry.failure),
                json!(clock(entry.cpu)),
                json!(entry.origin.application),
                json!(entry.memory_peak),
                json!(entry.origin.subject),
            ]
        });
        Answer::new(&columns, rows.collect())
    }

    fn owns(&self, entry: &Entry) -> bool {
        entry.origin.subject == self.caller.subject || {
            self.caller.access.allows(Action::ManageQueries, &Scope::workspace(&self.database.id))
        }
    }

    fn cancel(&self, request_id: &str) -> Answer {
        self.caller.trail.is_change();
        self.caller.did("cancel query", request_id, "");
        let count = self.app.queries.journal().cancel(request_id, |entry| self.owns(entry));
        let columns =
            [("RunningQueryCanceled", Type::Bool), ("ClientRequestId", Type::String), ("ReasonPhrase", Type::String)];
        let reason = match count {
            0 => "no running query of yours has this client request id",
            _ => "Query cancelled by the user's request",
        };
        Answer::new(&columns, vec![vec![json!(count > 0), json!(request_id), json!(reason)]])
    }
}

fn version() -> Answer {
    let columns = [
        ("BuildVersion", Type::String),
        ("BuildTime", Type::Datetime),
        ("ServiceType", Type::String),
        ("ProductVersion", Type::String),
        ("ServiceOffering", Type::String),
    ];
    let version = env!("CARGO_PKG_VERSION");
    let row = vec![json!(version), Value::Null, json!("Engine"), json!(version), json!("{\"Type\":\"Watchkeeper\"}")];
    Answer::new(&columns, vec![row])
}

/// A name as an entity reference of a query.
fn entity(name: &str) -> String {
    format!("[\"{}\"]", name.replace('\\', "\\\\").replace('"', "\\\""))
}

fn csl_schema(columns: &[Column]) -> String {
    let columns: Vec<String> = columns.iter().map(|column| format!("{}:{}", column.name, column.ty.name())).collect();
    columns.join(",")
}

fn table_json(table: &Table) -> Value {
    let columns: Vec<Value> = table
        .columns
        .iter()
        .map(|column| json!({"Name": column.name, "Type": clr_name(column.ty), "CslType": column.ty.name()}))
        .collect();
    json!({"Name": table.name, "OrderedColumns": columns})
}

/// The parameters of a saved function, as far as they are scalars.
fn parameters_json(text: &str) -> Vec<Value> {
    let text = text.trim().trim_start_matches('(').trim_end_matches(')');
    let parameters = text.split(',').filter_map(|parameter| {
        let (name, rest) = parameter.split_once(':')?;
        let (ty, default) = rest.split_once('=').map_or((rest, None), |(ty, default)| (ty, Some(default.trim())));
        let ty = Type::from_name(ty.trim())?;
        let mut described = json!({"Name": name.trim(), "Type": clr_name(ty), "CslType": ty.name()});
        if let Some(default) = default {
            described["CslDefaultValue"] = json!(default);
        }
        Some(described)
    });
    parameters.collect()
}

/// The .NET name of a type, in full.
fn clr_name(ty: Type) -> &'static str {
    match ty {
        Type::Bool => "System.SByte",
        Type::Int => "System.Int32",
        Type::Long => "System.Int64",
        Type::Real => "System.Double",
        Type::Decimal => "System.Data.SqlTypes.SqlDecimal",
        Type::Datetime => "System.DateTime",
        Type::Timespan => "System.TimeSpan",
        Type::String => "System.String",
        Type::Guid => "System.Guid",
        Type::Dynamic => "System.Object",
    }
}
