//! The operational data of a management group, on SQLite and on PostgreSQL.
#![allow(clippy::unwrap_used)]

mod stores;

use std::collections::HashMap;

use watchkeeper_state::{
    Agent, Alert, AlertFilter, AlertHistory, Assignment, Grooming, Lane, MaintenanceSchedule, MaintenanceWindow,
    MonitorOf, MonitorState, Object, ObjectHistory, Override, Pack, Relationship, ResolutionState, ResourcePool,
    RunAsAccount, RunAsAssociation, Server, Severity, State, StateChange, TaskRun, TaskStatus,
};

async fn open(place: &stores::Place) -> State {
    State::open(&place.url, &place.key).await.unwrap()
}

fn alert(id: &str, key: &str) -> Alert {
    Alert {
        id: id.into(),
        suppression_key: key.into(),
        rule_id: "rule".into(),
        monitoring_object_id: "object".into(),
        severity: Severity::Warning,
        ..Alert::default()
    }
}

#[tokio::test]
async fn what_was_not_committed_did_not_happen_and_numbers_never_fall() {
    stores::each(|place| async move {
        let state = open(&place).await;
        let lane = Lane { agent_id: "a".into(), queue: "q".into(), lane: "urgent".into() };
        let mut lost = state.change().await.unwrap();
        lost.raise_high_water(&HashMap::from([(lane.clone(), 9)]), 1).await.unwrap();
        lost.put_alerts(&[alert("lost", "k")]).await.unwrap();
        drop(lost);
        for (raised, stands) in [(5, 5), (3, 5), (6, 6)] {
            let mut changes = state.change().await.unwrap();
            changes.raise_high_water(&HashMap::from([(lane.clone(), raised)]), 1).await.unwrap();
            changes.commit().await.unwrap();
            let mut changes = state.change().await.unwrap();
            let other = Lane { lane: "bulk".into(), ..lane.clone() };
            let found = changes.high_water(&[lane.clone(), other]).await.unwrap();
            assert_eq!(found, HashMap::from([(lane.clone(), stands)]));
        }
        assert_eq!(state.alerts(&AlertFilter::default()).await.unwrap(), vec![]);
    })
    .await;
}

#[tokio::test]
async fn groups_of_changes_of_several_servers_come_one_after_the_other() {
    stores::each(|place| async move {
        let servers = [open(&place).await, open(&place).await];
        let lane = Lane { agent_id: "a".into(), queue: "q".into(), lane: "l".into() };
        let mut tasks = tokio::task::JoinSet::new();
        for state in servers.iter().cycle().take(20) {
            let (lane, state) = (lane.clone(), state.clone());
            tasks.spawn(async move {
                let mut changes = state.change().await.unwrap();
                let present = changes.high_water(std::slice::from_ref(&lane)).await.unwrap();
                let next = present.get(&lane).copied().unwrap_or(0) + 1;
                changes.raise_high_water(&HashMap::from([(lane, next)]), 1).await.unwrap();
                changes.commit().await.unwrap();
            });
        }
        while let Some(done) = tasks.join_next().await {
            done.unwrap();
        }
        let mut changes = servers[0].change().await.unwrap();
        assert_eq!(changes.high_water(std::slice::from_ref(&lane)).await.unwrap()[&lane], 20);
    })
    .await;
}

