//! The README's table of failure codes is the code's.

use eventpulse_core::intake::failure::{FailureCode, FailureScope};

#[test]
fn the_readme_has_the_table_of_failure_codes() {
    let readme = include_str!("../../../README.md");
    let mut table = String::from("| code | of | meaning |\n|---|---|---|\n");
    for code in FailureCode::ALL {
        let scope = match code.scope() {
            FailureScope::Upload => "upload",
            FailureScope::Record => "record",
        };
        table.push_str(&format!("| `{code}` | {scope} | {} |\n", code.meaning()));
    }
    assert!(readme.contains(&table), "the table between the marks must read:\n{table}");
}
