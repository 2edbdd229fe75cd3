//! The client against a server over TLS that answers as it is told: pages, tokens, tries, and what each refusal means.
#![allow(clippy::unwrap_used)]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustls::ServerConfig;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use watchkeeper_servicemap::{Client, Kind, Place, Problem, Settings, Window};

/// Status, `Retry-After` where there is one, body.
type Answer = (u16, Option<u32>, String);

struct Server {
    url: String,
    ca: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// `answer` gets `METHOD PATH` and the body.
    async fn start(answer: impl Fn(&str, &str, usize) -> Answer + Send + Sync + 'static) -> Server {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![CertificateDer::from(made.cert.der().to_vec())], key)
            .unwrap();
        let listener = TcpListener::bind("localhost:0").await.unwrap();
        let url = format!("https://localhost:{}", listener.local_addr().unwrap().port());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let (notes, answer) = (Arc::clone(&asked), Arc::new(answer));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, notes, answer) = (acceptor.clone(), Arc::clone(&notes), Arc::clone(&answer));
                tokio::spawn(async move {
                    let Ok(mut stream) = acceptor.accept(stream).await else { return };
                    let Some((head, body)) = read(&mut stream).await else { return };
                    let line = head.lines().next().unwrap_or_default().rsplit_once(' ').unwrap().0.to_owned();
                    let before = {
                        let mut notes = notes.lock().unwrap();
                        let path = line.split('?').next().unwrap().to_owned();
                        notes.push(path.clone());
                        notes.iter().filter(|one| **one == path).count() - 1
                    };
                    let (status, retry, text) = answer(&line, &body, before);
                    let retry = retry.map(|seconds| format!("retry-after: {seconds}\r\n")).unwrap_or_default();
                    let answer = format!(
                        "HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\n{retry}\r\n{text}",
                        text.len()
                    );
                    let _ = stream.write_all(answer.as_bytes()).await;
                    let _ = stream.shutdown().await;
                });
            }
        });
        Server { url, ca: made.cert.pem(), asked }
    }

    fn settings(&self) -> Settings {
        Settings {
            authority: self.url.clone(),
            endpoint: self.url.clone(),
            resource: "https://management.azure.com".into(),
            tenant: "tenant-1".into(),
            application_id: "app-1".into(),
            secret: "hush-hush".into(),
            trusted: self.ca.clone(),
            timeout: Duration::from_secs(30),
            tries: 3,
        }
    }

    fn client(&self) -> Client {
        Client::new(self.settings()).unwrap()
    }

    fn times(&self, path: &str) -> usize {
        self.asked.lock().unwrap().iter().filter(|one| one.ends_with(path)).count()
    }
}

async fn read(stream: &mut (impl AsyncRead + Unpin)) -> Option<(String, String)> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let count = stream.read(&mut buffer).await.ok()?;
        bytes.extend_from_slice(&buffer[..count]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length =
                head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
            if body.len() >= length.unwrap_or(0) {
                return Some((head.to_owned(), body.to_owned()));
            }
        }
        if count == 0 {
            return None;
        }
    }
}

const TOKEN: &str = r#"{"token_type": "Bearer", "expires_in": 3600, "access_token": "t-1"}"#;

fn ok(body: &str) -> Answer {
    (200, None, body.to_owned())
}

fn place() -> Place {
    Place { subscription: "s".into(), resource_group: "g".into(), workspace: "w".into() }
}

fn window() -> Window {
    Window { start: "2026-01-01T00:00:00Z".into(), end: "2026-01-01T01:00:00Z".into() }
}

