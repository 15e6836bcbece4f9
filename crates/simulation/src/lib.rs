//! A Kafka in memory with virtual time and planted faults, for the very workers that run elsewhere.
//!
//! One seed is one schedule, and replays to the last byte. Every consumer group has two members, each with a
//! [`messaging::Worker`]; the source publishes the orders; faults strike until some seconds after the last order; then
//! everything must come to its end, and the audit reads the topics. Start with [`Simulation`].

pub mod broker; // topics, partitions, groups, offsets
pub mod faults; // what can go wrong, by name

mod clock; // a machine's clock, which may jump
mod corruption; // bytes that nobody can decode
mod examination; // after the run: the audit reads the topics
mod group; // who of a group reads what, and how far they are
mod handle; // a member handles a batch and produces
mod incident; // what went wrong, for the log
mod life; // members come and go; the faults that last
mod member; // what a host keeps beside its worker
mod network; // the way to the broker and back
mod plan; // how often each fault strikes
mod queue; // what happens next
mod random; // chance from one seed
mod report; // what a run came to
mod run; // the loop that lets things happen
mod sabotage; // planted bugs: proof that the audit can fail
mod simulation; // the builder
mod source; // what publishes the orders
mod step; // between a worker and the system's step
mod store; // stores that fail at their commits
mod system; // what is simulated
mod turn; // a member fetches and commits

pub use faults::{CrashPoint, Fault, Faults};
pub use report::{Report, Stuck};
pub use sabotage::Sabotage;
pub use simulation::Simulation;
pub use store::{Store, Trouble};
pub use system::{Consumer, Order, System};
