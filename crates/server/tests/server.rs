//! A started server over HTTPS: identities, tokens, sessions, what each caller may do.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use reqwest::{Client, Method, RequestBuilder, StatusCode};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use serde_json::{Value, json};
use watchkeeper_server::config::Config;
use watchkeeper_server::connection::Connection;
use watchkeeper_server::wiring::Server;

struct Started {
    server: Server,
    connection: Connection,
    http: Client,
}

async fn start(dir: &tempfile::TempDir) -> Started {
    let mut config = Config::default();
    config.data.dir = dir.path().to_path_buf();
    config.listen.port = 0;
    config.listen.agent_port = 0;
    let server = Server::start(&config).await.unwrap();
    let connection = server.connection.clone();
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(&connection.ca_file).unwrap() {
        roots.add(certificate.unwrap()).unwrap();
    }
    let tls = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let http = Client::builder().tls_backend_preconfigured(tls).build().unwrap();
    Started { server, connection, http }
}

impl Started {
    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.connection.url))
    }

    async fn send(&self, request: RequestBuilder) -> (StatusCode, Value) {
        let response = request.send().await.unwrap();
        let status = response.status();
        let text = response.text().await.unwrap();
        (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }

    async fn token_answer(&self, changes: &[(&str, &str)]) -> (StatusCode, Value) {
        let mut form = vec![
            ("grant_type", "client_credentials"),
            ("client_id", self.connection.client_id.as_str()),
            ("client_secret", self.connection.client_secret.as_str()),
            ("scope", "https://api.loganalytics.io/.default"),
        ];
        for (name, value) in changes {
            form.retain(|(known, _)| known != name);
            if !value.is_empty() {
                form.push((name, value));
            }
        }
        let path = format!("/{}/oauth2/v2.0/token", self.connection.tenant_id);
        self.send(self.request(Method::POST, &path).form(&form)).await
    }

    async fn token(&self) -> String {
        let (status, body) = self.token_answer(&[]).await;
        assert_eq!(status, StatusCode::OK, "{body}");
        body["access_token"].as_str().unwrap().to_owned()
    }

    /// Cookie and CSRF token of a new session.
    async fn sign_in(&self) -> (String, String) {
        let body = json!({"user": self.connection.admin_user, "password": self.connection.admin_password});
        let response = self.request(Method::POST, "/api/session").json(&body).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        let cookie = response.headers()["set-cookie"].to_str().unwrap().to_owned();
        for part in ["HttpOnly", "Secure", "SameSite=Strict"] {
            assert!(cookie.contains(part), "{part}");
        }
        let body: Value = response.json().await.unwrap();
        assert_eq!(body["workspaces"][0]["id"], self.connection.workspace_id);
        (cookie.split(';').next().unwrap().to_owned(), body["csrf"].as_str().unwrap().to_owned())
    }
}

#[tokio::test]
async fn a_second_start_has_the_same_identities_and_accepts_the_first_starts_secrets() {
    let dir = tempfile::tempdir().unwrap();
    let first = start(&dir).await;
    let token = first.token().await;
    let before = first.connection.clone();
    first.server.stop().await;
    let second = start(&dir).await;
    let after = second.connection.clone();
    assert_eq!(
        (&before.tenant_id, &before.client_id, &before.client_secret, &before.workspace_id),
        (&after.tenant_id, &after.client_id, &after.client_secret, &after.workspace_id)
    );
    assert_eq!((&before.primary_key, &before.admin_password), (&after.primary_key, &after.admin_password));
    second.token().await;
    second.sign_in().await;
    let (status, _) = second.send(second.request(Method::GET, "/api/principals").bearer_auth(token)).await;
    assert_eq!(status, StatusCode::OK);
    second.server.stop().await;
}

