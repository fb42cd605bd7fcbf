//! Compressed uploads: members, frames, padding and damage.

use std::io::Write;

use flate2::write::GzEncoder;

use super::super::media::ZSTD_MAGIC;
use super::*;

pub(super) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Returns a skippable frame of zstd with `length` bytes.
fn skippable(magic: u8, length: u32) -> Vec<u8> {
    [&[magic, 0x2a, 0x4d, 0x18], &length.to_le_bytes()[..], &vec![0x28; length as usize]].concat()
}

#[test]
fn compressed_uploads_equal_plain_ones() {
    let text = b"{\"a\":1}\n{\"a\":2}\n".as_slice();
    let plain = read(NDJSON, text);
    let halves = [gzip(&text[..5]), gzip(&text[5..])].concat();
    let (first, second) = (zstd::encode_all(&text[..5], 1).unwrap(), zstd::encode_all(&text[5..], 1).unwrap());
    let frames = [first.as_slice(), &second].concat();
    let padding = [0; 600].as_slice();
    let skippable = [skippable(0x50, 0), first, skippable(0x5f, 300), skippable(0x53, 1), second, skippable(0x51, 4)];
    for (name, bytes) in [
        ("gzip with zero padding", [&gzip(text), padding].concat()),
        ("gzip in two members with zero padding", [&halves, padding].concat()),
        ("zstd with zero padding", [&frames, padding].concat()),
        ("zstd with skippable frames", skippable.concat()),
        ("gzip", gzip(text)),
        ("gzip in two members", halves),
        ("zstd", zstd::encode_all(text, 3).unwrap()),
        ("zstd in two frames", frames),
    ] {
        assert_eq!(read(NDJSON, &bytes), plain, "{name}");
    }
}

#[test]
fn content_at_the_size_of_the_decoder_buffer() {
    for length in [131_071usize, 131_072, 131_073, 262_144] {
        let text = format!("{}[]", " ".repeat(length - 2));
        for (name, bytes) in [("zstd", zstd::encode_all(text.as_bytes(), 1).unwrap()), ("gzip", gzip(text.as_bytes()))]
        {
            for piece in [7, 1000, bytes.len()] {
                let read = read_in_pieces(JSON, small(), &bytes, piece);
                assert_eq!(read, (Vec::new(), None), "{name}: {length} bytes in pieces of {piece}");
            }
        }
    }
}

#[test]
fn damaged_compression_fails() {
    let text = "{\"a\":1}\n".repeat(100);
    let (gz, zst) = (gzip(text.as_bytes()), zstd::encode_all(text.as_bytes(), 1).unwrap());
    let mut flipped = gz.clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 0xff;
    let declared = |compression| Media { format: Format::Ndjson, compression: Some(compression) };
    for (name, media, bytes) in [
        ("gzip cut", NDJSON, &gz[..gz.len() - 5]),
        ("gzip cut in its data", NDJSON, &gz[..20]),
        ("gzip cut in its header", NDJSON, &gz[..6]),
        ("gzip with a byte changed", NDJSON, &flipped),
        ("zstd cut", NDJSON, &zst[..zst.len() - 3]),
        ("zstd cut in its header", NDJSON, &zst[..4]),
        ("gzip cut in its second member", NDJSON, &[&gz[..], &gz[..9]].concat()),
        ("zstd cut in the magic number of its second frame", NDJSON, &[&zst[..], &zst[..3]].concat()),
        ("zstd cut in a skippable frame", NDJSON, &[&skippable(0x50, 9)[..12]].concat()),
        ("plain, called gzip", declared(Compression::Gzip), b"{}\n"),
        ("gzip, called zstd", declared(Compression::Zstd), &gz),
    ] {
        let failure = read(media, bytes).1;
        assert_eq!(failure.map(|failure| failure.code), Some(FailureCode::CorruptCompression), "{name}");
    }
}

#[test]
fn bytes_behind_the_compressed_stream_fail_with_their_offset() {
    let text = b"{\"a\":1}\n";
    let (gz, zst) = (gzip(text), zstd::encode_all(text.as_slice(), 1).unwrap());
    let rows: [(&str, &[u8], &[u8], usize); 9] = [
        ("a line feed behind gzip", &gz, b"\n", 0),
        ("text behind gzip", &gz, b"{\"a\":2}\n", 0),
        ("text behind zero padding of gzip", &gz, b"\0\0\0x", 3),
        ("half a magic number behind gzip", &gz, b"\x1f", 0),
        ("half a magic number and text behind gzip", &gz, b"\x1fx", 0),
        ("zstd behind gzip", &gz, &zst, 0),
        ("gzip behind zstd", &zst, &gz, 0),
        ("text behind zstd", &zst, b"(x", 0),
        ("text behind zero padding of zstd", &zst, b"\0\0x\0", 2),
    ];
    for (name, stream, behind, at) in rows {
        let failure = read(NDJSON, &[stream, behind].concat()).1.unwrap_or_else(|| panic!("{name}: no failure"));
        assert_eq!(failure.code, FailureCode::TrailingBytes, "{name}");
        let start = format!("bytes follow the compressed stream, at byte {}:", stream.len() + at);
        assert!(failure.message.starts_with(&start), "{name}: {}", failure.message);
    }
}

#[test]
fn zstd_windows_up_to_32_mib_are_read() {
    let text = b"{\"a\":1}\n".as_slice();
    let frame = zstd::encode_all(text, 1).unwrap();
    assert_eq!(frame[4] & 0x20, 0, "the frame has a window descriptor");
    let with_window = |window: u8| [&frame[..5], &[window], &frame[6..]].concat();
    let of_one_segment = [&ZSTD_MAGIC[..], &[0xa0], &(33_u32 << 20).to_le_bytes()].concat();
    let rows = [
        ("32 MiB", with_window(15 << 3), None),
        ("36 MiB", with_window(15 << 3 | 1), Some("36 MiB")),
        ("128 MiB, as --long=27 and --ultra -22 from a pipe make it", with_window(17 << 3), Some("128 MiB")),
        ("the second frame", [frame.clone(), with_window(17 << 3)].concat(), Some("128 MiB")),
        ("one segment of 33 MiB, as --ultra -22 of a file makes it", of_one_segment, Some("33 MiB")),
    ];
    for (name, bytes, refused) in rows {
        let failure = read(NDJSON, &bytes).1;
        let found = failure.as_ref().map(|failure| (failure.code, failure.message.as_str()));
        let message = refused.map(|window| {
            format!(
                "decompressing the zstd data takes a window of {window}, at most 32 MiB are allowed: compress the file \
                 with `zstd --long=25`, or at level 19 or lower"
            )
        });
        assert_eq!(found, message.as_deref().map(|message| (FailureCode::WindowTooLarge, message)), "{name}");
    }
}

#[test]
fn zstd_with_a_dictionary_is_refused() {
    let frame = [&ZSTD_MAGIC[..], &[0x21, 7, 8]].concat();
    let failure = read(NDJSON, &frame).1.map(|failure| (failure.code, failure.message));
    let message = "the zstd data needs a dictionary to decompress: compress the file without one".to_owned();
    assert_eq!(failure, Some((FailureCode::UnsupportedFormat, message)));
}

#[test]
fn a_decompression_bomb_is_stopped_by_its_content_size() {
    let bomb = gzip(&vec![b'\n'; 4 << 20]);
    assert!(bomb.len() < 8 << 10);
    let failure = read_in_pieces(NDJSON, small(), &bomb, 1 << 20).1;
    assert_eq!(failure.map(|failure| failure.code), Some(FailureCode::DecompressedTooLarge));
}
