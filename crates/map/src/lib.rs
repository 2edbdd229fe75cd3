//! Who talks to whom: the rows of `VMComputer`, `VMProcess`, `VMBoundPort` and `VMConnection` of a window of time, joined
//! to one graph of machines, processes, ports and links. Pure: no clock, disk or network, and nothing of the server.
//!
//! [`join`] makes the [`Graph`], in which every link has its two ends and its address; [`Map::of`] groups it to what
//! people look at: clients without an agent by the process and port they use, servers without one by port.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod addresses;
mod around;
mod figures;
mod graph;
mod hashing;
mod ids;
mod join;
mod map;
mod rows;
mod time;

pub use figures::Figures;
pub use graph::{End, Graph, Link, Machine, Port, Process};
pub use ids::{address_name, client_group_id, edge_id, port_group_id, process_id, stable};
pub use join::join;
pub use map::{Bytes, ClientGroup, Edge, Links, MOST_ADDRESSES_SHOWN, Map, MapMachine, MapPort, MapProcess, PortGroup};
pub use rows::{
    Computer, ComputerDetails, Connection, ConnectionKey, Direction, PortRow, ProcessDetails, ProcessRow, Rows,
};
pub use time::{Time, Window};
