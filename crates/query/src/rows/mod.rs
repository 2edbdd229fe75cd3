//! Functions that the planner uses below operators, which no query names: expanding arrays, taking texts apart.
//! Each is built again from its name and arguments, so that plans can travel.

pub mod expand;
pub mod extract;
pub mod fold;
pub mod series;
