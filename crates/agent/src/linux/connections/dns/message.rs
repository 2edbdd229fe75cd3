//! Answers of DNS servers (RFC 1035, section 4), as far as names and addresses go.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

const ANSWER: u8 = 0x80;
const HEADER: usize = 12;
const TYPE_A: u16 = 1;
const TYPE_CNAME: u16 = 5;
const TYPE_AAAA: u16 = 28;
/// A name has at most 127 parts; pointers to parts that stand before are followed as often at most.
const MOST_PARTS: usize = 127;
const LONGEST_NAME: usize = 253;

/// What was asked, which names it led to, which addresses they have.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) question: String,
    pub(super) canonical: Vec<String>,
    pub(super) addresses: Vec<IpAddr>,
}

/// Reads a message; nothing when it is no answer with addresses.
pub(super) fn parse(message: &[u8]) -> Option<Answer> {
    let (questions, answers) = (u16_at(message, 4)?, u16_at(message, 6)?);
    if message.get(2)? & ANSWER == 0 || questions != 1 || answers == 0 {
        return None;
    }
    let (question, at) = name(message, HEADER)?;
    let mut at = at + 4;
    let mut answer = Answer { question, canonical: Vec::new(), addresses: Vec::new() };
    for _ in 0..answers {
        let (_, after_name) = name(message, at)?;
        let kind = u16_at(message, after_name)?;
        let length = usize::from(u16_at(message, after_name + 8)?);
        let data = after_name + 10;
        let value = message.get(data..data + length)?;
        match kind {
            TYPE_A => {
                let bytes: [u8; 4] = value.try_into().ok()?;
                answer.addresses.push(IpAddr::V4(Ipv4Addr::from(bytes)));
            }
            TYPE_AAAA => {
                let bytes: [u8; 16] = value.try_into().ok()?;
                answer.addresses.push(IpAddr::V6(Ipv6Addr::from(bytes)));
            }
            TYPE_CNAME => answer.canonical.push(name(message, data)?.0),
            _ => {}
        }
        at = data + length;
    }
    (!answer.addresses.is_empty() && !answer.question.is_empty()).then_some(answer)
}

/// The name at a place, in small letters, and the place after it.
fn name(message: &[u8], mut at: usize) -> Option<(String, usize)> {
    let mut text = String::new();
    let mut after = None;
    for _ in 0..MOST_PARTS {
        let length = *message.get(at)?;
        if length & 0xc0 == 0xc0 {
            let place = usize::from(u16_at(message, at)? & 0x3fff);
            after = after.or(Some(at + 2));
            if place >= at {
                return None;
            }
            at = place;
            continue;
        }
        if length == 0 {
            return Some((text, after.unwrap_or(at + 1)));
        }
        let part = message.get(at + 1..at + 1 + usize::from(length))?;
        if length & 0xc0 != 0 || text.len() + part.len() > LONGEST_NAME {
            return None;
        }
        if !text.is_empty() {
            text.push('.');
        }
        // what is no letter, digit, hyphen or underscore is written as it would be in a zone file (section 5.1)
        for byte in part {
            match byte {
                b'-' | b'_' => text.push(char::from(*byte)),
                byte if byte.is_ascii_alphanumeric() => text.push(char::from(byte.to_ascii_lowercase())),
                byte => text.push_str(&format!("\\{byte:03}")),
            }
        }
        at += 1 + usize::from(length);
    }
    None
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// `www.Example.com` is `edge.example.net`, which has two addresses; names point to those before.
    pub(in super::super) fn example() -> Vec<u8> {
        let mut bytes = b"\x12\x34\x81\x80\x00\x01\x00\x03\x00\x00\x00\x00".to_vec();
        bytes.extend(b"\x03www\x07Example\x03com\x00\x00\x01\x00\x01");
        bytes.extend(b"\xc0\x0c\x00\x05\x00\x01\x00\x00\x00\x3c\x00\x12\x04edge\x07example\x03net\x00");
        bytes.extend(b"\xc0\x2d\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\xc0\x00\x02\x05");
        bytes.extend(b"\xc0\x2d\x00\x1c\x00\x01\x00\x00\x00\x3c\x00\x10");
        bytes.extend("2001:db8::5".parse::<Ipv6Addr>().unwrap().octets());
        bytes
    }

    #[test]
    fn an_answer_has_its_question_canonical_names_and_addresses() {
        let answer = parse(&example()).unwrap();
        assert_eq!(answer.question, "www.example.com");
        assert_eq!(answer.canonical, ["edge.example.net"]);
        let addresses: [IpAddr; 2] = ["192.0.2.5".parse().unwrap(), "2001:db8::5".parse().unwrap()];
        assert_eq!(answer.addresses, addresses);
        let mut question = example();
        question[2] = 1;
        assert_eq!(parse(&question), None);
        // a name that points to itself
        let mut turning = example();
        turning[12..14].copy_from_slice(&[0xc0, 12]);
        assert_eq!(parse(&turning), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(
            bytes in proptest::collection::vec(any::<u8>(), 0..200), at in 0_usize..90, byte: u8,
        ) {
            let _ = parse(&bytes);
            let mut damaged = example();
            let at = at % damaged.len();
            damaged[at] = byte;
            let _ = parse(&damaged);
        }
    }
}
