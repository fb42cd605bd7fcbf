//! This package contains only tests: see `architecture.rs`, `end_to_end/` and `template/`.
