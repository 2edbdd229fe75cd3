//! A client of Configuration Manager's administration service (OData 4 over HTTPS on the SMS Provider): sign-in by token
//! or Windows account, pages, tries, sites with their service connection point, device collections and their members, and
//! collections that are written.
//! What goes wrong is told apart ([`Part`]), each with what to do about it.
//!
//! This crate knows no store, no schedule and no workspace: who asks decides what becomes of an answer.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod answer;
mod client;
mod collections;
mod inventory;
mod kerberos;
mod ntlm;
mod odata;
mod problem;
mod sites;
mod tokens;
mod transport;
mod write;

pub use client::{Account, Application, Client, Kdc, Settings, SignIn};
pub use collections::{Collection, Member};
pub use inventory::{Device, Hardware};
pub use odata::Pages;
pub use problem::{Part, Problem};
pub use sites::{Check, ConnectionPoint, Hierarchy, LEAST_BUILD, Site, SiteKind};
pub use tokens::sign_in;
pub use write::{ALL_SYSTEMS, DirectRule, LEAST_BUILD_TO_WRITE, Resource};
