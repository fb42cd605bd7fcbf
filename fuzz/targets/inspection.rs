//! Inspects arbitrary bytes as an upload, whole and in pieces: the findings must be the same.
#![no_main]

#[path = "../src/inspect.rs"]
mod inspect;

use eventpulse_core::intake::reader::Media;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let [media, piece, bytes @ ..] = data else { return };
    let (content_type, encoding) = match media % 6 {
        0 => ("application/json", None),
        1 => ("application/x-ndjson", None),
        2 => ("application/json", Some("gzip")),
        3 => ("application/x-ndjson", Some("gzip")),
        4 => ("application/json", Some("zstd")),
        _ => ("application/x-ndjson", Some("zstd")),
    };
    let Ok(media) = Media::parse(Some(content_type), encoding, "readings") else { return };
    let whole = inspect::findings(media.clone(), bytes, bytes.len().max(1));
    let in_pieces = inspect::findings(media, bytes, usize::from(*piece % 61) + 1);
    assert_eq!(whole, in_pieces);
});