#[tokio::test]
async fn two_servers_cannot_share_a_data_folder() {
    let dir = tempfile::tempdir().unwrap();
    let first = start(&dir).await;
    let mut config = Config::default();
    config.data.dir = dir.path().to_path_buf();
    config.listen.port = 0;
    let error = Server::start(&config).await.err().unwrap().to_string();
    assert!(error.contains("another server is running"), "{error}");
    first.server.stop().await;
}

#[tokio::test]
async fn the_token_endpoint_refuses_with_the_documented_errors() {
    let dir = tempfile::tempdir().unwrap();
    let started = start(&dir).await;
    for (changes, status, error, number) in [
        (&[("client_secret", "wrong")][..], 401, "invalid_client", 7_000_215),
        (&[("client_id", "6731de76-14a6-49ae-97bc-6eba6914391e")], 400, "unauthorized_client", 700_016),
        (&[("client_secret", "")], 401, "invalid_client", 7_000_218),
        (&[("client_id", "")], 400, "invalid_request", 900_144),
        (&[("grant_type", "password")], 400, "unsupported_grant_type", 70_003),
        (&[("scope", "https://api.loganalytics.io/read")], 400, "invalid_scope", 1_002_012),
        (&[("scope", "https://elsewhere.example/.default")], 400, "invalid_resource", 500_011),
    ] {
        let (got, body) = started.token_answer(changes).await;
        assert_eq!(got.as_u16(), status, "{changes:?} {body}");
        assert_eq!(body["error"], error, "{changes:?}");
        assert_eq!(body["error_codes"], json!([number]), "{changes:?}");
        let description = body["error_description"].as_str().unwrap();
        assert!(description.starts_with(&format!("AADSTS{number}: ")), "{description}");
    }
    let (status, body) =
        started.send(started.request(Method::POST, "/nobody/oauth2/v2.0/token").form(&[("grant_type", "x")])).await;
    assert_eq!((status.as_u16(), &body["error_codes"]), (400, &json!([90_002])));
    started.server.stop().await;
}

#[tokio::test]
async fn the_discovery_documents_lead_to_the_token_endpoint_and_its_key() {
    let dir = tempfile::tempdir().unwrap();
    let started = start(&dir).await;
    let url = &started.connection.url;
    let tenant = &started.connection.tenant_id;
    let path = format!("/common/discovery/instance?authorization_endpoint={url}/{tenant}/oauth2/v2.0/authorize");
    let (_, instance) = started.send(started.request(Method::GET, &path)).await;
    let endpoint = instance["tenant_discovery_endpoint"].as_str().unwrap();
    let (_, document) = started.send(started.http.get(endpoint)).await;
    assert_eq!(document["token_endpoint"], format!("{url}/{tenant}/oauth2/v2.0/token"));
    let (_, keys) = started.send(started.http.get(document["jwks_uri"].as_str().unwrap())).await;
    let key = &keys["keys"][0];
    let decoding =
        jsonwebtoken::DecodingKey::from_ec_components(key["x"].as_str().unwrap(), key["y"].as_str().unwrap()).unwrap();
    let mut validation = jsonwebtoken::Validation::new(jsonwebtoken::Algorithm::ES256);
    validation.set_audience(&["https://api.loganalytics.io"]);
    validation.set_issuer(&[document["issuer"].as_str().unwrap()]);
    let token = started.token().await;
    assert_eq!(jsonwebtoken::decode_header(&token).unwrap().kid.as_deref(), key["kid"].as_str());
    let claims = jsonwebtoken::decode::<Value>(&token, &decoding, &validation).unwrap().claims;
    assert_eq!(claims["appid"], started.connection.client_id);
    started.server.stop().await;
}

