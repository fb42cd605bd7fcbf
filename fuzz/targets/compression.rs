//! Compresses the input, damages the stream and inspects it: whole and in pieces, the findings must be the same.
#![no_main]

#[path = "../src/inspect.rs"]
mod inspect;

use std::io::Write as _;

use eventpulse_core::intake::reader::Media;
use flate2::Compression;
use flate2::write::GzEncoder;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let [kind, piece, index, change, bytes @ ..] = data else { return };
    let (first, second) = bytes.split_at(bytes.len() / 2);
    let gzip = |bytes: &[u8]| {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).expect("memory");
        encoder.finish().expect("memory")
    };
    let zstd = |bytes: &[u8]| zstd::encode_all(bytes, 1).expect("memory");
    let (encoding, mut stream) = match kind % 4 {
        0 => ("gzip", gzip(bytes)),
        1 => ("gzip", [gzip(first), gzip(second)].concat()),
        2 => ("zstd", zstd(bytes)),
        _ => ("zstd", [zstd(first), zstd(second)].concat()),
    };
    let at = usize::from(*index) * stream.len() / 256;
    if kind & 0x80 != 0 {
        stream.truncate(at);
    } else if let Some(byte) = stream.get_mut(at) {
        *byte ^= *change;
    }
    let Ok(media) = Media::parse(Some("application/x-ndjson"), Some(encoding), "readings") else { return };
    let whole = inspect::findings(media.clone(), &stream, stream.len().max(1));
    let in_pieces = inspect::findings(media, &stream, usize::from(*piece % 61) + 1);
    assert_eq!(whole, in_pieces);
});
