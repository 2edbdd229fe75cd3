//! What comes out of a join: machines, processes and ports by index, and links with both their ends.

use std::net::IpAddr;
use std::sync::Arc;

use crate::figures::Figures;
use crate::rows::{Computer, ProcessRow};
use crate::time::{Time, Window};

/// A machine with an agent.
#[derive(Debug, Clone, PartialEq)]
pub struct Machine {
    /// `m-` and the agent's identity.
    pub id: String,
    pub name: String,
    pub full_name: String,
    /// What `VMComputer` says, where there is a row.
    pub computer: Option<Computer>,
    /// All addresses by which it speaks, loopback left out, in order.
    pub addresses: Vec<IpAddr>,
    /// Its newest row of any table.
    pub last_seen: Time,
    /// It sent rows in the window; false where only others in the window speak of it.
    pub reported: bool,
}

/// Processes of a machine that share a program, user and command line.
#[derive(Debug, Clone, PartialEq)]
pub struct Process {
    /// Index of its machine.
    pub machine: usize,
    /// As in `VMProcess`: unique within its machine.
    pub name: String,
    /// The executable's name.
    pub executable: String,
    pub display_name: String,
    /// What `VMProcess` says, where there is a row.
    pub row: Option<Arc<ProcessRow>>,
    /// Only concluded from what others report: whoever accepts on a port, or uses somebody's.
    pub discovered: bool,
}

/// A port on which a process listens.
#[derive(Debug, Clone, PartialEq)]
pub struct Port {
    pub machine: usize,
    pub process: usize,
    pub address: IpAddr,
    pub wildcard: bool,
    pub port: u16,
    pub protocol: String,
    pub last_seen: Time,
}

/// One end of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum End {
    /// Index of a process on a machine with an agent.
    Process(usize),
    /// An address without an agent, or one that several machines have.
    Address(IpAddr),
}

/// All connections from one end to another over one address and port.
#[derive(Debug, Clone, PartialEq)]
pub struct Link {
    pub client: End,
    pub server: End,
    /// The server's address: its own where its agent reports the link, else as the client calls it.
    pub address: IpAddr,
    pub port: u16,
    pub protocol: String,
    /// As the client sees it.
    pub figures: Figures,
    /// Names of the server's address, as its clients asked for them.
    pub dns_names: Vec<String>,
    pub first_seen: Time,
    pub last_seen: Time,
}

/// Who talked to whom in a window.
#[derive(Debug, Clone, PartialEq)]
pub struct Graph {
    pub window: Window,
    pub machines: Vec<Machine>,
    pub processes: Vec<Process>,
    pub ports: Vec<Port>,
    pub links: Vec<Link>,
}

impl Graph {
    /// The machine of an end, where it has an agent.
    #[must_use]
    pub fn machine_of(&self, end: End) -> Option<usize> {
        match end {
            End::Process(process) => Some(self.processes[process].machine),
            End::Address(_) => None,
        }
    }
}
