//! Files to import: found by pattern, known by content, read through their compression.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, bail};
use chrono::{DateTime, Utc};
use clap::ValueEnum;
use ring::digest::{self, SHA256};

const MIB: u64 = 1 << 20;
const BUFFER_BYTES: usize = 1 << 20;
const GZIP: &[u8] = &[0x1f, 0x8b];
const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];
const PARQUET: &[u8] = b"PAR1";

/// What is in a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Format {
    /// A JSON object a line.
    Jsonl,
    /// Comma-separated values with a header.
    Csv,
    /// Tab-separated values with a header.
    Tsv,
    Parquet,
    /// Syslog messages, one a line (RFC 5424, RFC 3164, or as in /var/log).
    Syslog,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Compression {
    None,
    Gzip,
    Zstd,
}

/// A file to import.
#[derive(Debug, Clone)]
pub struct Input {
    pub path: PathBuf,
    pub format: Format,
    pub size: u64,
    /// The same for the same content, wherever it lies.
    pub identity: String,
    /// When the file was last written: the year that RFC 3164 leaves out is near it.
    pub modified: DateTime<Utc>,
    compression: Compression,
}

/// The files of all patterns, in order, each once.
pub fn expand(patterns: &[String]) -> anyhow::Result<Vec<PathBuf>> {
    let mut files: Vec<PathBuf> = Vec::new();
    for pattern in patterns {
        // a file whose name only looks like a pattern is itself
        let found = if Path::new(pattern).exists() {
            vec![PathBuf::from(pattern)]
        } else {
            let paths = glob::glob(pattern).with_context(|| format!("{pattern:?} is not a pattern"))?;
            paths.collect::<Result<Vec<_>, _>>()?
        };
        if found.is_empty() {
            bail!("there is no file {pattern:?}");
        }
        for path in found {
            if path.is_dir() {
                bail!("{} is a folder; name its files with a pattern, for instance '{0}/*.jsonl'", path.display());
            }
            if !files.contains(&path) {
                files.push(path);
            }
        }
    }
    Ok(files)
}

impl Input {
    /// Looks at a file: its format (unless given), its compression, its identity for a table.
    pub fn inspect(path: &Path, format: Option<Format>, table: &str) -> anyhow::Result<Input> {
        let shown = path.display();
        let mut file = File::open(path).with_context(|| format!("cannot open {shown}"))?;
        let metadata = file.metadata().with_context(|| format!("cannot read {shown}"))?;
        let size = metadata.len();
        let mut first = Vec::new();
        (&mut file).take(MIB).read_to_end(&mut first).with_context(|| format!("cannot read {shown}"))?;
        let mut last = Vec::new();
        file.seek(SeekFrom::Start(size.saturating_sub(MIB)))?;
        (&mut file).take(MIB).read_to_end(&mut last).with_context(|| format!("cannot read {shown}"))?;
        let compression = match &first {
            bytes if bytes.starts_with(GZIP) => Compression::Gzip,
            bytes if bytes.starts_with(ZSTD) => Compression::Zstd,
            _ => Compression::None,
        };
        let mut input = Input {
            path: path.to_owned(),
            format: Format::Jsonl,
            size,
            identity: String::new(),
            modified: metadata.modified().map_or_else(|_| Utc::now(), DateTime::<Utc>::from),
            compression,
        };
        input.format = match format {
            Some(format) => format,
            None => input.find_format(&first, table)?,
        };
        if input.format == Format::Parquet && compression != Compression::None {
            bail!("{shown} is a compressed Parquet file; unpack it first");
        }
        let mut context = digest::Context::new(&SHA256);
        for part in [table.as_bytes(), format!("{:?}", input.format).as_bytes(), &size.to_le_bytes(), &first, &last] {
            context.update(&(part.len() as u64).to_le_bytes());
            context.update(part);
        }
        input.identity = hex(context.finish().as_ref());
        Ok(input)
    }

