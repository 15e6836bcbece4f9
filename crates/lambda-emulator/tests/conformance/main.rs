//! The rules that the emulator keeps, a test each; the comment above says where the rule stands.
#![cfg(test)]

mod clients; // AWS's own, from PyPI
mod cluster; // mappings on Apache Kafka
mod control_plane; // Lambda's API beside Invoke
mod endpoints; // zips, secrets and schedules from elsewhere
mod faults; // what the emulator breaks itself
mod fixture; // an emulator with a function that does what its event asks for
mod invocations; // the Invoke API and the Runtime API
mod mappings; // event source mappings on the embedded cluster
mod program; // the program, its flags and its end
mod schedules; // events at a rate
mod secrets; // Secrets Manager
