//! What the servers run themselves: the objects without an agent, by pool, with the states that are known.
#![allow(clippy::unwrap_used)]

#[path = "../../state/tests/stores/mod.rs"]
mod stores;

use std::sync::Arc;

use watchkeeper_management::group::Own;
use watchkeeper_management::maintenance::MaintenanceIndex;
use watchkeeper_management::pools::ALL_SERVERS;
use watchkeeper_management::{AgentIdentity, Group, Operational};
use watchkeeper_model::ids::{ElementId, ObjectId};
use watchkeeper_model::objects::Classes;
use watchkeeper_state::{Pack, State};
use watchkeeper_wire::proto::operational_item::Item;
use watchkeeper_wire::proto::{
    DiscoveredInstance, DiscoveredProperty, DiscoveredRelationship, DiscoveryData, OperationalItem,
};

const PACK: &str = include_str!("../../../tests/packs/Test.Sites.xml");
/// A pool of its own, as packs make them.
const POOL_CLASS: &str = r#"<ClassType ID="Test.Sites.Branch" Accessibility="Public" Abstract="false" Base="Center!Microsoft.SystemCenter.ManagementServicePool" Hosted="false" Singleton="true" />
        <ClassType ID="Test.Sites.Site""#;

fn element(id: &str) -> ElementId {
    ElementId::of("Test.Sites", id)
}

async fn open(place: &stores::Place) -> (Group, Operational) {
    let state = State::open(&place.url, &place.key).await.unwrap();
    let pack = PACK.replace("<ClassType ID=\"Test.Sites.Site\"", POOL_CLASS).replace(
        "<DisplayString ElementID=\"Test.Sites.Show\">",
        "<DisplayString ElementID=\"Test.Sites.Branch\"><Name>Branch</Name></DisplayString>\
         <DisplayString ElementID=\"Test.Sites.Show\">",
    );
    let pack = Pack {
        pack_id: "Test.Sites".into(),
        version: "1.0.0.0".into(),
        form: "xml".into(),
        content: pack,
        name: "Sites".into(),
        sealed: false,
        imported_at: 1,
        imported_by: "test".into(),
    };
    let mut changes = state.change().await.unwrap();
    changes.put_pack(&pack).await.unwrap();
    changes.commit().await.unwrap();
    let own = Own { management_group: "Works".into(), server_id: "server-1".into() };
    let group = Group::open(state.clone(), own).await.unwrap();
    let (catalogue, discovery) = (Arc::new(group.clone()), Arc::new(group.clone()));
    let maintenance = Arc::new(MaintenanceIndex::default());
    let operational = Operational::start(state, "server-1", "Works", catalogue, discovery, maintenance);
    (group, operational)
}

fn site(port: u32) -> DiscoveredInstance {
    let property = |name: &str, value: &str| DiscoveredProperty { name: name.into(), value: value.into() };
    DiscoveredInstance {
        class: element("Test.Sites.Site").to_string(),
        properties: vec![property("Server", "localhost"), property("Port", &port.to_string())],
        ..DiscoveredInstance::default()
    }
}

#[tokio::test]
async fn objects_without_an_agent_are_work_of_a_pool_and_a_relationship_gives_them_to_another() {
    stores::each(|place| async move {
        let (group, operational) = open(&place).await;
        let all_servers = {
            let space = group.read();
            space.library.singleton(ElementId::of(
                "Microsoft.SystemCenter.Library",
                "Microsoft.SystemCenter.AllManagementServersPool",
            ))
        };
        let branch = group.read().library.singleton(element("Test.Sites.Branch"));
        let should = ElementId::of(
            "Microsoft.SystemCenter.Library",
            "Microsoft.SystemCenter.ManagementActionPointShouldManageEntity",
        );
        let found = |second: bool| DiscoveryData {
            discovery: element("Test.Sites.Discovery").to_string(),
            target: all_servers.to_string(),
            snapshot: true,
            instances: vec![site(1), site(2)],
            relationships: second
                .then(|| DiscoveredRelationship {
                    relationship: should.to_string(),
                    source: Some(DiscoveredInstance { class: branch.to_string(), ..DiscoveredInstance::default() }),
                    target: Some(site(2)),
                    ..DiscoveredRelationship::default()
                })
                .into_iter()
                .collect(),
            ..DiscoveryData::default()
        };
        let says = async |sequence: u64, data: DiscoveryData| {
            let identity = AgentIdentity { agent_id: "server-1".into(), computer: "box".into(), queue: "own".into() };
            let item = OperationalItem { time: 0, item: Some(Item::Discovery(data)) };
            operational.apply(&identity, sequence, vec![item]).await.unwrap();
        };
        says(1, found(false)).await;
        let sites = |group: &Group| -> Vec<ObjectId> {
            let space = group.read();
            let mut all: Vec<ObjectId> =
                space.objects.of_class(element("Test.Sites.Site"), space.library.as_ref()).into_iter().collect();
            all.sort_by_key(|id| space.objects.get(*id).unwrap().properties["Port"].clone());
            all
        };
        let [one, two] = sites(&group).try_into().unwrap();
        assert_eq!(group.read().pool_work(one), Some((ALL_SERVERS.to_owned(), one.to_string())));
        let runs = |pool: &str, object: ObjectId| {
            let mine = |of: &str, work: &str| of == pool && work == object.to_string();
            let (workflows, _) = group.workflows_of_pool(&[], &mine);
            assert!(workflows.workflows.iter().all(|workflow| workflow.object == object));
            workflows.workflows.len()
        };
        // the rule, the task and the monitor
        assert_eq!((runs(ALL_SERVERS, one), runs(ALL_SERVERS, two)), (3, 3));
        assert!(runs(ALL_SERVERS, all_servers) >= 1, "the discovery");

        group.take_stale_pool();
        says(2, found(true)).await;
        assert!(group.take_stale_pool(), "the work is another's now");
        assert_eq!(group.read().pool_work(two), Some(("Branch".to_owned(), two.to_string())));
        assert_eq!((runs(ALL_SERVERS, one), runs(ALL_SERVERS, two), runs("Branch", two)), (3, 0, 3));
        says(3, found(false)).await;
        assert!(group.take_stale_pool());
        assert_eq!(runs(ALL_SERVERS, two), 3);
    })
    .await;
}
