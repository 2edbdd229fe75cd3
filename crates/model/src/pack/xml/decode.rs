//! From the bytes of a file to text: UTF-8 and UTF-16, with or without byte order mark.

use super::super::common::At;
use super::super::problem::Problems;

/// The text of a file. What cannot be decoded is replaced and reported.
pub fn decode(bytes: &[u8], problems: &mut Problems) -> String {
    match bytes {
        [0xef, 0xbb, 0xbf, rest @ ..] => utf8(rest, problems),
        [0xff, 0xfe, rest @ ..] => utf16(rest, u16::from_le_bytes, problems),
        [0xfe, 0xff, rest @ ..] => utf16(rest, u16::from_be_bytes, problems),
        [b'<', 0, ..] => utf16(bytes, u16::from_le_bytes, problems),
        [0, b'<', ..] => utf16(bytes, u16::from_be_bytes, problems),
        _ => utf8(bytes, problems),
    }
}

fn utf8(bytes: &[u8], problems: &mut Problems) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(error) => {
            let good = bytes.get(..error.valid_up_to()).unwrap_or_default();
            let line = good.iter().filter(|byte| **byte == b'\n').count() + 1;
            problems.error(
                At::default(),
                "",
                format!("line {line} is not UTF-8 (byte {}); save the file as UTF-8 or UTF-16", error.valid_up_to()),
            );
            String::from_utf8_lossy(bytes).into_owned()
        }
    }
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16, problems: &mut Problems) -> String {
    let (pairs, rest) = bytes.as_chunks::<2>();
    let units: Vec<u16> = pairs.iter().map(|pair| unit(*pair)).collect();
    if !rest.is_empty() {
        problems.error(At::default(), "", "the file is UTF-16 and ends in half a character; it may be cut off");
    }
    String::from_utf16(&units).unwrap_or_else(|_| {
        problems.error(At::default(), "", "the file is not valid UTF-16; save it as UTF-8");
        String::from_utf16_lossy(&units)
    })
}
