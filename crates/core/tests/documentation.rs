//! The table of failure codes in the documentation equals that of the code.

use eventpulse_core::intake::failure::{FailureCode, FailureScope};

#[test]
fn documentation_has_the_table_of_failure_codes() {
    let page = include_str!("../../../docs/schemas-and-failure-codes.md");
    let mut table = String::from("| code | of | meaning |\n|---|---|---|\n");
    for code in FailureCode::ALL {
        let scope = match code.scope() {
            FailureScope::Upload => "upload",
            FailureScope::Record => "record",
        };
        table.push_str(&format!("| `{code}` | {scope} | {} |\n", code.meaning()));
    }
    assert!(page.contains(&table), "the table in docs/schemas-and-failure-codes.md must read:\n{table}");
}