    fn find_format(&self, first: &[u8], table: &str) -> anyhow::Result<Format> {
        let name = self.path.file_name().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
        let plain =
            [".gz", ".gzip", ".zst", ".zstd"].iter().find_map(|ending| name.strip_suffix(ending)).unwrap_or(&name);
        match plain.rsplit_once('.').map(|(_, extension)| extension) {
            Some("jsonl" | "ndjson" | "json") => return Ok(Format::Jsonl),
            Some("csv") => return Ok(Format::Csv),
            Some("tsv") => return Ok(Format::Tsv),
            Some("parquet") => return Ok(Format::Parquet),
            _ if first.starts_with(PARQUET) => return Ok(Format::Parquet),
            _ => {}
        }
        let mut start = Vec::new();
        // a file that is cut off may still show its beginning
        let _ = self.open(Arc::default())?.take(4096).read_to_end(&mut start);
        match start.iter().find(|byte| !byte.is_ascii_whitespace()) {
            Some(b'{') => Ok(Format::Jsonl),
            Some(b'<') => Ok(Format::Syslog),
            _ if table == "Syslog" || plain.ends_with("syslog") => Ok(Format::Syslog),
            _ => bail!("the name of {} does not tell what is in it; say so with --format", self.path.display()),
        }
    }

    /// The content, decompressed. Bytes of the file that are read are added to `count`.
    pub fn open(&self, count: Arc<AtomicU64>) -> anyhow::Result<Box<dyn BufRead + Send>> {
        let file = File::open(&self.path).with_context(|| format!("cannot open {}", self.path.display()))?;
        let file = BufReader::with_capacity(BUFFER_BYTES, Counted { file, count });
        Ok(match self.compression {
            Compression::None => Box::new(file),
            Compression::Gzip => {
                Box::new(BufReader::with_capacity(BUFFER_BYTES, flate2::bufread::MultiGzDecoder::new(file)))
            }
            Compression::Zstd => {
                Box::new(BufReader::with_capacity(BUFFER_BYTES, zstd::stream::read::Decoder::with_buffer(file)?))
            }
        })
    }
}

struct Counted {
    file: File,
    count: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.file.read(buffer)?;
        self.count.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

/// The first half of a digest in hexadecimal.
pub fn hex(digest: &[u8]) -> String {
    use std::fmt::Write;
    digest.iter().take(16).fold(String::new(), |mut text, byte| {
        // writing to a String cannot fail
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_identity_is_of_the_content_and_the_table() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            std::fs::write(dir.path().join(name), text).unwrap();
            dir.path().join(name)
        };
        let (one, same, other) = (write("a.jsonl", "{}\n"), write("b.json", "{}\n"), write("c.jsonl", "[]\n"));
        let identity = |path: &Path, table| Input::inspect(path, None, table).unwrap().identity;
        assert_eq!(identity(&one, "T_CL"), identity(&same, "T_CL"));
        assert_ne!(identity(&one, "T_CL"), identity(&other, "T_CL"));
        assert_ne!(identity(&one, "T_CL"), identity(&one, "U_CL"));
    }

    #[test]
    fn formats_are_found_by_name_or_content_through_compression() {
        let dir = tempfile::tempdir().unwrap();
        let packed = zstd::encode_all(&b"{\"a\":1}\n"[..], 1).unwrap();
        for (name, bytes, expected) in [
            ("a.csv.gz", &b"x"[..], Some(Format::Csv)),
            ("a.tsv", b"x", Some(Format::Tsv)),
            ("packed", &packed, Some(Format::Jsonl)),
            ("table", b"PAR1....", Some(Format::Parquet)),
            ("messages", b"<13>hello", Some(Format::Syslog)),
            ("unknown", b"hello", None),
        ] {
            let path = dir.path().join(name);
            std::fs::write(&path, bytes).unwrap();
            assert_eq!(Input::inspect(&path, None, "T_CL").ok().map(|input| input.format), expected, "{name}");
        }
    }

    #[test]
    fn patterns_name_files_once() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["a.csv", "b.csv", "c.txt"] {
            std::fs::write(dir.path().join(name), "x").unwrap();
        }
        let path = |name: &str| dir.path().join(name).to_string_lossy().into_owned();
        assert_eq!(expand(&[path("*.csv"), path("a.csv")]).unwrap().len(), 2);
        assert!(expand(&[path("*.log")]).unwrap_err().to_string().contains("there is no file"));
        assert!(expand(&[path("")]).unwrap_err().to_string().contains("is a folder"));
    }
}
