//! Compiles the program of the connection probe for the kernel's virtual machine. The result is a part of the binary:
//! the machine that the agent runs on needs no compiler.

use std::env;
use std::path::PathBuf;
use std::process::Command;

const SOURCE: &str = "src/linux/connections/ebpf/program.c";

fn main() {
    println!("cargo::rerun-if-changed={SOURCE}");
    println!("cargo::rerun-if-env-changed=CLANG");
    if env::var("CARGO_CFG_TARGET_OS").as_deref() != Ok("linux") {
        return;
    }
    let folder = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    let clang = env::var("CLANG").unwrap_or_else(|_| "clang".to_owned());
    let target = match env::var("CARGO_CFG_TARGET_ENDIAN").as_deref() {
        Ok("big") => "bpfeb",
        _ => "bpfel",
    };
    // -g: the types, which are matched with those of the running kernel; v3: atomic operations (Linux 5.12)
    let status = Command::new(&clang)
        .args(["-target", target, "-mcpu=v3", "-O2", "-g", "-Wall", "-Wextra", "-Werror", "-c", SOURCE, "-o"])
        .arg(folder.join("connections.bpf.o"))
        .status();
    match status {
        Ok(status) if status.success() => {}
        Ok(status) => {
            panic!("{clang} cannot compile {SOURCE}: {status}; it must be clang 12 or newer with the bpf target")
        }
        Err(error) => panic!(
            "{clang} is needed to compile {SOURCE}, and cannot be started: {error}; install it with scripts/setup.sh \
             (Debian package clang), or name it in the environment variable CLANG"
        ),
    }
}
