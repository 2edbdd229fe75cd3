//! Waiting until a descriptor can be read.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as Stream;

use tokio::io::Interest;
use tokio::net::UnixStream;

/// A descriptor of any kind that can be waited for. Tokio's type for that cannot be made without `unsafe`; its streams
/// can, and of the stream only the waiting is used.
pub(super) struct Readable(UnixStream);

impl Readable {
    /// Within a runtime. The descriptor no longer blocks, also where it is a copy of another.
    pub(super) fn new(descriptor: OwnedFd) -> io::Result<Self> {
        let stream = Stream::from(descriptor);
        stream.set_nonblocking(true)?;
        Ok(Self(UnixStream::from_std(stream)?))
    }

    /// Returns when something can be read; whoever reads must read until nothing is left.
    pub(super) async fn wait(&self) -> io::Result<()> {
        self.0.readable().await?;
        // forgets that it was ready: what comes from now on wakes again
        let _ = self.0.try_io(Interest::READABLE, || Err::<(), _>(io::ErrorKind::WouldBlock.into()));
        Ok(())
    }
}
