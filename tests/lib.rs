//! This package contains only tests: see `end_to_end/` and `template/`.
