//! The daemon.
pub mod bfd_io;
pub mod config;
pub mod control;
pub mod metrics;