#[tokio::test]
async fn alerts_are_found_by_their_fields_and_keep_a_history() {
    stores::each(|place| async move {
        let state = open(&place).await;
        let mut first = alert("1", "key");
        first.custom_fields[3] = "four".into();
        first.last_modified = 10;
        let mut second = alert("2", "other");
        second.severity = Severity::Error;
        second.owner = "anna".into();
        second.last_modified = 20;
        let mut changes = state.change().await.unwrap();
        changes.put_alerts(&[first.clone(), second.clone()]).await.unwrap();
        let open = changes.open_alerts(&["key".into(), "none".into(), String::new()]).await.unwrap();
        assert_eq!(open, HashMap::from([("key".to_owned(), first.clone())]));
        // the key is free again as soon as the alert is closed, in the same group
        first.resolution_state = ResolutionState::CLOSED;
        first.time_resolved = 30;
        let again = alert("0", "key");
        changes.put_alerts(&[again.clone(), first.clone()]).await.unwrap();
        let entry = |alert: &Alert, changed_at| AlertHistory {
            changed_at,
            changed_by: "system".into(),
            comment: "seen".into(),
            alert: alert.clone(),
        };
        changes.add_alert_history(&[entry(&first, 30), entry(&second, 20)]).await.unwrap();
        assert_eq!(changes.alerts(&["1".into(), "9".into()]).await.unwrap(), vec![first.clone()]);
        changes.commit().await.unwrap();

        let found = async |filter: AlertFilter| {
            let alerts = state.alerts(&filter).await.unwrap();
            alerts.into_iter().map(|alert| alert.id).collect::<Vec<_>>()
        };
        let all = AlertFilter::default;
        assert_eq!(found(all()).await, ["2", "1", "0"]);
        assert_eq!(found(AlertFilter { open: true, ..all() }).await, ["2", "0"]);
        assert_eq!(found(AlertFilter { minimum_severity: Some(Severity::Error), ..all() }).await, ["2"]);
        assert_eq!(found(AlertFilter { owner: Some("anna".into()), ..all() }).await, ["2"]);
        assert_eq!(found(AlertFilter { modified_since: Some(10), limit: 1, ..all() }).await, ["2"]);
        assert_eq!(found(AlertFilter { resolution_state: Some(ResolutionState::CLOSED), ..all() }).await, ["1"]);
        assert_eq!(found(AlertFilter { object_id: Some("x".into()), ..all() }).await, [] as [&str; 0]);
        assert_eq!(state.alert("0").await.unwrap(), Some(again));
        assert_eq!(state.alert_history("1").await.unwrap(), vec![entry(&first, 30)]);
        // a second open alert of one key cannot be
        let mut changes = state.change().await.unwrap();
        assert!(changes.put_alerts(&[alert("twin", "key")]).await.is_err());
    })
    .await;
}

#[tokio::test]
async fn built_in_resolution_states_stay_as_they_are() {
    stores::each(|place| async move {
        let state = open(&place).await;
        let custom = ResolutionState(7);
        assert!(state.put_resolution_state(custom, "Waiting").await.unwrap());
        assert!(state.put_resolution_state(custom, "Waiting for parts").await.unwrap());
        assert!(!state.put_resolution_state(ResolutionState::NEW, "Old").await.unwrap());
        assert!(!state.delete_resolution_state(ResolutionState::CLOSED).await.unwrap());
        let names: Vec<_> = state.resolution_states().await.unwrap().into_iter().map(|s| (s.code.0, s.name)).collect();
        assert_eq!(names.len(), 8);
        assert_eq!(names[1], (7, "Waiting for parts".to_owned()));
        assert!(state.delete_resolution_state(custom).await.unwrap());
        assert!(!state.delete_resolution_state(custom).await.unwrap());
    })
    .await;
}

#[tokio::test]
async fn an_object_lives_as_long_as_a_discovery_finds_it() {
    stores::each(|place| async move {
        let state = open(&place).await;
        let object = |id: &str| Object {
            object_id: id.into(),
            class: "C".into(),
            name: id.to_uppercase(),
            properties: [("C/Key".to_owned(), id.to_owned())].into(),
            discovered_at: 1,
            modified_at: 1,
            ..Object::default()
        };
        let relationship =
            Relationship { relationship_id: "r".into(), class: "R".into(), source: "a".into(), target: "b".into() };
        let mut changes = state.change().await.unwrap();
        changes.put_objects(&[object("a"), object("b")]).await.unwrap();
        changes.put_relationships(std::slice::from_ref(&relationship)).await.unwrap();
        changes.put_relationships(std::slice::from_ref(&relationship)).await.unwrap();
        let ids = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect::<Vec<String>>();
        changes.add_discovered("one", &ids(&["a", "b", "r"])).await.unwrap();
        changes.add_discovered("two", &ids(&["b"])).await.unwrap();
        assert_eq!(changes.discovered_by("one").await.unwrap(), ["a", "b", "r"]);
        assert_eq!(changes.remove_discovered("one", &ids(&["a", "b"])).await.unwrap(), ["a"]);
        let of = MonitorOf { object_id: "a".into(), monitor_id: "m".into() };
        let monitor = MonitorState { of: of.clone(), health: 3, state: "Down".into(), rolled_up: false, changed_at: 5 };
        changes.put_monitor_states(std::slice::from_ref(&monitor)).await.unwrap();
        let change = StateChange {
            of: of.clone(),
            changed_at: 5,
            old_health: 1,
            new_health: 3,
            state: "Down".into(),
            context: "<DataItem/>".into(),
        };
        changes.add_state_changes(std::slice::from_ref(&change)).await.unwrap();
        let entry = ObjectHistory { changed_at: 9, change: "removed".into(), object: object("a") };
        changes.add_object_history(std::slice::from_ref(&entry)).await.unwrap();
        assert_eq!(changes.monitor_states(std::slice::from_ref(&of)).await.unwrap()[&of], monitor);
        changes.commit().await.unwrap();
        assert_eq!(state.monitor_states_of("a").await.unwrap(), vec![monitor]);
        assert_eq!(state.state_changes("a", 10).await.unwrap(), vec![change]);

        let mut changes = state.change().await.unwrap();
        changes.delete_objects(&ids(&["a"])).await.unwrap();
        assert_eq!(changes.discovered_by("one").await.unwrap(), [] as [&str; 0]);
        changes.commit().await.unwrap();
        assert_eq!(state.objects().await.unwrap(), vec![object("b")]);
        assert_eq!(state.object("b").await.unwrap(), Some(object("b")));
        assert_eq!(state.relationships().await.unwrap(), vec![]);
        assert_eq!(state.monitor_states().await.unwrap(), vec![]);
        assert_eq!(state.object_history("a").await.unwrap(), vec![entry]);
    })
    .await;
}

