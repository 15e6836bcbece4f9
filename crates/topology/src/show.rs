//! The topology for people and for tools. Every rendering ends with a newline and depends on the topology alone.

mod dot;
mod json;
mod mermaid;
mod table;

pub use dot::dot;
pub use json::json;
pub use mermaid::mermaid;
pub use table::table;
