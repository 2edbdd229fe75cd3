//! Hashes, and base 64.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest, Md5};
use sha1::Sha1;
use sha2::Sha256;
use watchkeeper_kql::Type;
use xxhash_rust::xxh64::xxh64;

use super::convert::print::text_of;
use super::frame::{Function, Returns, Value};

pub const FUNCTIONS: &[Function] = &[
    Function::row("hash_xxhash64", 1, 2, Returns::Always(Type::Long), |_, args| {
        let hash = xxhash(&args[0]);
        match args.get(1).and_then(Value::as_i64) {
            Some(modulus) if modulus > 0 => Value::Long(hash.rem_euclid(modulus)),
            Some(_) => Value::Null,
            None => Value::Long(hash),
        }
    }),
    Function::row_with_nulls("hash_combine", 2, usize::MAX, Returns::Always(Type::Long), |_, args| {
        Value::Long(combine(args.iter().map(|hash| hash.as_i64().unwrap_or(0))))
    }),
    Function::row_with_nulls("hash_many", 2, usize::MAX, Returns::Always(Type::Long), |_, args| {
        Value::Long(combine(args.iter().map(xxhash)))
    }),
    Function::row("hash_md5", 1, 1, Returns::Always(Type::String), |_, args| {
        Value::string(hex(&Md5::digest(text_of(&args[0]).as_bytes())))
    }),
    Function::row("hash_sha1", 1, 1, Returns::Always(Type::String), |_, args| {
        Value::string(hex(&Sha1::digest(text_of(&args[0]).as_bytes())))
    }),
    Function::row("hash_sha256", 1, 1, Returns::Always(Type::String), |_, args| {
        Value::string(hex(&Sha256::digest(text_of(&args[0]).as_bytes())))
    }),
    Function::row("base64_encode_tostring", 1, 1, Returns::Always(Type::String), |_, args| {
        Value::string(STANDARD.encode(args[0].text()))
    }),
    Function::row("base64_decode_tostring", 1, 1, Returns::Always(Type::String), |_, args| {
        let text = STANDARD.decode(args[0].text()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        Value::string(text.unwrap_or_default())
    }),
    Function::row("base64_decode_toarray", 1, 1, Returns::Always(Type::Dynamic), |_, args| {
        Value::from_option(STANDARD.decode(args[0].text()).ok(), |bytes| Value::json(&serde_json::Value::from(bytes)))
    }),
];

/// Texts by their bytes, numbers and ticks by their eight bytes.
fn xxhash(value: &Value<'_>) -> i64 {
    let hash = match value {
        Value::Long(number) | Value::Datetime(number) | Value::Timespan(number) => xxh64(&number.to_le_bytes(), 0),
        Value::Int(number) => xxh64(&number.to_le_bytes(), 0),
        Value::Real(number) => xxh64(&number.to_le_bytes(), 0),
        other => xxh64(text_of(other).as_bytes(), 0),
    };
    hash as i64
}

/// One hash of several, which depends on their order. The reference does not say how it combines them, and says that
/// its way may change: this is the xxHash of all.
fn combine(hashes: impl Iterator<Item = i64>) -> i64 {
    let bytes: Vec<u8> = hashes.flat_map(i64::to_le_bytes).collect();
    xxh64(&bytes, 0) as i64
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::functions::convert::read;
    use crate::functions::testing::{check, run, string};

    #[test]
    fn hashes_are_those_of_the_reference() {
        check(
            "hash",
            &[
                (vec![string("World")], Value::Long(1_846_988_464_401_551_951)),
                (vec![string("World"), Value::Long(100)], Value::Long(51)),
                (vec![Value::Datetime(read::datetime("2015-01-01").unwrap())], Value::Long(1_380_966_698_541_616_202)),
            ],
        );
        check("hash_md5", &[(vec![string("World")], string("f5a7924e621e84c9280a9a27e1bcb7f6"))]);
        check("hash_sha1", &[(vec![string("World")], string("70c07ec18ef89c5309bbb0937f3a6342411e1fdd"))]);
    }

    #[test]
    fn base64_that_is_not_text_gives_nothing() {
        check(
            "base64_decode_tostring",
            &[
                (vec![string("S3VzdG8=")], string("Kusto")),
                (vec![string("/w==")], string("")),
                (vec![string("?")], string("")),
            ],
        );
    }

    #[test]
    fn many_values_hash_as_their_combined_hashes() {
        let types = [Type::String, Type::String];
        let many = |left, right| run("hash_many", &types, &[string(left), string(right)], true);
        let hashes = ["Hello", "World"].map(|text| run("hash", &types[..1], &[string(text)], true));
        check("hash_combine", &[(hashes.to_vec(), many("Hello", "World"))]);
        assert_ne!(many("Hello", "World"), many("World", "Hello"));
    }
}
