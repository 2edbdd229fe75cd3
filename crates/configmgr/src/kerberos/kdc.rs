//! One question to a key distribution center, over TCP (RFC 4120, section 7.2.2).

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::problem::{Part, Problem};

const CONNECT: Duration = Duration::from_secs(5);
const ANSWER: Duration = Duration::from_secs(10);
/// No ticket is larger.
const MOST_ANSWER_BYTES: u32 = 1 << 20;
const PORT: u16 = 88;

/// Asks `HOST[:PORT]`.
pub(super) async fn ask(kdc: &str, question: &[u8]) -> Result<Vec<u8>, Problem> {
    let unreached = |cause: String| {
        Problem::new(
            Part::Address,
            format!("the key distribution center {kdc} cannot be asked: {cause}"),
            "look at its name (a domain controller; port 88 over TCP if none is given) and at firewalls on the way",
        )
    };
    let late = |what: &str, limit: Duration| unreached(format!("{what} within {} s", limit.as_secs()));
    let (host, port) = parts(kdc).ok_or_else(|| unreached("it is not HOST or HOST:PORT".to_owned()))?;
    let connected = timeout(CONNECT, TcpStream::connect((host, port))).await;
    let connected = connected.map_err(|_| late("no connection", CONNECT))?;
    let mut stream = connected.map_err(|error| unreached(error.to_string()))?;
    let exchange = async {
        let length = u32::try_from(question.len()).map_err(std::io::Error::other)?;
        stream.write_all(&[&length.to_be_bytes(), question].concat()).await?;
        let length = stream.read_u32().await?;
        if length > MOST_ANSWER_BYTES {
            return Err(std::io::Error::other(format!("an answer of {length} bytes")));
        }
        let mut answer = Vec::new();
        (&mut stream).take(u64::from(length)).read_to_end(&mut answer).await?;
        Ok(answer)
    };
    let answer = timeout(ANSWER, exchange).await.map_err(|_| late("no answer", ANSWER))?;
    answer.map_err(|error| unreached(error.to_string()))
}

/// Host and port of `HOST`, `HOST:PORT`, `ADDRESS` or `[ADDRESS]:PORT`.
fn parts(kdc: &str) -> Option<(&str, u16)> {
    let bare = kdc.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(kdc);
    let found = match kdc.rsplit_once(':') {
        Some((host, port)) if host.ends_with(']') || !host.contains(':') => {
            (host.trim_matches(['[', ']']), port.parse().ok()?)
        }
        _ => (bare, PORT),
    };
    (!found.0.is_empty()).then_some(found)
}

#[cfg(test)]
mod tests {
    use super::parts;

    #[test]
    fn hosts_are_read_with_and_without_a_port() {
        assert_eq!(parts("dc01.contoso.com"), Some(("dc01.contoso.com", 88)));
        assert_eq!(parts("dc01:1088"), Some(("dc01", 1088)));
        assert_eq!(parts("fd00::1"), Some(("fd00::1", 88)));
        assert_eq!(parts("[fd00::1]"), Some(("fd00::1", 88)));
        assert_eq!(parts("[fd00::1]:1088"), Some(("fd00::1", 1088)));
        assert_eq!((parts("dc01:port"), parts(":88"), parts("")), (None, None, None));
    }
}