#[tokio::test]
async fn machines_come_page_after_page_and_a_map_is_read_with_one_token() {
    let server = Server::start(|line, body, _| {
        let machine = |name: &str| {
            format!(
                r#"{{"id": "/m/{name}", "name": "{name}", "kind": "machine", "properties": {{"monitoringState": "monitored",
                "displayName": "{name}", "fullyQualifiedDomainName": "{name}.example.com", "agent": {{"agentId": "a-{name}"}},
                "networking": {{"ipv4Interfaces": [{{"ipAddress": "10.0.0.1"}}], "dnsNames": ["x.example.com"]}}}}}}"#
            )
        };
        if line.contains("/tenant-1/oauth2/v2.0/token") {
            assert!(body.contains("client_secret=hush-hush") && body.contains("management.azure.com%2F.default"), "{body}");
            return ok(TOKEN);
        }
        if line.contains("/generateMap") {
            assert!(body.contains("map:single-machine-dependency") && body.contains("/m/one"), "{body}");
            return ok(&format!(
                r#"{{"map": {{"nodes": {{"machines": [{}], "ports": [], "clientGroups": [{{"id": "/c/1", "name": "m!one"}}],
                "processes": [{{"id": "/p/1", "name": "p-1", "properties": {{"machine": {{"id": "/m/one"}}, "executableName": "nginx"}}}}]}},
                "edges": {{"connections": [{{"properties": {{"source": {{"id": "/c/1"}}, "destination": {{"id": "/p/1"}},
                "serverPort": {{"id": "/b/1", "properties": {{"portNumber": 443}}}}, "failureState": "mixed"}}}}]}}}}}}"#,
                machine("one")
            ));
        }
        if line.contains("$skiptoken=one") {
            return ok(&format!(r#"{{"value": [{}]}}"#, machine("two")));
        }
        assert!(line.contains("/machines?api-version=2015-11-01-preview&live=true"), "{line}");
        ok(&format!(r#"{{"value": [{}], "nextLink": "/machines?$skiptoken=one"}}"#, machine("one")))
    })
    .await;
    let client = server.client();
    let machines = client.machines(&place(), &window()).await.unwrap();
    assert_eq!(machines.iter().map(|one| one.name.as_str()).collect::<Vec<_>>(), ["one", "two"]);
    assert!(
        machines[0].monitored
            && machines[0].names.contains("one.example.com")
            && machines[0].names.contains("x.example.com")
    );
    assert_eq!(
        (machines[0].agent_id.as_deref(), machines[0].addresses.first().map(String::as_str)),
        (Some("a-one"), Some("10.0.0.1"))
    );
    let map = client.map_of_machine(&place(), "/m/one", &window()).await.unwrap();
    assert_eq!((map.processes[0].machine.as_str(), map.processes[0].display_name.as_str()), ("one", "nginx"));
    assert_eq!((map.edges[0].source.as_str(), map.edges[0].port, map.edges[0].failed), ("/c/1", 443, true));
    assert_eq!(server.times("/oauth2/v2.0/token"), 1);
}

#[tokio::test]
async fn what_is_wrong_is_told_apart() {
    let sign_in = |status: u16, number: u32, error: &str| {
        (
            status,
            format!(
                r#"{{"error": "{error}", "error_description": "AADSTS{number}: Said so. Trace ID: 1", "error_codes": [{number}]}}"#
            ),
        )
    };
    let resource =
        |status: u16, code: &str| (status, format!(r#"{{"error": {{"code": "{code}", "message": "said so"}}}}"#));
    let cases = [
        (true, sign_in(400, 90_002, "invalid_request"), Kind::Tenant),
        (true, sign_in(400, 700_016, "unauthorized_client"), Kind::Application),
        (true, sign_in(401, 7_000_215, "invalid_client"), Kind::Secret),
        (true, sign_in(401, 7_000_222, "invalid_client"), Kind::SecretExpired),
        (true, (404, "<html>".to_owned()), Kind::Answer),
        (true, (200, "<html>".to_owned()), Kind::Answer),
        (false, resource(401, "InvalidTokenError"), Kind::Role),
        (false, resource(403, "AuthorizationFailed"), Kind::Role),
        (false, resource(404, "SubscriptionNotFound"), Kind::Subscription),
        (false, resource(404, "ResourceGroupNotFound"), Kind::ResourceGroup),
        (false, resource(404, "ResourceNotFound"), Kind::Workspace),
        (false, (404, "not here".to_owned()), Kind::Answer),
        (false, resource(400, "InvalidApiVersionParameter"), Kind::Answer),
        (false, (200, r#"{"machines": []}"#.to_owned()), Kind::Answer),
        (false, (200, r#"{"value": [], "nextLink": "https://elsewhere.example/x"}"#.to_owned()), Kind::Answer),
    ];
    for (of_token, (status, body), kind) in cases {
        let said = body.clone();
        let server = Server::start(move |line, _, _| match line.contains("/token") {
            true if !of_token => ok(TOKEN),
            _ => (status, None, said.clone()),
        })
        .await;
        let problem = server.client().machine_groups(&place()).await.unwrap_err();
        assert_eq!(problem.kind, kind, "{status} {body}: {problem}");
        assert!(!problem.to_string().contains("hush-hush") && !problem.to_string().contains("Trace ID"), "{problem}");
    }
}

#[tokio::test]
async fn a_group_that_is_gone_is_not_a_workspace_that_is_gone() {
    for (workspace_there, kind) in [(true, Kind::MachineGroup), (false, Kind::Workspace)] {
        let server = Server::start(move |line, _, _| {
            let gone = (404, None, r#"{"error": {"code": "ResourceNotFound", "message": "gone"}}"#.to_owned());
            match line {
                line if line.contains("/token") => ok(TOKEN),
                line if line.contains("/machineGroups") && workspace_there => ok(r#"{"value": []}"#),
                _ => gone,
            }
        })
        .await;
        let problem = server.client().map_of_group(&place(), "group-1", &window()).await.unwrap_err();
        assert_eq!(problem.kind, kind, "{problem}");
    }
}

#[tokio::test]
async fn what_passes_is_tried_again_and_what_does_not_is_not() {
    let server = Server::start(|line, _, before| match (line.contains("/token"), before) {
        (true, 0) => (429, Some(0), r#"{"error": "temporarily_unavailable", "error_codes": [50196]}"#.to_owned()),
        (true, _) => ok(TOKEN),
        (false, 0) => (503, Some(0), "<html>busy".to_owned()),
        // a token that was taken back is renewed once
        (false, 1) => (401, None, r#"{"error": {"code": "ExpiredAuthenticationToken"}}"#.to_owned()),
        (false, _) => ok(r#"{"value": [{"id": "/g/1", "name": "1", "properties": {"displayName": "Shop"}}]}"#),
    })
    .await;
    let groups = server.client().machine_groups(&place()).await.unwrap();
    assert_eq!(groups[0].display_name, "Shop");
    assert_eq!((server.times("/token"), server.times("/machineGroups")), (3, 3));

    let server = Server::start(|line, _, _| match line.contains("/token") {
        true => ok(TOKEN),
        false => (500, Some(0), String::new()),
    })
    .await;
    let problem = server.client().machine_groups(&place()).await.unwrap_err();
    assert_eq!((problem.kind, server.times("/machineGroups")), (Kind::Busy, 3));

    let server =
        Server::start(|_, _, _| (401, None, r#"{"error": "invalid_client", "error_codes": [7000215]}"#.to_owned()))
            .await;
    let problem = server.client().sign_in().await.unwrap_err();
    assert_eq!((problem.kind, server.times("/token")), (Kind::Secret, 1));

    // who is to wait for long is told so
    let server = Server::start(|_, _, _| (429, Some(100_000), "{}".to_owned())).await;
    assert_eq!(server.client().sign_in().await.unwrap_err().kind, Kind::Busy);
}

#[tokio::test]
async fn what_cannot_be_reached_is_told_from_what_is_not_trusted_and_from_what_is_silent() {
    let server = Server::start(|_, _, _| ok(TOKEN)).await;
    let kind = |problem: Result<(), Problem>| problem.unwrap_err().kind;
    let untrusted = Client::new(Settings { trusted: String::new(), ..server.settings() }).unwrap();
    assert_eq!(kind(untrusted.sign_in().await), Kind::Certificate);

    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = |port: u16| Settings {
        authority: format!("https://localhost:{port}"),
        endpoint: format!("https://localhost:{port}"),
        timeout: Duration::from_millis(300),
        tries: 1,
        ..server.settings()
    };
    let port = silent.local_addr().unwrap().port();
    assert_eq!(kind(Client::new(at(port)).unwrap().sign_in().await), Kind::Timeout);
    drop(silent);
    assert_eq!(kind(Client::new(at(port)).unwrap().sign_in().await), Kind::Address);

    // something that speaks no TLS
    let plain = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = plain.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = plain.accept().await {
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        }
    });
    let at = Settings { timeout: Duration::from_secs(30), ..at(port) };
    assert_eq!(kind(Client::new(at).unwrap().sign_in().await), Kind::Address);
}

#[tokio::test]
async fn subscriptions_lead_to_workspaces_and_none_is_a_role_that_is_missing() {
    let server = Server::start(|line, _, _| match line {
        line if line.contains("/token") => ok(TOKEN),
        line if line.contains("/resourcegroups?") => ok(r#"{"value": [{"name": "RG-2"}, {"name": "rg-1"}]}"#),
        line if line.contains("/workspaces?") => ok(
            r#"{"value": [{"id": "/subscriptions/s/resourcegroups/RG-1/providers/x/workspaces/w", "name": "w", "properties": {"customerId": "id-1"}},
            {"id": "/subscriptions/s/resourceGroups/hidden/providers/x/workspaces/v", "name": "v"}]}"#,
        ),
        _ => ok(r#"{"value": [{"subscriptionId": "s", "displayName": "Ours"}]}"#),
    })
    .await;
    let client = server.client();
    let subscriptions = client.subscriptions().await.unwrap();
    assert_eq!((subscriptions[0].id.as_str(), subscriptions[0].name.as_str()), ("s", "Ours"));
    let groups = client.resource_groups("s").await.unwrap();
    let shown: Vec<(String, usize)> = groups.iter().map(|group| (group.name.clone(), group.workspaces.len())).collect();
    assert_eq!(shown, [("RG-2".to_owned(), 0), ("hidden".to_owned(), 1), ("rg-1".to_owned(), 1)]);
    assert_eq!(groups[2].workspaces[0].customer_id, "id-1");

    let server = Server::start(|line, _, _| ok(if line.contains("/token") { TOKEN } else { r#"{"value": []}"# })).await;
    assert_eq!(server.client().subscriptions().await.unwrap_err().kind, Kind::Role);
}

#[test]
fn settings_that_cannot_be_are_refused_before_anybody_is_asked_and_never_show_the_secret() {
    let good = Settings {
        authority: "https://login.example".into(),
        endpoint: "https://arm.example".into(),
        resource: "https://management.azure.com".into(),
        tenant: "contoso.example".into(),
        application_id: "a".into(),
        secret: "hush-hush".into(),
        trusted: String::new(),
        timeout: Duration::from_secs(1),
        tries: 1,
    };
    assert!(Client::new(good.clone()).is_ok());
    assert!(!format!("{good:?}").contains("hush"));
    for (settings, kind) in [
        (Settings { authority: "http://login.example".into(), ..good.clone() }, Kind::Address),
        (Settings { endpoint: "arm".into(), ..good.clone() }, Kind::Address),
        (Settings { tenant: "../x".into(), ..good.clone() }, Kind::Tenant),
        (Settings { application_id: String::new(), ..good.clone() }, Kind::Application),
        (Settings { secret: String::new(), ..good.clone() }, Kind::Secret),
        (Settings { trusted: "none".into(), ..good }, Kind::Certificate),
    ] {
        assert_eq!(Client::new(settings).map(drop).unwrap_err().kind, kind);
    }
}
