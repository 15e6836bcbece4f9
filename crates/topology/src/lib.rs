//! The typed, checked view of `topology.json`: topics, services, who writes and reads what, and the limits of each.
//!
//! Pure: text in, values or every broken rule out. Rust, Nix, Terraform and Ansible all read that file; this reader is
//! the one that refuses, so it runs first. Start with [`Topology::built_in`].

mod document; // JSON as a tree: keys in their order, none twice, integers apart from floats
mod error; //    what is wrong, and where in the file
mod names; //    what a topic, a group, a service and a setting may be called
mod nearest; //  "did you mean"
mod reader; //   tree -> values of the right type within their range
mod rights; //   what each service may do on the cluster
mod rules; //    what must hold between topics, services and groups
mod service; //  a service: what it consumes, produces and is allowed
mod shape; //    the shape of the file: its keys, types and ranges
pub mod show; // the topology as a table, a drawing or JSON
mod topic; //    a topic
mod topology; // the whole, and the questions it answers

pub use error::{Error, Problem};
pub use rights::{Operation, Resource, Right};
pub use service::{Consumption, Host, Retry, Service, System};
pub use topic::Topic;
pub use topology::Topology;
