//! Texts in other encodings: URLs, base 64, compressed texts, Punycode.

use std::io::{Read, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::read::{GzDecoder, ZlibDecoder};
use flate2::write::DeflateEncoder;
use watchkeeper_kql::Type;

use crate::functions::convert::read;
use crate::functions::frame::{Function, Returns, Value, json};

const STRING: Returns = Returns::Always(Type::String);
/// The most bytes that a compressed text may become.
const DECOMPRESSED_MOST: u64 = 64 * 1024 * 1024;

pub const FUNCTIONS: &[Function] = &[
    Function::row("url_encode", 1, 1, STRING, |_, args| Value::string(percent_encode(args[0].text(), true))),
    Function::row("url_encode_component", 1, 1, STRING, |_, args| Value::string(percent_encode(args[0].text(), false))),
    Function::row("url_decode", 1, 1, STRING, |_, args| Value::string(percent_decode(args[0].text(), true))),
    Function::row("base64_decode_toguid", 1, 1, Returns::Always(Type::Guid), |_, args| {
        let guid = || {
            let bytes: [u8; 16] = STANDARD.decode(args[0].text()).ok()?.try_into().ok()?;
            Some(uuid::Uuid::from_bytes_le(bytes).to_string())
        };
        Value::from_option(guid(), |guid| Value::Guid(guid.into()))
    }),
    Function::row("base64_encode_fromguid", 1, 1, STRING, |_, args| {
        let guid = read::guid(args[0].text()).and_then(|guid| uuid::Uuid::try_parse(&guid).ok());
        Value::string(guid.map_or_else(String::new, |guid| STANDARD.encode(guid.to_bytes_le())))
    }),
    Function::row_with_nulls("base64_encode_fromarray", 1, 1, STRING, |_, args| {
        let bytes: Option<Vec<u8>> =
            json::array_of(&args[0]).unwrap_or_default().iter().map(|item| u8::try_from(item.as_i64()?).ok()).collect();
        Value::string(bytes.map_or_else(String::new, |bytes| STANDARD.encode(bytes)))
    }),
    Function::row("gzip_compress_to_base64_string", 1, 1, STRING, |_, args| {
        Value::string(STANDARD.encode(gzip(args[0].text().as_bytes())))
    }),
    Function::row("zlib_compress_to_base64_string", 1, 1, STRING, |_, args| {
        Value::string(STANDARD.encode(zlib(args[0].text().as_bytes())))
    }),
    Function::row("gzip_decompress_from_base64_string", 1, 1, STRING, |_, args| {
        decompressed(args, |bytes| Box::new(GzDecoder::new(bytes)))
    }),
    Function::row("zlib_decompress_from_base64_string", 1, 1, STRING, |_, args| {
        decompressed(args, |bytes| Box::new(ZlibDecoder::new(bytes)))
    }),
    Function::row("punycode_from_string", 1, 1, STRING, |_, args| {
        Value::string(idna::punycode::encode_str(args[0].text()).unwrap_or_default())
    }),
    Function::row("punycode_to_string", 1, 1, STRING, |_, args| {
        Value::string(idna::punycode::decode_to_string(args[0].text()).unwrap_or_default())
    }),
    Function::row("punycode_domain_to_string", 1, 1, STRING, |_, args| {
        domain(args, |label| {
            if label.is_ascii() {
                Some(label.to_owned())
            } else {
                Some(format!("xn--{}", idna::punycode::encode_str(label)?))
            }
        })
    }),
    Function::row("punycode_domain_from_string", 1, 1, STRING, |_, args| {
        domain(args, |label| match label.split_at_checked(4) {
            Some((prefix, encoded)) if prefix.eq_ignore_ascii_case("xn--") => idna::punycode::decode_to_string(encoded),
            _ => Some(label.to_owned()),
        })
    }),
];

/// Letters, digits and `-_.!*()` stay; hexadecimal digits are small.
fn percent_encode(text: &str, plus_for_space: bool) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b' ' if plus_for_space => out.push('+'),
            byte if byte.is_ascii_alphanumeric() || b"-_.!*()".contains(&byte) => {
                out.push(char::from(byte));
            }
            byte => {
                out.push('%');
                for digit in [byte >> 4, byte & 15] {
                    out.push(char::from(b"0123456789abcdef"[usize::from(digit)]));
                }
            }
        }
    }
    out
}

