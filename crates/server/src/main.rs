//! The binary `watchkeeper`.

use std::process::ExitCode;

fn main() -> ExitCode {
    watchkeeper_server::cli::main()
}
