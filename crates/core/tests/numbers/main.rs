//! Numbers that are exact to the last bit: those of the core, judged by exact fractions and by certified data sets.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::cast_precision_loss, reason = "a test may")]

mod answers;
mod data_sets;
mod fractions;
mod million;
mod oracle;
mod oracle_check;
mod product;
mod splits;
mod values;
