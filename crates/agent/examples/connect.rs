//! Makes short TCP connections at a steady rate, for `make bench`: `connect RATE SECONDS [PAYLOAD_BYTES]`. A server in the
//! same process accepts them on one port of many loopback addresses. Prints the port at once, and at the end how many
//! connections there were.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Loopback addresses of the server, so that ports of clients do not run out: 127.0.0.2 and those after it.
const ADDRESSES: u8 = 16;
const CLIENTS: u64 = 2;

static MADE: AtomicU64 = AtomicU64::new(0);

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1).map(|argument| argument.parse::<u64>());
    let mut next = |default| arguments.next().transpose().map(|value| value.unwrap_or(default));
    let (rate, seconds, payload) = (next(10_000)?, next(30)?, next(64)?);
    let payload = usize::try_from(payload)?;
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0))?;
    let port = listener.local_addr()?.port();
    println!("{port}");
    for _ in 0..CLIENTS {
        let listener = listener.try_clone()?;
        std::thread::spawn(move || serve(&listener, payload));
    }
    let begun = Instant::now();
    let clients: Vec<_> = (0..CLIENTS)
        .map(|client| std::thread::spawn(move || connect(client, port, rate / CLIENTS, seconds, payload)))
        .collect();
    for client in clients {
        client.join().map_err(|_| anyhow::anyhow!("a client ended badly"))??;
    }
    println!("{} {:.2}", MADE.load(Ordering::Relaxed), begun.elapsed().as_secs_f64());
    // the kernel ends the last ones
    std::thread::sleep(Duration::from_millis(500));
    Ok(())
}

fn serve(listener: &TcpListener, payload: usize) {
    let mut buffer = vec![0; payload];
    for stream in listener.incoming() {
        let Ok(mut stream) = stream else { return };
        if stream.read_exact(&mut buffer).is_ok() {
            let _ = stream.write_all(&buffer);
        }
    }
}

fn connect(client: u64, port: u16, rate: u64, seconds: u64, payload: usize) -> anyhow::Result<()> {
    let mut buffer = vec![0; payload];
    let begun = Instant::now();
    for number in 0..rate * seconds {
        let due = Duration::from_nanos(number * 1_000_000_000 / rate);
        if let Some(early) = due.checked_sub(begun.elapsed()).filter(|early| *early > Duration::from_millis(1)) {
            std::thread::sleep(early);
        }
        let last = 2 + u8::try_from((number * CLIENTS + client) % u64::from(ADDRESSES))?;
        let mut stream = TcpStream::connect((Ipv4Addr::new(127, 0, 0, last), port))?;
        stream.write_all(&buffer)?;
        stream.read_exact(&mut buffer)?;
        drop(stream);
        MADE.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}
