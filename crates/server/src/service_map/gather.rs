//! Asks a workspace for the maps of a connection. Nothing is changed by it: what was cut off left no half.

use std::collections::HashMap;

use futures::{StreamExt, TryStreamExt};
use watchkeeper_model::ids::ObjectId;
use watchkeeper_servicemap::{Client, Kind, Machine, Map, Place, Problem, Window};
use watchkeeper_state::{ChosenGroup, MapSettings};

use super::computers::{Computers, Known};

/// Maps that are asked for at one time.
const AT_ONCE: usize = 4;

/// What a view is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Subject {
    /// A computer of the Servers group, with its machine of the map where the workspace has one.
    Server {
        computer: Known,
        machine: Option<String>,
    },
    Group(ChosenGroup),
}

/// What a workspace told.
#[derive(Debug, Clone, Default)]
pub(super) struct Gathered {
    pub views: Vec<(Subject, Map)>,
    /// Servers that are no computers of the management group.
    pub unknown: Vec<String>,
    /// What went wrong without keeping the rest from being shown: a machine group that is gone.
    pub problem: Option<Problem>,
}

pub(super) async fn gather(
    client: &Client,
    place: &Place,
    settings: &MapSettings,
    computers: &Computers,
    window: &Window,
) -> Result<Gathered, Problem> {
    let machines = client.machines(place, window).await?;
    let monitored = machines.iter().filter(|machine| machine.monitored);
    let known: HashMap<ObjectId, &Machine> =
        monitored.filter_map(|machine| Some((computers.of_machine(machine)?.object, machine))).collect();
    let mut gathered = Gathered::default();
    let mut subjects: Vec<(Subject, Option<String>)> = Vec::new();
    for server in &settings.servers {
        let Some(computer) = computers.named(server) else {
            gathered.unknown.push(server.clone());
            continue;
        };
        let machine = known.get(&computer.object);
        let subject =
            Subject::Server { computer: computer.clone(), machine: machine.map(|machine| machine.name.clone()) };
        subjects.push((subject, machine.map(|machine| machine.id.clone())));
    }
    subjects.extend(settings.machine_groups.iter().map(|group| (Subject::Group(group.clone()), None)));
    let asked = subjects.into_iter().map(|(subject, machine)| async move {
        let map = match (&subject, machine) {
            (Subject::Server { .. }, Some(machine)) => client.map_of_machine(place, &machine, window).await?,
            (Subject::Server { .. }, None) => Map::default(),
            (Subject::Group(group), _) => match client.map_of_group(place, &group.id, window).await {
                Err(problem) if problem.kind == Kind::MachineGroup => return Ok(Err(problem)),
                map => map?,
            },
        };
        Ok(Ok((subject, map)))
    });
    let answers: Vec<Result<(Subject, Map), Problem>> =
        futures::stream::iter(asked).buffered(AT_ONCE).try_collect::<Vec<_>>().await?;
    for answer in answers {
        match answer {
            Ok(view) => gathered.views.push(view),
            Err(problem) => gathered.problem = Some(problem),
        }
    }
    Ok(gathered)
}
