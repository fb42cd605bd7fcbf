//! Files of formats that are not read here.

use std::io::Write;

use super::compression::gzip;
use super::*;

const ACCEPTED: &str = "send JSON as application/json, or one JSON record a line as application/x-ndjson; both may be \
                        compressed once, with gzip or zstd";

fn bytes_of(hex: &str) -> Vec<u8> {
    hex::decode(hex).unwrap()
}

fn zlib(level: u32) -> Vec<u8> {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::new(level));
    encoder.write_all(&b"{\"a\":1}\n".repeat(50)).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn files_of_other_formats_fail_with_their_name() {
    let tar = [b"r.json".as_slice(), &[0; 251], b"ustar\x0000", &[0; 247], b"{}\n", &[0; 509]].concat();
    let rows: [(&str, Vec<u8>); 28] = [
        ("compressed with bzip2", bytes_of("425a6839314159265359bac64ddb00000359800010100020102000000a2000220365")),
        ("compressed with xz", bytes_of("fd377a585a000004e6d6b4460200210116000000742fe5a30100077b2261223a317d0a00")),
        ("compressed with lz4", bytes_of("04224d186440a7080000807b2261223a317d0a00000000e139a569")),
        ("compressed with snappy", b"\xff\x06\0\0sNaPpY\x01\x0d\0\0".to_vec()),
        ("compressed with compress (.Z)", b"\x1f\x9d\x90{".to_vec()),
        ("compressed with zlib", zlib(0)),
        ("compressed with zlib", zlib(1)),
        ("compressed with zlib", zlib(3)),
        ("compressed with zlib", zlib(6)),
        ("compressed with zlib", zlib(9)),
        ("a zip archive", b"PK\x03\x04\x14\0\0\0\x08\0r.json".to_vec()),
        ("a zip archive", b"PK\x05\x06\0\0\0\0".to_vec()),
        ("an Excel workbook (.xlsx)", b"PK\x03\x04\x14\0\x06\0[Content_Types].xml PK\x03\x04 xl/workbook.xml".to_vec()),
        ("an old Excel workbook (.xls)", bytes_of("d0cf11e0a1b11ae10000")),
        ("a 7z archive", bytes_of("377abcaf271c0004")),
        ("a tar archive", tar),
        ("Parquet", b"PAR1\x15\x04\x15\x10".to_vec()),
        ("Avro", b"Obj\x01\x04\x16avro.schema".to_vec()),
        ("Arrow", b"ARROW1\0\0\xff\xff\xff\xff".to_vec()),
        ("PDF", b"%PDF-1.7\n%\xe2\xe3\n1 0 obj\n<<\n>>\n".to_vec()),
        ("HTML", b"<!DOCTYPE html>\n<html><body>Sign in</body></html>\n".to_vec()),
        ("HTML", b"\xef\xbb\xbf\r\n<HTML lang=en>".to_vec()),
        ("XML", b"<?xml version=\"1.0\"?>\n<r/>".to_vec()),
        ("CSV", b"device_id,timestamp,value\nf2,2025-02-28T12:00:00Z,22.5\n".to_vec()),
        ("CSV", b"device_id;value\r\nf2;22,5\r\n\r\nf3;1\r\n".to_vec()),
        ("CSV", b"\xef\xbb\xbf\"device_id\",\"value\"\n\"f,2\",\"22.5\"".to_vec()),
        ("CSV", b"device_id\tvalue\nf2\t22.5\n".to_vec()),
        ("CSV", [b"a,b\n".as_slice(), &b"1,2\n".repeat(9_000)].concat()),
    ];
    for (name, bytes) in rows {
        for media in [JSON, NDJSON] {
            for (layer, bytes) in [("plain", bytes.clone()), ("in gzip", gzip(&bytes))] {
                let (seen, failure) = read(media, &bytes);
                let failure = failure.unwrap_or_else(|| panic!("{name} {layer}: no failure"));
                assert_eq!((seen.len(), failure.code), (0, FailureCode::UnsupportedFormat), "{name} {layer}");
                assert_eq!(failure.message, format!("the file is {name}: {ACCEPTED}"), "{layer}");
            }
        }
    }
}

#[test]
fn files_that_are_compressed_twice_fail() {
    let text = b"{\"a\":1}\n".as_slice();
    let zstd = |bytes: &[u8]| zstd::encode_all(bytes, 1).unwrap();
    for (inner, bytes) in [
        ("gzip", gzip(&gzip(text))),
        ("gzip", zstd(&gzip(text))),
        ("zstd", gzip(&zstd(text))),
        ("zstd", zstd(&zstd(text))),
    ] {
        let failure = read(NDJSON, &bytes).1.map(|failure| (failure.code, failure.message));
        let message = format!("the file is compressed twice, first with {inner}: compress it once, with gzip or zstd");
        assert_eq!(failure, Some((FailureCode::UnsupportedFormat, message)));
    }
}

#[test]
fn the_format_is_named_although_another_encoding_was_declared() {
    let media = Media { format: Format::Ndjson, compression: Some(Compression::Gzip) };
    let failure = read(media, &zlib(6)).1.map(|failure| (failure.code, failure.message));
    let message = format!("the file is compressed with zlib: {ACCEPTED}");
    assert_eq!(failure, Some((FailureCode::UnsupportedFormat, message)));
}

#[test]
fn text_that_may_be_json_is_no_other_format() {
    let good = "{\"a\":1}\n";
    let rows = [
        ("one line of CSV", "a,b\n".to_owned()),
        ("CSV and a record", format!("a,b\n1,2\n{good}")),
        ("a record and CSV", format!("{good}a,b\n1,2\n")),
        ("lines of different length", "a,b\n1,2,3\n".to_owned()),
        ("one column", "a\nb\n".to_owned()),
        ("strings with separators", "\"a,b\"\n\"c,d\"\n".to_owned()),
        ("strings with escaped quotes", "\"a\\\",b\"\n\"c\\\",d\"\n".to_owned()),
        ("numbers and tabs", "1\t\n2\t\n".to_owned()),
        ("HTML and a record", format!("<html>\n{good}")),
        ("PDF and a record", format!("%PDF-1.4\n{good}")),
        ("a word like Parquet", format!("PAR1\n{good}")),
        ("a word like bzip2", format!("BZh91AY\n{good}")),
        ("a word like zlib", format!("x^2 + 1\n{good}")),
        ("a word like zip", format!("PK\n{good}")),
    ];
    for (name, text) in rows {
        let (seen, failure) = read(NDJSON, text.as_bytes());
        assert_eq!((seen.len(), failure), (text.lines().count(), None), "{name}");
    }
}
