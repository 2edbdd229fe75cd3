//! The binary `watchkeeper`.

use std::process::ExitCode;

/// Thousands of small batches a second, and queries that take and give back large pieces from many threads.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    watchkeeper_server::cli::main()
}
