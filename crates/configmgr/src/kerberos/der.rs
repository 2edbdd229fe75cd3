//! DER (X.690) as far as Kerberos needs it. Reading never fails by a panic: what is not there is none.

pub(super) const INTEGER: u8 = 0x02;
pub(super) const BITS: u8 = 0x03;
pub(super) const OCTETS: u8 = 0x04;
pub(super) const GENERAL_STRING: u8 = 0x1b;
pub(super) const TIME: u8 = 0x18;
pub(super) const SEQUENCE: u8 = 0x30;
const CONTEXT: u8 = 0xa0;
const APPLICATION: u8 = 0x60;

/// One value with its tag and length.
pub(super) fn value(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len();
    let mut text = vec![tag];
    match u8::try_from(length) {
        Ok(short) if short < 0x80 => text.push(short),
        _ => {
            let bytes: Vec<u8> = length.to_be_bytes().into_iter().skip_while(|byte| *byte == 0).collect();
            text.push(0x80 | u8::try_from(bytes.len()).unwrap_or_default());
            text.extend(bytes);
        }
    }
    text.extend_from_slice(content);
    text
}

pub(super) fn sequence(parts: &[Vec<u8>]) -> Vec<u8> {
    value(SEQUENCE, &parts.concat())
}

/// `[number] content`, explicit.
pub(super) fn field(number: u8, content: &[u8]) -> Vec<u8> {
    value(CONTEXT | number, content)
}

/// `[APPLICATION number] content`.
pub(super) fn application(number: u8, content: &[u8]) -> Vec<u8> {
    value(APPLICATION | number, content)
}

pub(super) fn integer(number: u32) -> Vec<u8> {
    // a first byte of zero keeps the number positive
    let bytes = u64::from(number).to_be_bytes();
    let from = (0..7).find(|at| bytes[*at] != 0 || bytes[at + 1] >= 0x80).unwrap_or(7);
    value(INTEGER, &bytes[from..])
}

pub(super) fn text(text: &str) -> Vec<u8> {
    value(GENERAL_STRING, text.as_bytes())
}

/// A place in DER: the values from here on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Read<'a>(pub &'a [u8]);

impl<'a> Read<'a> {
    /// The first value: its tag, its content, and what is behind it.
    fn first(self) -> Option<(u8, &'a [u8], Read<'a>)> {
        let (&tag, rest) = self.0.split_first()?;
        let (&short, mut rest) = rest.split_first()?;
        let mut length = usize::from(short);
        if short >= 0x80 {
            let bytes = rest.get(..usize::from(short & 0x7f)).filter(|bytes| (1..=4).contains(&bytes.len()))?;
            length = bytes.iter().fold(0, |sum, byte| (sum << 8) | usize::from(*byte));
            rest = &rest[bytes.len()..];
        }
        let (content, rest) = rest.split_at_checked(length)?;
        Some((tag, content, Read(rest)))
    }

    /// The content of the first value, which has this tag.
    pub fn content(self, tag: u8) -> Option<Read<'a>> {
        self.first().filter(|(found, ..)| *found == tag).map(|(_, content, _)| Read(content))
    }

    /// The fields of `[APPLICATION number] SEQUENCE`.
    pub fn message(self, number: u8) -> Option<Read<'a>> {
        self.content(APPLICATION | number)?.content(SEQUENCE)
    }

    /// What is in field `[number]` of these.
    pub fn field(self, number: u8) -> Option<Read<'a>> {
        self.values().find(|(tag, _)| *tag == CONTEXT | number).map(|(_, content)| Read(content))
    }

    /// All values from here on, as far as they are some.
    pub fn values(self) -> impl Iterator<Item = (u8, &'a [u8])> {
        let mut rest = self;
        std::iter::from_fn(move || {
            let (tag, content, behind) = rest.first()?;
            rest = behind;
            Some((tag, content))
        })
    }

    pub fn number(self) -> Option<u32> {
        let content = self.content(INTEGER)?.0;
        let digits = content.strip_prefix(&[0]).unwrap_or(content);
        (!content.is_empty() && digits.len() <= 4)
            .then(|| digits.iter().fold(0, |sum, byte| (sum << 8) | u32::from(*byte)))
    }

    pub fn octets(self) -> Option<&'a [u8]> {
        Some(self.content(OCTETS)?.0)
    }

    pub fn string(self, tag: u8) -> Option<&'a str> {
        std::str::from_utf8(self.content(tag)?.0).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for number in [0, 1, 127, 128, 255, 256, 0x7fff_ffff, u32::MAX] {
            assert_eq!(Read(&integer(number)).number(), Some(number));
        }
        assert_eq!(integer(128), [2, 2, 0, 128]);
        assert_eq!(value(OCTETS, &[0; 200])[..3], [4, 0x81, 200]);
        assert_eq!(value(OCTETS, &[0; 300])[..4], [4, 0x82, 1, 44]);
        let message = application(30, &sequence(&[field(1, &integer(7)), field(4, &text("CONTOSO"))]));
        let fields = Read(&message).message(30).unwrap();
        assert_eq!(fields.field(1).and_then(Read::number), Some(7));
        assert_eq!(fields.field(4).and_then(|name| name.string(GENERAL_STRING)), Some("CONTOSO"));
        assert!(fields.field(2).is_none());
    }

    #[test]
    fn what_is_cut_off_is_none() {
        let whole = application(30, &sequence(&[field(1, &value(OCTETS, &[7; 300]))]));
        for length in 0..whole.len() {
            assert!(Read(&whole[..length]).message(30).is_none());
        }
        assert!(Read(&[0x30, 0x85, 1, 1, 1, 1, 1]).content(SEQUENCE).is_none());
        assert!(Read(&[0x30, 0x80]).content(SEQUENCE).is_none());
        assert!(Read(&[2, 0]).number().is_none());
    }
}