#[tokio::test]
async fn a_removed_pack_takes_its_overrides_and_leaves_its_history() {
    stores::each(|place| async move {
        let state = open(&place).await;
        let mut pack = Pack {
            pack_id: "P".into(),
            version: "1.0.0.0".into(),
            name: "Pack".into(),
            sealed: true,
            form: "xml".into(),
            content: "<ManagementPack/>".into(),
            imported_at: 1,
            imported_by: "anna".into(),
        };
        let setting =
            Override { override_id: "o".into(), pack_id: "P".into(), value: "5".into(), ..Override::default() };
        let mut changes = state.change().await.unwrap();
        changes.put_pack(&pack).await.unwrap();
        pack.version = "1.0.0.1".into();
        pack.imported_at = 2;
        changes.put_pack(&pack).await.unwrap();
        changes.put_override(&setting).await.unwrap();
        changes.commit().await.unwrap();
        assert_eq!(state.packs().await.unwrap(), vec![pack.clone()]);
        assert_eq!(state.pack("P").await.unwrap(), Some(pack));
        assert_eq!(state.overrides().await.unwrap(), vec![setting]);
        let mut changes = state.change().await.unwrap();
        assert!(changes.delete_pack("P", 3, "bert").await.unwrap());
        assert!(!changes.delete_pack("P", 3, "bert").await.unwrap());
        assert!(!changes.delete_override("o").await.unwrap());
        changes.commit().await.unwrap();
        let history: Vec<_> =
            state.pack_history("P").await.unwrap().into_iter().map(|h| (h.version, h.change)).collect();
        let entry = |version: &str, change: &str| (version.to_owned(), change.to_owned());
        assert_eq!(history, [entry("1.0.0.1", "removed"), entry("1.0.0.1", "imported"), entry("1.0.0.0", "imported")]);
    })
    .await;
}

#[tokio::test]
async fn a_secret_goes_to_the_agents_that_may_have_it_and_stands_nowhere_in_plain_text() {
    stores::each(|place| async move {
        let state = open(&place).await;
        let account = |id: &str, less_secure| RunAsAccount {
            account_id: id.into(),
            name: format!("account {id}"),
            kind: "Basic".into(),
            user_name: "monitor".into(),
            less_secure,
            modified_at: 1,
        };
        state.put_run_as_account(&account("narrow", false), Some("geheim-1")).await.unwrap();
        state.put_run_as_account(&account("wide", true), Some("geheim-2")).await.unwrap();
        state.set_run_as_distribution("narrow", &["a".into(), "b".into()]).await.unwrap();
        state.set_run_as_distribution("narrow", &["b".into()]).await.unwrap();
        let secrets = async |agent: &str| {
            let found = state.run_as_credentials(agent).await.unwrap();
            assert!(!format!("{found:?}").contains("geheim"));
            found.into_iter().map(|credential| credential.secret).collect::<Vec<_>>()
        };
        assert_eq!(secrets("a").await, ["geheim-2"]);
        assert_eq!(secrets("b").await, ["geheim-1", "geheim-2"]);
        // a change without a secret keeps it
        let renamed = RunAsAccount { user_name: "other".into(), ..account("narrow", false) };
        state.put_run_as_account(&renamed, None).await.unwrap();
        assert_eq!(secrets("b").await, ["geheim-1", "geheim-2"]);
        assert_eq!(state.run_as_accounts().await.unwrap(), vec![renamed, account("wide", true)]);
        let twin = RunAsAccount { name: "account wide".into(), ..account("twin", true) };
        assert!(state.put_run_as_account(&twin, Some("x")).await.unwrap_err().to_string().contains("exists"));
        let association =
            RunAsAssociation { profile: "P!Profile".into(), scope: String::new(), account_id: "narrow".into() };
        state.associate_run_as(&association).await.unwrap();
        assert_eq!(state.run_as_associations().await.unwrap(), vec![association]);
        assert_eq!(state.run_as_distribution("narrow").await.unwrap(), ["b"]);
        assert!(state.delete_run_as_account("narrow").await.unwrap());
        assert_eq!(state.run_as_associations().await.unwrap(), vec![]);
        assert!(!state.dissociate_run_as("P!Profile", "").await.unwrap());
    })
    .await;
}