/// What is not an escape stays as it is.
pub fn percent_decode(text: &str, plus_is_space: bool) -> String {
    let bytes = text.as_bytes();
    let digit = |at: usize| {
        let byte = char::from(*bytes.get(at)?);
        byte.to_digit(16).and_then(|digit| u8::try_from(digit).ok())
    };
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'%' if let (Some(high), Some(low)) = (digit(at + 1), digit(at + 2)) => {
                out.push(high << 4 | low);
                at += 3;
            }
            b'+' if plus_is_space => {
                out.push(b' ');
                at += 1;
            }
            byte => {
                out.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// A raw deflate stream; what compression would not make shorter is stored as it is.
fn deflate(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    let packed = encoder.write_all(bytes).and_then(|()| encoder.finish());
    match (packed, u16::try_from(bytes.len())) {
        (Ok(packed), Err(_)) => packed,
        (Ok(packed), Ok(_)) if packed.len() < bytes.len() => packed,
        (_, Ok(length)) => {
            let mut stored = vec![1];
            stored.extend(length.to_le_bytes());
            stored.extend((!length).to_le_bytes());
            stored.extend(bytes);
            stored
        }
        // writing to memory cannot fail
        (Err(_), Err(_)) => Vec::new(),
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut out = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];
    out.extend(deflate(bytes));
    out.extend(crc32fast::hash(bytes).to_le_bytes());
    out.extend((bytes.len() as u32).to_le_bytes());
    out
}

fn zlib(bytes: &[u8]) -> Vec<u8> {
    let (mut low, mut high) = (1u32, 0u32);
    for byte in bytes {
        low = (low + u32::from(*byte)) % 65_521;
        high = (high + low) % 65_521;
    }
    let mut out = vec![0x78, 0x01];
    out.extend(deflate(bytes));
    out.extend((high << 16 | low).to_be_bytes());
    out
}

/// Empty where the text is not such a stream or does not hold text.
fn decompressed<'a>(args: &[Value<'a>], decoder: for<'b> fn(&'b [u8]) -> Box<dyn Read + 'b>) -> Value<'a> {
    let text = || {
        let bytes = STANDARD.decode(args[0].text()).ok()?;
        let mut out = String::new();
        let read = decoder(&bytes).take(DECOMPRESSED_MOST + 1).read_to_string(&mut out).ok()?;
        (read as u64 <= DECOMPRESSED_MOST).then_some(out)
    };
    Value::string(text().unwrap_or_default())
}

/// Label by label; the ideographic and half-width full stops also part labels.
fn domain<'a>(args: &[Value<'a>], convert: fn(&str) -> Option<String>) -> Value<'a> {
    let labels: Option<Vec<String>> =
        args[0].text().split(['.', '\u{3002}', '\u{ff0e}', '\u{ff61}']).map(convert).collect();
    Value::string(labels.map_or_else(String::new, |labels| labels.join(".")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::functions::testing::dynamic;
    use crate::functions::testing::{Case, check, run, string};
    use watchkeeper_kql::Type;

    fn texts(name: &str, pairs: &[(&str, &str)]) {
        let cases: Vec<Case> = pairs.iter().map(|(text, want)| (vec![string(text)], string(want))).collect();
        check(name, &cases);
    }

    #[test]
    fn urls_are_encoded_and_decoded() {
        let url = "https://a.example/b c?d=é";
        texts("url_encode", &[(url, "https%3a%2f%2fa.example%2fb+c%3fd%3d%c3%a9")]);
        texts("url_encode_component", &[(url, "https%3a%2f%2fa.example%2fb%20c%3fd%3d%c3%a9")]);
        texts("url_decode", &[("https%3a%2F%2fa+b%20c", "https://a b c"), ("100%", "100%"), ("%zz", "%zz")]);
    }

    #[test]
    fn guids_and_bytes_as_base64() {
        let guid = Value::Guid("10e99626-bc2b-4c75-bb3e-fe606de25700".into());
        check("base64_decode_toguid", &[(vec![string("JpbpECu8dUy7Pv5gbeJXAA==")], guid.clone())]);
        check("base64_encode_fromguid", &[(vec![guid], string("JpbpECu8dUy7Pv5gbeJXAA=="))]);
        check(
            "base64_encode_fromarray",
            &[
                (vec![dynamic("[75,117,115,116,111]")], string("S3VzdG8=")),
                (vec![dynamic("[256]")], string("")),
                (vec![Value::Null], string("")),
            ],
        );
    }

    #[test]
    fn compressed_texts_come_back() {
        texts(
            "gzip_compress_to_base64_string",
            &[("1234567890qwertyuiop", "H4sIAAAAAAAA/wEUAOv/MTIzNDU2Nzg5MHF3ZXJ0eXVpb3A6m7f2FAAAAA==")],
        );
        texts(
            "zlib_compress_to_base64_string",
            &[("1234567890qwertyuiop", "eAEBFADr/zEyMzQ1Njc4OTBxd2VydHl1aW9wOAkGdw==")],
        );
        texts(
            "zlib_decompress_from_base64_string",
            &[("eJwLSS0uUSguKcrMS1cwNDIGACxqBQ4=", "Test string 123"), ("x", "")],
        );
        texts("gzip_decompress_from_base64_string", &[("x0x0x0", "")]);
        for text in ["", "a", &"long text ".repeat(20_000)] {
            for kind in ["gzip", "zlib"] {
                let packed = run(&format!("{kind}_compress_to_base64_string"), &[Type::String], &[string(text)], true);
                let back = run(&format!("{kind}_decompress_from_base64_string"), &[Type::String], &[packed], true);
                assert_eq!(back, string(text), "{kind}");
            }
        }
    }

    #[test]
    fn punycode_of_texts_and_domains() {
        texts("punycode_from_string", &[("académie-française", "acadmie-franaise-npb1a")]);
        texts("punycode_to_string", &[("acadmie-franaise-npb1a", "académie-française")]);
        texts("punycode_domain_from_string", &[("xn--Ge-mia.Bulg.edu", "Gáe.Bulg.edu")]);
        texts("punycode_domain_to_string", &[("Riðill｡Skáldskaparmál｡org", "xn--Riill-jta.xn--Skldskaparml-dbbj.org")]);
    }
}