#[tokio::test]
async fn a_session_changes_things_only_with_its_csrf_token() {
    let dir = tempfile::tempdir().unwrap();
    let started = start(&dir).await;
    let (cookie, csrf) = started.sign_in().await;
    let path = format!("/api/workspaces/{}/saved-queries", started.connection.workspace_id);
    let query = json!({"name": "Beats", "category": "Machines", "query": "Heartbeat", "functionAlias": "Beats"});
    let post = |csrf: Option<&str>| {
        let request = started.request(Method::POST, &path).header("cookie", &cookie).json(&query);
        match csrf {
            Some(csrf) => request.header("x-csrf-token", csrf),
            None => request,
        }
    };
    assert_eq!(started.send(post(None)).await.0, StatusCode::FORBIDDEN);
    assert_eq!(started.send(post(Some("guess"))).await.0, StatusCode::FORBIDDEN);
    let (status, created) = started.send(post(Some(&csrf))).await;
    assert_eq!(status, StatusCode::CREATED, "{created}");
    let (_, items) = started.send(started.request(Method::GET, &path).header("cookie", &cookie)).await;
    assert_eq!(items, json!([created]));
    let item = format!("{path}/{}", created["id"].as_str().unwrap());
    let delete = started.request(Method::DELETE, &item).header("cookie", &cookie).header("x-csrf-token", &csrf);
    assert_eq!(started.send(delete).await.0, StatusCode::NO_CONTENT);

    let out = started.request(Method::DELETE, "/api/session").header("cookie", &cookie).header("x-csrf-token", &csrf);
    assert_eq!(started.send(out).await.0, StatusCode::NO_CONTENT);
    let (status, _) = started.send(started.request(Method::GET, "/api/session").header("cookie", &cookie)).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    started.server.stop().await;
}

#[tokio::test]
async fn failed_sign_ins_of_one_name_are_slowed_down() {
    let dir = tempfile::tempdir().unwrap();
    let started = start(&dir).await;
    let attempt = |user: &str| {
        let body = json!({"user": user, "password": "guess"});
        started.request(Method::POST, "/api/session").json(&body)
    };
    for _ in 0..5 {
        assert_eq!(started.send(attempt("admin")).await.0, StatusCode::UNAUTHORIZED);
    }
    let response = attempt("admin").send().await.unwrap();
    assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
    assert!(response.headers().contains_key("retry-after"));
    assert_eq!(started.send(attempt("other")).await.0, StatusCode::UNAUTHORIZED);
    started.server.stop().await;
}

#[tokio::test]
async fn a_reader_sees_neither_keys_nor_principals() {
    let dir = tempfile::tempdir().unwrap();
    let started = start(&dir).await;
    let admin = started.token().await;
    let new = json!({"name": "grafana", "role": "Reader"});
    let (status, made) =
        started.send(started.request(Method::POST, "/api/principals").bearer_auth(&admin).json(&new)).await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    let (id, secret) = (made["clientId"].as_str().unwrap(), made["clientSecret"].as_str().unwrap());
    let (_, answer) = started.token_answer(&[("client_id", id), ("client_secret", secret)]).await;
    let reader = answer["access_token"].as_str().unwrap();
    let workspace = &started.connection.workspace_id;
    for (path, status) in [
        (format!("/api/workspaces/{workspace}/saved-queries"), StatusCode::OK),
        (format!("/api/workspaces/{workspace}/keys"), StatusCode::FORBIDDEN),
        ("/api/principals".to_owned(), StatusCode::FORBIDDEN),
    ] {
        let (got, _) = started.send(started.request(Method::GET, &path).bearer_auth(reader)).await;
        assert_eq!(got, status, "{path}");
    }
    let path = format!("/api/principals/{id}");
    assert_eq!(
        started.send(started.request(Method::DELETE, &path).bearer_auth(&admin)).await.0,
        StatusCode::NO_CONTENT
    );
    let path = format!("/api/workspaces/{workspace}/saved-queries");
    let (status, _) = started.send(started.request(Method::GET, &path).bearer_auth(reader)).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    started.server.stop().await;
}