#[tokio::test]
async fn a_lease_moves_when_it_expires_or_is_given_back() {
    stores::each(|place| async move {
        let (one, two) = (open(&place).await, open(&place).await);
        let names: Vec<String> = ["x", "y"].map(str::to_owned).to_vec();
        let held = one.take_leases(&names, "one", 0, 100).await.unwrap();
        assert_eq!(held, HashMap::from([("x".to_owned(), 1), ("y".to_owned(), 1)]));
        assert_eq!(two.take_leases(&names, "two", 99, 199).await.unwrap(), HashMap::new());
        assert_eq!(one.take_leases(&names[..1], "one", 50, 150).await.unwrap()["x"], 1, "renewed");
        assert_eq!(two.take_leases(&names, "two", 100, 200).await.unwrap(), HashMap::from([("y".to_owned(), 2)]));
        assert_eq!(two.lease_holder("x", 120).await.unwrap().as_deref(), Some("one"));
        one.release_leases(&names, "one").await.unwrap();
        assert_eq!(two.lease_holder("x", 120).await.unwrap(), None);
        assert_eq!(two.lease_holder("y", 120).await.unwrap().as_deref(), Some("two"), "only the holder gives back");
        assert_eq!(two.take_leases(&names, "two", 120, 220).await.unwrap()["x"], 2);
        let clock = one.clock().await.unwrap();
        assert!(clock > 1_700_000_000_000_000, "{clock}");
    })
    .await;
}

#[tokio::test]
async fn pools_servers_and_assignments_are_kept() {
    stores::each(|place| async move {
        let state = open(&place).await;
        let server = Server { server_id: "s1".into(), name: "one".into(), kind: "management".into(), alive_until: 5 };
        state.put_server(&server).await.unwrap();
        state.put_server(&Server { alive_until: 9, ..server.clone() }).await.unwrap();
        assert_eq!(state.servers().await.unwrap()[0].alive_until, 9);
        let pool = ResourcePool {
            pool_id: "p".into(),
            name: "Pool".into(),
            default_observer: true,
            members: vec!["s1".into(), "s2".into()],
            observers: vec!["s3".into()],
            ..ResourcePool::default()
        };
        state.put_pool(&pool).await.unwrap();
        state.put_pool(&pool).await.unwrap();
        assert_eq!(state.pools().await.unwrap(), vec![pool]);
        assert!(state.delete_server("s1").await.unwrap());
        assert_eq!(state.pools().await.unwrap()[0].members, ["s2"]);
        assert!(state.delete_pool("p").await.unwrap());
        assert!(!state.delete_pool("p").await.unwrap());
        let assignment = Assignment {
            agent_id: "a".into(),
            primary: "s1".into(),
            failover: vec!["s2".into(), "s3".into()],
            proxy: true,
        };
        assert!(!state.assignment("a").await.unwrap().proxy);
        state.put_assignment(&assignment).await.unwrap();
        assert_eq!(state.assignment("a").await.unwrap(), assignment);
    })
    .await;
}

