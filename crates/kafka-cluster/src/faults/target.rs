use kafka_transport::Connection;

use crate::{Cluster, Error, Node};

/// A cluster that can be broken.
pub trait Target: Sync {
    /// How to reach it as one of its users.
    ///
    /// # Errors
    /// A user who is not there.
    fn connection_as(&self, user: &str) -> Result<Connection, Error>;

    /// The ids of its brokers.
    fn brokers(&self) -> Vec<u8>;

    /// Ends a broker as a crash would.
    ///
    /// # Errors
    /// A broker that is not there.
    fn kill(&self, broker: u8) -> Result<(), Error>;

    /// Ends a broker in order: its partitions move first.
    ///
    /// # Errors
    /// A broker that is not there, or does not end.
    fn stop(&self, broker: u8) -> Result<(), Error>;

    /// Starts a broker again with its data.
    ///
    /// # Errors
    /// A broker that does not start.
    fn restart(&self, broker: u8) -> Result<(), Error>;

    /// Waits until every broker serves.
    ///
    /// # Errors
    /// A broker that does not.
    fn await_ready(&self) -> Result<(), Error>;

    /// Lets a broker stand still, with its connections open.
    ///
    /// # Errors
    /// A broker that is not there.
    fn freeze(&self, broker: u8) -> Result<(), Error>;

    /// Lets a frozen broker go on.
    ///
    /// # Errors
    /// A broker that is not there.
    fn thaw(&self, broker: u8) -> Result<(), Error>;

    /// Lets nothing through between clients and a broker; other brokers still reach it.
    ///
    /// # Errors
    /// A broker that is not there, or a network that cannot be cut.
    fn cut(&self, broker: u8) -> Result<(), Error>;

    /// Lets everything through again, what was held up too.
    ///
    /// # Errors
    /// As for [`Target::cut`].
    fn heal(&self, broker: u8) -> Result<(), Error>;
}

impl Target for Cluster {
    fn connection_as(&self, user: &str) -> Result<Connection, Error> {
        Self::connection_as(self, user)
    }

    fn brokers(&self) -> Vec<u8> {
        let id = |node| match node {
            Node::Broker(id) => Some(id),
            Node::ZooKeeper(_) => None,
        };
        self.nodes().filter_map(id).collect()
    }

    fn kill(&self, broker: u8) -> Result<(), Error> {
        Self::kill(self, Node::Broker(broker))
    }

    fn stop(&self, broker: u8) -> Result<(), Error> {
        Self::stop(self, Node::Broker(broker))
    }

    fn restart(&self, broker: u8) -> Result<(), Error> {
        Self::restart(self, Node::Broker(broker))
    }

    fn await_ready(&self) -> Result<(), Error> {
        Self::await_ready(self)
    }

    fn freeze(&self, broker: u8) -> Result<(), Error> {
        Self::freeze(self, Node::Broker(broker))
    }

    fn thaw(&self, broker: u8) -> Result<(), Error> {
        Self::thaw(self, Node::Broker(broker))
    }

    fn cut(&self, broker: u8) -> Result<(), Error> {
        self.proxy(broker).map(|proxy| proxy.cut())
    }

    fn heal(&self, broker: u8) -> Result<(), Error> {
        self.proxy(broker).map(|proxy| proxy.heal())
    }
}
