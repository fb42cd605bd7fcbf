//! Numbers that are exact to the last bit: those of the core, judged by exact fractions, by certified data sets and by Python.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::cast_precision_loss, reason = "a test may")]

mod answers;
mod data_sets;
mod fractions;
mod million;
mod oracle;
mod oracle_check;
mod product;
mod python;
mod reading;
mod splits;
#[path = "../support/mod.rs"]
mod support;
mod values;