#[tokio::test]
async fn a_finished_task_takes_no_second_result() {
    stores::each(|place| async move {
        let state = open(&place).await;
        let run = |status, output: &str| TaskRun {
            run_id: "r".into(),
            batch_id: "b".into(),
            status,
            output: output.into(),
            deadline_at: 50,
            finished_at: 40,
            ..TaskRun::default()
        };
        let put = async |run: TaskRun| {
            let mut changes = state.change().await.unwrap();
            changes.put_task_runs(&[run]).await.unwrap();
            changes.commit().await.unwrap();
        };
        put(run(TaskStatus::Scheduled, "")).await;
        let mut changes = state.change().await.unwrap();
        assert_eq!(changes.overdue_task_runs(49).await.unwrap(), vec![]);
        assert_eq!(changes.overdue_task_runs(50).await.unwrap().len(), 1);
        drop(changes);
        put(run(TaskStatus::Succeeded, "first")).await;
        put(run(TaskStatus::Failed, "second")).await;
        assert_eq!(state.task_batch("b").await.unwrap(), vec![run(TaskStatus::Succeeded, "first")]);
        assert_eq!(state.task_runs(10).await.unwrap(), vec![run(TaskStatus::Succeeded, "first")]);
    })
    .await;
}

#[tokio::test]
async fn grooming_takes_what_is_old_and_never_an_open_alert() {
    const DAY: i64 = 86_400_000_000;
    stores::each(|place| async move {
        let state = open(&place).await;
        let closed = |id: &str, time_resolved| Alert {
            resolution_state: ResolutionState::CLOSED,
            time_resolved,
            ..alert(id, id)
        };
        let mut changes = state.change().await.unwrap();
        changes.put_alerts(&[alert("open", "open"), closed("old", DAY), closed("new", 9 * DAY)]).await.unwrap();
        let history = |id: &str| AlertHistory {
            changed_at: DAY,
            changed_by: String::new(),
            comment: String::new(),
            alert: alert(id, ""),
        };
        changes.add_alert_history(&[history("old"), history("open")]).await.unwrap();
        let window = |id: &str, ends_at| MaintenanceWindow {
            window_id: id.into(),
            object_id: "o".into(),
            ends_at,
            ..MaintenanceWindow::default()
        };
        changes.put_maintenance_window(&window("old", DAY)).await.unwrap();
        changes.put_maintenance_window(&window("new", 11 * DAY)).await.unwrap();
        let schedule = MaintenanceSchedule {
            schedule_id: "s".into(),
            enabled: true,
            next_at: 5,
            recurrence: serde_json::json!({"FreqType": 4}),
            ..MaintenanceSchedule::default()
        };
        changes.put_maintenance_schedule(&schedule).await.unwrap();
        changes.commit().await.unwrap();
        assert_eq!(state.maintenance_windows(10 * DAY).await.unwrap(), vec![window("new", 11 * DAY)]);
        assert_eq!(state.due_maintenance_schedules(4).await.unwrap(), vec![]);
        assert_eq!(state.due_maintenance_schedules(5).await.unwrap(), vec![schedule]);

        let groomed = state.groom(&Grooming::default(), 10 * DAY).await.unwrap();
        assert_eq!((groomed.alerts, groomed.maintenance_windows), (1, 1));
        let left: Vec<_> =
            state.alerts(&AlertFilter::default()).await.unwrap().into_iter().map(|alert| alert.id).collect();
        assert_eq!(left, ["new", "open"]);
        assert!(state.alert_history("old").await.unwrap().is_empty());
        assert_eq!(state.alert_history("open").await.unwrap().len(), 1);
        assert_eq!(state.maintenance_history("o").await.unwrap(), vec![window("new", 11 * DAY)]);
    })
    .await;
}

#[tokio::test]
async fn heartbeats_of_many_agents_are_noted_together_and_a_removed_agent_leaves_nothing() {
    stores::each(|place| async move {
        let state = open(&place).await;
        for number in 0..700 {
            let agent = Agent {
                agent_id: format!("agent-{number}"),
                computer: "c".into(),
                status: "approved".into(),
                os_name: String::new(),
                agent_version: String::new(),
                certificate_serial: String::new(),
                certificate_not_after: 0,
                enrolled_at: 0,
                last_seen: 10,
            };
            state.put_agent(&agent).await.unwrap();
        }
        let seen: Vec<_> = (0..701).map(|number| (format!("agent-{number}"), 5 + i64::from(number))).collect();
        state.agents_seen(&seen).await.unwrap();
        assert_eq!(state.agent("agent-1").await.unwrap().unwrap().last_seen, 10, "never back");
        assert_eq!(state.agent("agent-699").await.unwrap().unwrap().last_seen, 704);
        state
            .put_assignment(&Assignment { agent_id: "agent-1".into(), proxy: true, ..Assignment::default() })
            .await
            .unwrap();
        assert!(state.delete_agent("agent-1").await.unwrap());
        assert!(!state.delete_agent("agent-1").await.unwrap());
        assert!(!state.assignment("agent-1").await.unwrap().proxy);
    })
    .await;
}
