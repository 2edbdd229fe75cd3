//! Services of the system's service manager.

use watchkeeper_model::item::DataItem;

use super::schedule::Frequency;
use super::text::{fill, nobody};
use crate::workflow::job::{Job, Limits, Weight};
use crate::workflow::module::{Context, Failure, Item, Module, Setup};

struct Service {
    name: String,
    frequency: Option<Frequency>,
    limits: Limits,
}

/// `System.ServiceStateProbe`: `ServiceName`. A property bag with `Name`, `LoadState`, `ActiveState`, `SubState`,
/// `UnitFileState`, `MainPID`, `NRestarts`, `Description`, and `State` and `StartMode` in the numbers of
/// `Win32_Service` (`State` 4 running, 1 stopped, 2 starting, 3 stopping; `StartMode` 2 automatic, 3 manual, 4
/// disabled).
///
/// # Errors
/// When the name is missing.
pub fn probe(setup: &Setup<'_>) -> Result<Box<dyn Module>, String> {
    Ok(Box::new(Service { name: setup.required("ServiceName")?.to_owned(), frequency: None, limits: setup.limits }))
}

/// `System.ServiceStateProvider`: the same every `Frequency` seconds.
///
/// # Errors
/// When a parameter is missing or cannot be.
pub fn provider(setup: &Setup<'_>) -> Result<Box<dyn Module>, String> {
    let frequency = Frequency::new(setup.required_number("Frequency")?, setup.seed)?;
    let name = setup.required("ServiceName")?.to_owned();
    Ok(Box::new(Service { name, frequency: Some(frequency), limits: setup.limits }))
}

impl Service {
    fn begin(&self, item: Option<&Item>, context: &mut Context<'_>) -> Result<(), Failure> {
        let name = fill(&self.name, item.map(AsRef::as_ref), context.accounts)?;
        let state = context.platform.service(&name);
        let now = context.now;
        let source = item.map_or_else(nobody, |item| item.source);
        context.begin(Job::new(Weight::Process, self.limits, async move {
            let state = state.await.map_err(Failure::new)?;
            let number = match state.active.as_str() {
                "active" | "reloading" => "4",
                "activating" => "2",
                "deactivating" => "3",
                _ => "1",
            };
            let mode = match state.unit_file.as_str() {
                "enabled" | "enabled-runtime" | "static" | "generated" | "alias" => "2",
                "disabled" if state.load != "masked" => "3",
                "masked" | "masked-runtime" | "disabled" => "4",
                _ => "3",
            };
            let properties = [
                ("Name", name),
                ("Description", state.description),
                ("LoadState", state.load),
                ("ActiveState", state.active),
                ("SubState", state.sub),
                ("UnitFileState", state.unit_file),
                ("MainPID", state.main_process.to_string()),
                ("NRestarts", state.restarts.to_string()),
                ("State", number.to_owned()),
                ("StartMode", mode.to_owned()),
            ];
            Ok(vec![DataItem::property_bag(now, source, properties)])
        }));
        Ok(())
    }
}

impl Module for Service {
    fn start(&mut self, context: &mut Context<'_>) -> Result<(), Failure> {
        if let Some(frequency) = &mut self.frequency {
            frequency.plan(context);
        }
        Ok(())
    }

    fn wake(&mut self, context: &mut Context<'_>) -> Result<(), Failure> {
        if let Some(frequency) = &mut self.frequency {
            frequency.plan(context);
        }
        self.begin(None, context)
    }

    fn take(&mut self, _: usize, items: &[Item], context: &mut Context<'_>) -> Result<(), Failure> {
        match items.last() {
            Some(item) => self.begin(Some(item), context),
            None => Ok(()),
        }
    }
}
