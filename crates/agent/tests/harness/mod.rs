//! One module on a bench, with a clock in seconds.
#![allow(clippy::unwrap_used, dead_code)]

use std::sync::Arc;

use uuid::Uuid;
use watchkeeper_agent::collect::Origin;
use watchkeeper_agent::linux::platform::Linux;
use watchkeeper_agent::queue::Positions;
use watchkeeper_agent::workflow::Accounts;
use watchkeeper_agent::workflow::job::Limits;
use watchkeeper_agent::workflow::module::{Context, Failure, Item, Module, Owner, Setup};
use watchkeeper_agent::workflow::modules;
use watchkeeper_agent::workflow::outbox::Outbox;
use watchkeeper_model::ids::{ElementId, ObjectId};
use watchkeeper_model::item::{DataItem, Sample};
use watchkeeper_model::node::Node;

const SECOND: i64 = 1_000_000;

pub fn texts(pairs: &[(&str, &str)]) -> Node {
    let children = pairs.iter().map(|(name, text)| Node::text(*name, *text)).collect();
    Node { children, ..Node::new("Configuration") }
}

pub fn bag(properties: &[(&str, &str)]) -> DataItem {
    DataItem::property_bag(0, ObjectId(Uuid::nil()), properties.iter().map(|(name, value)| (*name, *value)))
}

pub fn sample(value: f64) -> DataItem {
    DataItem::performance(0, ObjectId(Uuid::nil()), &Sample { value: Some(value), ..Sample::default() })
}

pub fn equals(query: &str, value: &str) -> Node {
    let operand = |node: Node| Node::new("ValueExpression").with_child(node);
    let simple = Node::new("SimpleExpression")
        .with_child(operand(Node::text("XPathQuery", query)))
        .with_child(Node::text("Operator", "Equal"))
        .with_child(operand(Node::text("Value", value)));
    Node::new("Expression").with_child(simple)
}

pub struct Bench {
    module: Box<dyn Module>,
    now: i64,
    wake: Option<i64>,
    platform: Linux,
    outbox: Outbox,
}

impl Bench {
    pub fn new(kind: &str, configuration: Node) -> Self {
        let owner = Owner { element: "T!E".into(), element_id: ElementId::of("T", "E"), object: ObjectId(Uuid::nil()) };
        let setup = Setup {
            configuration: &configuration,
            owner: &owner,
            seed: Uuid::nil(),
            limits: Limits::default(),
            run_as: None,
            accounts: &Accounts::default(),
            files: None,
        };
        let module = (modules::find(kind).unwrap().make)(&setup).unwrap();
        let mut bench = Self { module, now: 0, wake: None, platform: Linux::default(), outbox: Outbox::default() };
        bench.call(|module, context| module.start(context));
        bench
    }

    fn call(
        &mut self,
        call: impl FnOnce(&mut dyn Module, &mut Context<'_>) -> Result<(), Failure>,
    ) -> Vec<(i64, Item)> {
        let (accounts, origin, positions) = (Accounts::default(), Origin::default(), Positions::default());
        let mut context = Context::new(self.now, &mut self.platform, &accounts, &origin, &positions, &mut self.outbox);
        call(self.module.as_mut(), &mut context).unwrap();
        let left = context.finish();
        if let Some(wake) = left.wake {
            self.wake = wake;
        }
        left.emitted.into_iter().flatten().map(|item| (self.now / SECOND, item)).collect()
    }

    /// The item as of now: sources give the time of what they read.
    pub fn timed(&self, mut item: DataItem) -> DataItem {
        item.time = self.now;
        item
    }

    /// Gives items to the module now, with the time of now.
    pub fn take(&mut self, input: usize, items: Vec<DataItem>) -> Vec<(i64, Item)> {
        let items: Vec<Item> = items.into_iter().map(|item| Arc::new(self.timed(item))).collect();
        self.call(|module, context| module.take(input, &items, context))
    }

    /// Moves the clock on; wakes the module when it asked for it.
    pub fn until(&mut self, seconds: i64) -> Vec<(i64, Item)> {
        let mut given = Vec::new();
        while let Some(wake) = self.wake.filter(|wake| *wake <= seconds * SECOND) {
            self.now = wake.max(self.now);
            self.wake = None;
            given.extend(self.call(|module, context| module.wake(context)));
        }
        self.now = seconds * SECOND;
        given
    }
}