#[tokio::test]
async fn the_query_api_answers_rows_errors_with_a_place_and_batches() {
    let dir = tempfile::tempdir().unwrap();
    let started = start(&dir).await;
    let token = started.token().await;
    let path = format!("/v1/workspaces/{}/query", started.connection.workspace_id);
    let ask = |body: Value| {
        let request = started.request(Method::POST, &path).bearer_auth(&token).json(&body);
        request.header("prefer", "wait=30,include-statistics=true")
    };
    let (status, body) = started.send(ask(json!({"query": "print a = 1, b = 'x'", "timespan": "PT1H"}))).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    assert_eq!(body["tables"][0]["rows"], json!([[1, "x"]]));
    assert_eq!(body["tables"][0]["columns"][0], json!({"name": "a", "type": "long"}));
    assert_eq!(body["statistics"]["query"]["datasetStatistics"][0]["tableRowCount"], 1);

    let (status, body) = started.send(ask(json!({"query": "print 1\n| wher x"}))).await;
    assert_eq!((status, &body["error"]["code"]), (StatusCode::BAD_REQUEST, &json!("BadArgumentError")));
    assert_eq!(body["error"]["innererror"]["innererror"]["line"], 2);
    let (status, body) = started.send(ask(json!({"query": "print 1", "timespan": "yesterday"}))).await;
    assert_eq!((status, &body["error"]["code"]), (StatusCode::BAD_REQUEST, &json!("BadArgumentError")));

    let unsigned = started.request(Method::POST, &path).json(&json!({"query": "print 1"}));
    assert_eq!(started.send(unsigned).await.0, StatusCode::UNAUTHORIZED);
    let (cookie, csrf) = started.sign_in().await;
    let session = started.request(Method::POST, &path).header("cookie", cookie).header("x-csrf-token", csrf);
    assert_eq!(started.send(session.json(&json!({"query": "print 1"}))).await.0, StatusCode::OK);

    let workspace = &started.connection.workspace_id;
    let requests = json!({"requests": [
        {"id": "1", "workspace": workspace, "path": "/query", "method": "POST", "body": {"query": "print a = 1"}},
        {"id": "2", "workspace": workspace, "path": "/query", "method": "POST", "body": {"query": "nothing | take 1"}},
    ]});
    let (status, body) =
        started.send(started.request(Method::POST, "/v1/$batch").bearer_auth(&token).json(&requests)).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    assert_eq!(
        (&body["responses"][0]["id"], &body["responses"][0]["body"]["tables"][0]["rows"]),
        (&json!("1"), &json!([[1]]))
    );
    assert_eq!((&body["responses"][1]["id"], &body["responses"][1]["status"]), (&json!("2"), &json!(400)));
    started.server.stop().await;
}

impl Started {
    async fn kusto(&self, path: &str, body: Value) -> (StatusCode, Value) {
        let request = self.request(Method::POST, path).bearer_auth(self.token().await).json(&body);
        self.send(request.header("x-ms-client-request-id", "test;1")).await
    }

    async fn save_function(&self, name: &str, parameters: &str, body: &str) {
        let path = format!("/api/workspaces/{}/saved-queries", self.connection.workspace_id);
        let saved = json!({
            "name": format!("The function {name}"), "category": "tests", "query": body,
            "functionAlias": name, "functionParameters": parameters,
        });
        let request = self.request(Method::POST, &path).bearer_auth(self.token().await).json(&saved);
        let (status, body) = self.send(request).await;
        assert_eq!(status, StatusCode::CREATED, "{body}");
    }
}

