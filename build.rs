//! How the binary is linked.

use std::process::Command;

/// The oldest glibc that starts a program with packed relocations (DT_RELR), as (major, minor).
const PACKED_RELOCATIONS: (u32, u32) = (2, 36);

/// Relative relocations take 6 MB of the binary, which the dynamic loader reads at every start and which then stay in
/// memory; packed they take 0.1 MB. A glibc that does not know the form would refuse the binary, so that it is asked
/// for only where the machine that builds has one that does.
fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let target = |name: &str| std::env::var(format!("CARGO_CFG_TARGET_{name}")).unwrap_or_default();
    let native = std::env::var("HOST").ok() == std::env::var("TARGET").ok();
    if native
        && target("OS") == "linux"
        && target("ENV") == "gnu"
        && glibc() >= Some(PACKED_RELOCATIONS)
    {
        println!("cargo:rustc-link-arg-bin=tributary=-Wl,-z,pack-relative-relocs");
    }
}

/// None: not known.
fn glibc() -> Option<(u32, u32)> {
    let output = Command::new("getconf")
        .arg("GNU_LIBC_VERSION")
        .output()
        .ok()?;
    // glibc 2.36
    let text = String::from_utf8(output.stdout).ok()?;
    let (major, minor) = text.trim().strip_prefix("glibc ")?.split_once('.')?;
    let minor = minor.split('.').next()?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}
