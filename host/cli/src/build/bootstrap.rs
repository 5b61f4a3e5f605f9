//! The `bootstrap` of a package: built here or given, and checked against Lambda's machines.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, bail};
use stagehost_runtime::Target;
use tokio::process::Command;

use super::checkout::Checkout;
use crate::exit::read_named;
use crate::output::printer::Printer;

/// The newest version of the GNU C library that Amazon Linux 2023 has, which `provided.al2023` is.
const NEWEST_GLIBC: (u32, u32) = (2, 34);

/// The profile that the bootstrap is built with; see Cargo.toml.
const PROFILE: &str = "bootstrap";

/// The variable by which Lambda names its runtime API to the bootstrap (AWS Lambda Developer Guide, "Using the Lambda
/// runtime API"). Every program that speaks to it holds this name.
const RUNTIME_API: &[u8] = b"AWS_LAMBDA_RUNTIME_API";

/// Builds the bootstrap by itself, so that features which only other crates of the workspace need, such as the compiler,
/// are not linked.
///
/// # Errors
/// If cargo is missing or fails; its output is on standard error.
pub async fn build(checkout: &Checkout, target: Target, printer: &Printer) -> Result<PathBuf> {
    let folder = checkout.target_dir().join("lambda");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    let native = Target::of_this_machine() == Some(target) && cfg!(target_os = "linux");
    let built = if native {
        command.args(["build", "--profile", PROFILE, "--package", "stagehost-lambda"]);
        folder.join(PROFILE).join("bootstrap")
    } else {
        command.args(["lambda", "build", "--profile", PROFILE, "--package", "stagehost-lambda"]);
        command.arg(if target == Target::Arm64 { "--arm64" } else { "--x86-64" });
        // Cargo lambda copies the binary into this folder.
        command.arg("--lambda-dir").arg(folder.join("lambda"));
        folder.join("lambda/bootstrap/bootstrap")
    };
    command.arg("--quiet").env("CARGO_TARGET_DIR", &folder).current_dir(checkout.root());
    command.stdin(Stdio::null()).kill_on_drop(true);
    let work = printer.begin(format!("building the bootstrap for {target}"));
    let output = command.output().await.context("cargo is needed to build the bootstrap and could not be run")?;
    if !output.status.success() {
        printer.problem(format_args!("cargo failed:\n{}", String::from_utf8_lossy(&output.stderr).trim_end()));
        if native {
            bail!("the bootstrap does not compile; cargo's output is above");
        }
        bail!(
            "the bootstrap could not be built for {target} on this machine; install cargo lambda (`pip install \
             cargo-lambda ziglang`) and the target (`rustup target add {}`), or name a built one with --bootstrap",
            target.triple()
        );
    }
    work.done();
    Ok(built)
}

/// Refuses a binary with which the function would fail only when it starts.
///
/// # Errors
/// If it is for another processor or a newer system, or does not speak to Lambda; the text says how to build another.
pub fn check(file: &Path, target: Target) -> Result<()> {
    let bytes = read_named("the bootstrap", file)?;
    match processor(&bytes) {
        Some(found) if found == target => {}
        found => bail!(
            "{} is {}, but the package is for {target}; build it with `cargo lambda build --package stagehost-lambda \
             --profile {PROFILE}{}`, or leave --bootstrap out",
            file.display(),
            found.map_or_else(
                || "not a 64-bit Linux binary for x86_64 or arm64".to_owned(),
                |found| format!("for {found}")
            ),
            if target == Target::Arm64 { " --arm64" } else { "" }
        ),
    }
    if !bytes.windows(RUNTIME_API.len()).any(|window| window == RUNTIME_API) {
        bail!(
            "{} does not use Lambda's runtime API, so it is not a bootstrap; leave --bootstrap out to build one",
            file.display()
        );
    }
    let needed = needed_glibc(&bytes);
    if needed > NEWEST_GLIBC {
        bail!(
            "{} needs glibc {}.{}, but provided.al2023 has {}.{}; build it with `cargo lambda build --package \
             stagehost-lambda --profile {PROFILE}`, which links against an older one, and name it with --bootstrap",
            file.display(),
            needed.0,
            needed.1,
            NEWEST_GLIBC.0,
            NEWEST_GLIBC.1
        );
    }
    Ok(())
}

/// Returns the processor that an ELF file is for (System V ABI, "ELF Header": `e_ident`, `e_machine`).
fn processor(binary: &[u8]) -> Option<Target> {
    // 64 bits, little endian.
    if !binary.starts_with(b"\x7fELF\x02\x01") {
        return None;
    }
    match binary.get(18..20)? {
        [0x3e, 0] => Some(Target::X86_64),
        [0xb7, 0] => Some(Target::Arm64),
        _ => None,
    }
}

/// Returns the highest `GLIBC_x.y` among the names of symbol versions in a binary.
fn needed_glibc(binary: &[u8]) -> (u32, u32) {
    const PREFIX: &[u8] = b"\0GLIBC_";
    let versions = binary.windows(PREFIX.len()).enumerate().filter(|(_, window)| *window == PREFIX);
    let read = |(at, _): (usize, &[u8])| {
        let name = binary.get(at + PREFIX.len()..)?.split(|byte| *byte == 0).next()?;
        let mut numbers = std::str::from_utf8(name).ok()?.split('.').map(str::parse::<u32>);
        Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
    };
    versions.filter_map(read).max().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_newest_glibc_that_a_binary_needs_is_found_among_its_names() {
        assert_eq!(needed_glibc(b"..\0GLIBC_2.2.5\0GLIBC_2.34\0GLIBC_2.17\0memcpy"), (2, 34));
        assert_eq!(needed_glibc(b"\0GLIBC_PRIVATE\0GLIBC_2\0GLIBC_"), (0, 0));
    }

    #[test]
    fn a_bootstrap_for_another_processor_is_refused_before_it_is_packed() {
        let header = |machine: u8| [b"\x7fELF\x02\x01".as_slice(), &[0; 12], &[machine, 0]].concat();
        assert_eq!(processor(&header(0x3e)), Some(Target::X86_64));
        assert_eq!(processor(&header(0xb7)), Some(Target::Arm64));
        for no_binary in [b"#!/bin/sh".to_vec(), header(0x03), b"\x7fELF\x02\x01".to_vec(), Vec::new()] {
            assert_eq!(processor(&no_binary), None);
        }
        let mut file = tempfile::NamedTempFile::new().unwrap();
        std::io::Write::write_all(&mut file, &header(0x3e)).unwrap();
        let error = check(file.path(), Target::X86_64).unwrap_err().to_string();
        assert!(error.contains("runtime API"), "any other program is refused: {error}");
        std::io::Write::write_all(&mut file, RUNTIME_API).unwrap();
        check(file.path(), Target::X86_64).unwrap();
        let error = check(file.path(), Target::Arm64).unwrap_err().to_string();
        assert!(error.contains("is for x86_64, but the package is for arm64") && error.contains("--arm64"), "{error}");
    }
}