#[tokio::test]
async fn kusto_version_2_has_its_frames_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let started = start(&dir).await;
    let body = json!({"db": started.connection.workspace_id, "csl": "print a = 1, d = dynamic({'k': [1]})"});
    let (status, frames) = started.kusto("/v2/rest/query", body).await;
    assert_eq!(status, StatusCode::OK, "{frames}");
    let kinds: Vec<&str> =
        frames.as_array().unwrap().iter().map(|frame| frame["FrameType"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["DataSetHeader", "DataTable", "DataTable", "DataTable", "DataSetCompletion"]);
    assert_eq!(frames[1]["TableName"], "@ExtendedProperties");
    assert_eq!(frames[2]["TableKind"], "PrimaryResult");
    assert_eq!(frames[2]["Rows"], json!([[1, {"k": [1]}]]));
    assert_eq!(frames[3]["TableKind"], "QueryCompletionInformation");
    assert_eq!(frames[3]["Rows"][0][1], "test;1");
    assert_eq!(frames[3]["Columns"].as_array().unwrap().len(), frames[3]["Rows"][0].as_array().unwrap().len());
    assert_eq!((&frames[4]["HasErrors"], &frames[4]["Cancelled"]), (&json!(false), &json!(false)));
    started.server.stop().await;
}

#[tokio::test]
async fn kusto_version_1_ends_with_its_table_of_contents() {
    let dir = tempfile::tempdir().unwrap();
    let started = start(&dir).await;
    let (status, answer) = started.kusto("/v1/rest/query", json!({"db": "default", "csl": "print a = 1"})).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    let tables = answer["Tables"].as_array().unwrap();
    assert_eq!(tables.len(), 4);
    assert_eq!(tables[0]["Columns"], json!([{"ColumnName": "a", "DataType": "Int64", "ColumnType": "long"}]));
    let contents: Vec<&str> =
        tables[3]["Rows"].as_array().unwrap().iter().map(|row| row[1].as_str().unwrap()).collect();
    assert_eq!(contents, ["QueryResult", "QueryProperties", "QueryStatus"]);
    for table in tables {
        let width = table["Columns"].as_array().unwrap().len();
        assert!(table["Rows"].as_array().unwrap().iter().all(|row| row.as_array().unwrap().len() == width), "{table}");
    }
    started.server.stop().await;
}

#[tokio::test]
async fn kusto_errors_name_the_request_the_kind_and_the_place() {
    let dir = tempfile::tempdir().unwrap();
    let started = start(&dir).await;
    for (path, csl, db, status, code, part) in [
        ("/v2/rest/query", "nosuchtable\n| take 1", "default", 400, "General_BadRequest", "nosuchtable"),
        ("/v2/rest/query", "print 1 |", "default", 400, "General_BadRequest", "Syntax error"),
        ("/v2/rest/query", "print 1", "elsewhere", 400, "BadRequest_DatabaseNotExist", "elsewhere"),
        ("/v2/rest/query", ".show tables", "default", 400, "General_BadRequest", "/v1/rest/mgmt"),
        ("/v1/rest/mgmt", "print 1", "default", 400, "General_BadRequest", "/v2/rest/query"),
        ("/v1/rest/mgmt", ".show table Nothing", "default", 400, "BadRequest_EntityNotFound", "Nothing"),
        ("/v1/rest/mgmt", ".drop table T", "default", 400, "General_BadRequest", ".drop table T"),
        ("/v1/rest/mgmt", ".show version | wher 1", "default", 400, "General_BadRequest", "wher"),
    ] {
        let (got, body) = started.kusto(path, json!({"db": db, "csl": csl})).await;
        let error = &body["error"];
        assert_eq!((got.as_u16(), error["code"].as_str().unwrap()), (status, code), "{csl}: {body}");
        assert!(error["@message"].as_str().unwrap().contains(part), "{csl}: {error}");
        assert_eq!(error["@permanent"], true, "{csl}");
        assert_eq!(error["@context"]["clientRequestId"], "test;1", "{csl}");
    }
    let (_, body) = started.kusto("/v2/rest/query", json!({"db": "default", "csl": "print 1\n| where nope"})).await;
    let inner = &body["error"]["innererror"];
    assert_eq!((&inner["@line"], &inner["@pos"], &inner["@token"]), (&json!(2), &json!(9), &json!("nope")), "{body}");
    let (_, body) = started.kusto("/v1/rest/mgmt", json!({"csl": ".show version\n| where nope"})).await;
    assert_eq!(body["error"]["innererror"]["@line"], 2, "{body}");
    assert_eq!(body["error"]["innererror"]["@token"], "nope", "{body}");
    let (status, _) =
        started.send(started.request(Method::POST, "/v2/rest/query").json(&json!({"csl": "print 1"}))).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    started.server.stop().await;
}

