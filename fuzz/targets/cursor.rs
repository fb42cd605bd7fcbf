//! Opens arbitrary cursors: only a cursor that was created for the same owner and list opens.
#![no_main]

#[path = "../../crates/api/src/cursor.rs"]
mod cursor;

use cursor::Seal;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let seal = Seal { key: "0123456789abcdef0123456789abcdef", owner: "u1", list: "uploads", filters: &[None] };
    if let Some(position) = seal.open(text) {
        assert_eq!(seal.close(&position), text);
    }
    let closed = seal.close(text);
    assert_eq!(seal.open(&closed).as_deref(), Some(text));
    assert_eq!(Seal { owner: "u2", ..seal }.open(&closed), None);
});
