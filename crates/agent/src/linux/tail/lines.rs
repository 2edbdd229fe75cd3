//! Cuts a file into lines.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use super::position::Position;

/// Bytes of a line that are kept; what is longer is cut and counted.
pub const LINE_LIMIT: usize = 64 * 1024;
/// Bytes read with one call; more than a line may have.
pub(super) const CHUNK: usize = 2 * LINE_LIMIT;
/// Bytes that become one batch.
pub(super) const READ_AT_ONCE: usize = 1024 * 1024;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Reads lines of one file.
pub(super) struct Lines<'a> {
    pub(super) file: &'a File,
    pub(super) buffer: &'a mut [u8],
    /// Bytes that may still be read in this pass.
    pub(super) budget: usize,
    /// Lines that were cut.
    pub(super) cut: u64,
}

impl Lines<'_> {
    /// Gives whole lines and moves the position behind them; the last line waits for its end.
    /// Says whether the end of the file was reached.
    pub(super) fn read(&mut self, position: &mut Position, emit: &mut dyn FnMut(&[u8])) -> io::Result<bool> {
        loop {
            let read = self.fill(position.offset)?;
            self.budget = self.budget.saturating_sub(read.max(1));
            let consumed = self.split(read, position, emit);
            position.offset += consumed as u64;
            if read < self.buffer.len() {
                return Ok(true);
            }
            if self.budget == 0 {
                return Ok(false);
            }
        }
    }

    fn fill(&mut self, offset: u64) -> io::Result<usize> {
        let mut filled = 0;
        while filled < self.buffer.len() {
            match self.file.read_at(&mut self.buffer[filled..], offset + filled as u64) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(filled)
    }

    /// Splits what was read; gives how many bytes are done with.
    fn split(&mut self, read: usize, position: &mut Position, emit: &mut dyn FnMut(&[u8])) -> usize {
        let bytes = &self.buffer[..read];
        let mut start = 0;
        while let Some(length) = bytes[start..].iter().position(|byte| *byte == b'\n') {
            let line = &bytes[start..start + length];
            if position.skipping {
                position.skipping = false;
            } else {
                let line = if position.offset == 0 && start == 0 { without_mark(line) } else { line };
                self.cut += u64::from(line.len() > LINE_LIMIT);
                give(line, emit);
            }
            start += length + 1;
        }
        let rest = &bytes[start..];
        if position.skipping {
            return read;
        }
        if rest.len() > LINE_LIMIT {
            self.cut += 1;
            give(rest, emit);
            position.skipping = true;
            return read;
        }
        start
    }
}

/// What is behind the position and has no end, in a file that nobody writes any more.
pub(super) fn rest(file: &File, position: &Position) -> Vec<u8> {
    let mut bytes = vec![0; LINE_LIMIT];
    let read = if position.skipping { 0 } else { file.read_at(&mut bytes, position.offset).unwrap_or(0) };
    bytes.truncate(read);
    bytes
}

fn give(line: &[u8], emit: &mut dyn FnMut(&[u8])) {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let line = if line.len() > LINE_LIMIT { &line[..character_start(line, LINE_LIMIT)] } else { line };
    if !line.is_empty() {
        emit(line);
    }
}

/// The last beginning of a UTF-8 character at or before an index.
fn character_start(line: &[u8], index: usize) -> usize {
    (index.saturating_sub(3)..=index).rev().find(|at| line[*at] & 0xc0 != 0x80).unwrap_or(index)
}

fn without_mark(line: &[u8]) -> &[u8] {
    line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line)
}