#[tokio::test]
async fn kusto_options_and_parameters_apply() {
    let dir = tempfile::tempdir().unwrap();
    let started = start(&dir).await;
    let ask = async |csl: &str, properties: Value| {
        started.kusto("/v2/rest/query", json!({"csl": csl, "properties": properties})).await
    };
    let text = "declare query_parameters(n:long, s:string); print n + 1, s";
    let (_, frames) = ask(text, json!({"Parameters": {"n": 2, "s": "x"}})).await;
    assert_eq!(frames[2]["Rows"], json!([[3, "x"]]), "{frames}");
    let (_, frames) = ask("range x from 1 to 5 step 1", json!("{\"Options\":{\"truncationmaxrecords\":2}}")).await;
    assert_eq!(frames[2]["Rows"], json!([[1], [2]]), "{frames}");
    assert_eq!(frames[4]["HasErrors"], true);
    let message = frames[4]["OneApiErrors"][0]["error"]["@message"].as_str().unwrap();
    assert!(message.contains("E_QUERY_RESULT_SET_TOO_LARGE"), "{message}");
    let (_, frames) = ask("range x from 1 to 5 step 1", json!({"Options": {"query_take_max_records": 2}})).await;
    assert_eq!((&frames[2]["Rows"], &frames[4]["HasErrors"]), (&json!([[1], [2]]), &json!(false)));
    let (_, frames) = ask("print now()", json!({"Options": {"query_now": "2020-02-03T00:00:00Z"}})).await;
    assert_eq!(frames[2]["Rows"], json!([["2020-02-03T00:00:00Z"]]));
    started.server.stop().await;
}

#[tokio::test]
async fn management_commands_tell_what_there_is_and_take_operators() {
    let dir = tempfile::tempdir().unwrap();
    let started = start(&dir).await;
    started.save_function("Twice", "n:long = 2", "print twice = n * 2").await;
    let show = async |csl: &str| {
        let (status, answer) = started.kusto("/v1/rest/mgmt", json!({"db": "default", "csl": csl})).await;
        assert_eq!(status, StatusCode::OK, "{csl}: {answer}");
        let tables = answer["Tables"].as_array().unwrap().clone();
        let width = tables[0]["Columns"].as_array().unwrap().len();
        assert!(
            tables[0]["Rows"].as_array().unwrap().iter().all(|row| row.as_array().unwrap().len() == width),
            "{csl}"
        );
        tables[0]["Rows"].clone()
    };
    assert_eq!(show(".show databases").await[0][0], "default");
    assert_eq!(show(".show version").await[0][0], env!("CARGO_PKG_VERSION"));
    let functions = show(".show functions | project Name, Parameters, Body").await;
    assert_eq!(functions, json!([["Twice", "(n:long = 2)", "{ print twice = n * 2 }"]]));
    assert_eq!(show(".show functions | project Name").await, json!([["Twice"]]));
    assert_eq!(show(".show databases | count").await, json!([[1]]));
    let schema: Value =
        serde_json::from_str(show(".show databases schema as json").await[0][0].as_str().unwrap()).unwrap();
    let function = &schema["Databases"]["default"]["Functions"]["Twice"];
    assert_eq!(
        function["InputParameters"],
        json!([{"Name": "n", "Type": "System.Int64", "CslType": "long", "CslDefaultValue": "2"}])
    );
    for command in [
        ".show tables",
        ".show tables details",
        ".show schema",
        ".show database default schema",
        ".show cluster",
        ".show principal roles",
    ] {
        show(command).await;
    }
    let (_, frames) = started.kusto("/v2/rest/query", json!({"csl": "Twice(21)"})).await;
    assert_eq!(frames[2]["Rows"], json!([[42]]), "{frames}");
    let queries = show(".show queries | where Text == 'Twice(21)' | project ClientActivityId, State").await;
    assert_eq!(queries, json!([["test;1", "Completed"]]));
    started.server.stop().await;
}

