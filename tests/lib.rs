//! Only tests live here: see `end_to_end/` and `template.rs`.
