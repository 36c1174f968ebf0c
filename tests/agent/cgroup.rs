//! Recorded trees, and real processes in trees that say so.

mod process;
mod tree;
mod v1;
mod v2;
mod wait;