#[tokio::test]
async fn metadata_has_functions_with_their_parameters_as_text_and_saved_queries() {
    let dir = tempfile::tempdir().unwrap();
    let started = start(&dir).await;
    started.save_function("Twice", "n:long = 2", "print twice = n * 2").await;
    let path = format!("/v1/workspaces/{}/metadata", started.connection.workspace_id);
    let (status, body) = started.send(started.request(Method::GET, &path).bearer_auth(started.token().await)).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    assert_eq!(body["functions"][0]["name"], "Twice");
    assert_eq!(body["functions"][0]["parameters"], "n:long = 2");
    assert_eq!(body["workspaces"][0]["id"], started.connection.workspace_id);
    assert!(body["tables"].is_array());
    let (status, _) = started.send(started.request(Method::GET, &path)).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    started.server.stop().await;
}

/// Longer than any test waits.
const ENDLESS: &str = "range x from 1 to 1000000000 step 1 | extend k = 1 | join kind=inner (range y from 1 to 1000000 step 1 | extend k = 1) on k | summarize sum(x * y)";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_running_query_is_shown_and_cancelled_by_its_id_and_by_closing_its_request() {
    let dir = tempfile::tempdir().unwrap();
    let started = Arc::new(start(&dir).await);
    let states = async |command: &str| {
        let csl = format!(".show {command} | where Text startswith 'range x' | project State");
        started.kusto("/v1/rest/mgmt", json!({"csl": csl})).await.1["Tables"][0]["Rows"].clone()
    };
    let running = {
        let started = Arc::clone(&started);
        tokio::spawn(async move { started.kusto("/v2/rest/query", json!({"csl": ENDLESS})).await })
    };
    while states("running queries").await != json!([["InProgress"]]) {
        assert!(!running.is_finished(), "{:?}", running.await);
    }
    let (_, answer) =
        started.kusto("/v1/rest/mgmt", json!({"csl": ".cancel query \"test;1\" with (reason = 'enough')"})).await;
    assert_eq!(answer["Tables"][0]["Rows"][0][0], true, "{answer}");
    let (status, body) = running.await.unwrap();
    assert_eq!((status.as_u16(), &body["error"]["code"]), (400, &json!("Request_Canceled")), "{body}");

    let closed = {
        let started = Arc::clone(&started);
        tokio::spawn(async move { started.kusto("/v2/rest/query", json!({"csl": ENDLESS})).await })
    };
    while states("running queries").await != json!([["InProgress"]]) {
        assert!(!closed.is_finished());
    }
    closed.abort();
    let both = json!([["Canceled"], ["Canceled"]]);
    while states("queries").await != both {}
    Arc::into_inner(started).unwrap().server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deadlines_end_a_query_with_the_status_of_the_protocol() {
    let dir = tempfile::tempdir().unwrap();
    let started = start(&dir).await;
    let body = json!({"csl": ENDLESS, "properties": {"Options": {"servertimeout": "00:00:01"}}});
    let (status, body) = started.kusto("/v2/rest/query", body).await;
    assert_eq!((status.as_u16(), &body["error"]["@permanent"]), (504, &json!(false)), "{body}");
    let path = format!("/v1/workspaces/{}/query", started.connection.workspace_id);
    let request =
        started.request(Method::POST, &path).bearer_auth(started.token().await).json(&json!({"query": ENDLESS}));
    let (status, body) = started.send(request.header("Prefer", "wait=1")).await;
    assert_eq!((status.as_u16(), &body["error"]["code"]), (504, &json!("GatewayTimeout")), "{body}");
    started.server.stop().await;
}
