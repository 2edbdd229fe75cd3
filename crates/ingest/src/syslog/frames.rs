//! Messages in a stream of bytes (RFC 6587): counted octets, or lines.

use crate::limits::SYSLOG_MESSAGE_BYTES;

/// Digits of the longest count that is looked at.
const COUNT_DIGITS: usize = 9;

/// Cuts a stream into messages. Messages that are too long are cut off.
#[derive(Debug, Default)]
pub struct Frames {
    buffer: Vec<u8>,
    /// Bytes of the buffer that are done.
    done: usize,
    /// Octets of a message that are still to be left out.
    skip_octets: usize,
    /// Whether the rest of a line is to be left out.
    skip_line: bool,
}

impl Frames {
    /// Takes the next bytes of the stream.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.drain(..self.done);
        self.done = 0;
        self.buffer.extend_from_slice(bytes);
    }

    /// The next message that is complete.
    pub fn next(&mut self) -> Option<&[u8]> {
        let skipped = self.skip_octets.min(self.buffer.len() - self.done);
        self.skip_octets -= skipped;
        self.done += skipped;
        if self.skip_octets > 0 {
            return None;
        }
        if self.skip_line {
            match self.rest().iter().position(|byte| *byte == b'\n') {
                Some(end) => self.done += end + 1,
                None => {
                    self.done = self.buffer.len();
                    return None;
                }
            }
            self.skip_line = false;
        }
        self.done += self.rest().iter().take_while(|byte| matches!(byte, b'\n' | b'\r' | 0 | b' ')).count();
        match self.count() {
            Count::Octets { header, octets } => {
                let kept = octets.min(SYSLOG_MESSAGE_BYTES);
                let start = self.done + header;
                if self.buffer.len() < start + kept {
                    return None;
                }
                self.done = start + kept;
                self.skip_octets = octets - kept;
                Some(&self.buffer[start..start + kept])
            }
            Count::Incomplete => None,
            Count::None => {
                let start = self.done;
                let line = self.rest().iter().position(|byte| *byte == b'\n');
                let length = match line {
                    Some(length) => length,
                    None if self.rest().len() > SYSLOG_MESSAGE_BYTES => {
                        self.skip_line = true;
                        SYSLOG_MESSAGE_BYTES
                    }
                    None => return None,
                };
                self.done += length + usize::from(line.is_some());
                Some(&self.buffer[start..start + length.min(SYSLOG_MESSAGE_BYTES)])
            }
        }
    }

    /// What is left when the stream ends: a last line without an end. A cut off count is no message.
    pub fn last(&mut self) -> Option<&[u8]> {
        let is_line = !self.skip_line && self.skip_octets == 0 && matches!(self.count(), Count::None);
        let rest = &self.buffer[self.done..];
        (is_line && !rest.is_empty()).then_some(rest)
    }

    fn rest(&self) -> &[u8] {
        &self.buffer[self.done..]
    }

    /// The count before a message, where there is one.
    fn count(&self) -> Count {
        let rest = self.rest();
        let digits = rest.iter().take(COUNT_DIGITS).take_while(|byte| byte.is_ascii_digit()).count();
        match rest.get(digits) {
            _ if rest.first() == Some(&b'0') => Count::None,
            None if rest.len() == digits => Count::Incomplete,
            Some(b' ') if digits > 0 => {
                let octets = rest[..digits].iter().fold(0, |count, byte| count * 10 + usize::from(byte - b'0'));
                Count::Octets { header: digits + 1, octets }
            }
            _ => Count::None,
        }
    }
}

enum Count {
    Octets { header: usize, octets: usize },
    Incomplete,
    None,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Everything that comes out when the bytes arrive in pieces of this size.
    fn cut(stream: &[u8], piece: usize) -> Vec<String> {
        let mut frames = Frames::default();
        let mut found = Vec::new();
        for bytes in stream.chunks(piece) {
            frames.push(bytes);
            while let Some(message) = frames.next() {
                found.push(String::from_utf8_lossy(message).into_owned());
            }
        }
        found.extend(frames.last().map(|message| String::from_utf8_lossy(message).into_owned()));
        found
    }

    #[test]
    fn counted_messages_and_lines_are_found_however_they_arrive() {
        let stream = b"<1>a line\n\n8 <2>\nx\ny <3>b\r\n3 <4><5>no end";
        for piece in 1..stream.len() {
            assert_eq!(cut(stream, piece), ["<1>a line", "<2>\nx\ny ", "<3>b\r", "<4>", "<5>no end"], "{piece}");
        }
        assert_eq!(cut(b"10 <1>", 3), Vec::<String>::new());
    }

    #[test]
    fn long_messages_are_cut_off_and_the_next_one_is_whole() {
        let long = "x".repeat(SYSLOG_MESSAGE_BYTES + 1000);
        let stream = format!("<1>{long}\n<2>next\n{} <3>{long}<4>next\n", long.len() + 3);
        for piece in [1000, 70_000, 1 << 20] {
            let found = cut(stream.as_bytes(), piece);
            let lengths: Vec<_> = found.iter().map(String::len).collect();
            assert_eq!(lengths, [SYSLOG_MESSAGE_BYTES, 7, SYSLOG_MESSAGE_BYTES, 7], "{piece}");
        }
    }
}
