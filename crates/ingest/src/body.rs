//! Bodies of requests: decompression within a limit.

use std::borrow::Cow;
use std::io::Read;

use crate::error::IngestError;

/// The body as the sender had it before `Content-Encoding`.
///
/// # Errors
/// When it is damaged, or has more bytes than the limit before or after decompression, or the encoding is not known.
pub fn decode<'a>(body: &'a [u8], encoding: Option<&str>, limit: usize) -> Result<Cow<'a, [u8]>, IngestError> {
    if body.len() > limit {
        return Err(IngestError::TooLarge { limit });
    }
    let encoding = encoding.map(str::trim).unwrap_or_default().to_ascii_lowercase();
    let reader: Box<dyn Read + '_> = match encoding.as_str() {
        "" | "identity" => return Ok(Cow::Borrowed(body)),
        "gzip" | "x-gzip" => Box::new(flate2::read::MultiGzDecoder::new(body)),
        "deflate" => Box::new(flate2::read::ZlibDecoder::new(body)),
        "zstd" => match zstd::stream::read::Decoder::with_buffer(body) {
            Ok(decoder) => Box::new(decoder),
            Err(error) => return Err(IngestError::Format(format!("the body cannot be decompressed: {error}"))),
        },
        other => {
            let shown: String = other.chars().take(40).collect();
            return Err(IngestError::Format(format!(
                "Content-Encoding {shown:?} is not supported; gzip, deflate and zstd are"
            )));
        }
    };
    let mut plain = Vec::with_capacity(body.len().saturating_mul(4).min(limit));
    reader
        .take(limit as u64 + 1)
        .read_to_end(&mut plain)
        .map_err(|error| IngestError::Format(format!("the body is not {encoding}, or is cut off: {error}")))?;
    if plain.len() > limit {
        return Err(IngestError::TooLarge { limit });
    }
    Ok(Cow::Owned(plain))
}

#[cfg(test)]
pub(crate) mod tests {
    use std::io::Write;

    use super::*;

    pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn bodies_are_decompressed_within_the_limit() {
        let text = b"[{\"a\":1}]".repeat(100);
        let packed = gzip(&text);
        assert_eq!(decode(&packed, Some("gzip"), 1000).unwrap(), text.as_slice());
        assert_eq!(decode(&zstd::encode_all(&text[..], 1).unwrap(), Some("ZSTD"), 1000).unwrap(), text.as_slice());
        assert_eq!(decode(&text, None, 1000).unwrap(), text.as_slice());
        let cases: [(&[u8], &str, usize, &str); 7] = [
            (&packed[..packed.len() / 2], "gzip", 1000, "cut off"),
            (&packed[..packed.len() - 1], "gzip", 1000, "cut off"),
            (b"not gzip at all", "gzip", 1000, "not gzip"),
            (&packed, "zstd", 1000, "not zstd"),
            (&packed, "br", 1000, "\"br\" is not supported"),
            (&packed, "gzip", 899, "more than 899 bytes"),
            (&text, "", 899, "more than 899 bytes"),
        ];
        for (body, encoding, limit, expected) in cases {
            let error = decode(body, Some(encoding), limit).unwrap_err().to_string();
            assert!(error.contains(expected), "{encoding}: {error}");
        }
    }
}
