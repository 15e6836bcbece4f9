use kafka_transport::Connection;

use crate::call::Call;

impl Call {
    /// With what a client of this connection needs of the environment.
    pub(crate) fn on(self, connection: &Connection) -> Self {
        connection.variables().into_iter().fold(self, |call, (name, value)| call.env(name, &value))
    }
}
