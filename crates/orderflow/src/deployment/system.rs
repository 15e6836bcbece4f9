//! Which system a deployment is, and what follows from that.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use super::Root;

/// Which system a deployment is. Both may be in one account: nothing of the one has a name of the other's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum System {
    /// The shop: a cluster of seven hosts, and functions.
    #[default]
    Shop,
    /// The food orders: all of it on one small host.
    Food,
}

impl System {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Shop => "shop",
            Self::Food => "food",
        }
    }

    /// Behind a command: what is meant without a word needs none.
    pub(crate) const fn argument(self) -> &'static str {
        match self {
            Self::Shop => "",
            Self::Food => " food",
        }
    }

    /// Where it is kept, without an option that says otherwise.
    pub(super) const fn folder(self) -> &'static str {
        match self {
            Self::Shop => "deployment",
            Self::Food => "deployment-food",
        }
    }

    /// Terraform's roots that it is made by, in the order in which they are applied.
    pub(crate) const fn roots(self) -> &'static [Root] {
        match self {
            Self::Shop => &[Root::Cluster, Root::Services],
            Self::Food => &[Root::Food],
        }
    }

    /// That of them which makes its hosts.
    pub(crate) const fn root_of_hosts(self) -> Root {
        match self {
            Self::Shop => Root::Cluster,
            Self::Food => Root::Food,
        }
    }

    /// The playbook by which its hosts become what they are for.
    pub(crate) const fn playbook(self) -> &'static str {
        match self {
            Self::Shop => "site.yml",
            Self::Food => "food.yml",
        }
    }

    /// The role of the host that has the operator's commands.
    pub(crate) const fn console(self) -> &'static str {
        match self {
            Self::Shop => "console",
            Self::Food => "food",
        }
    }

    /// After so many hours a new one stops by itself. The host of the food orders has nobody who would stop it.
    pub(crate) const fn hours(self) -> Option<u32> {
        match self {
            Self::Shop => Some(4),
            Self::Food => None,
        }
    }

    /// What its things of AWS have as the tag `Project`, and in their names.
    pub(crate) const fn project(self) -> &'static str {
        match self {
            Self::Shop => "orderflow",
            Self::Food => "orderflow-food",
        }
    }
}
