//! `--setup`: installs what a machine lacks, because the person said so. Without the flag nothing is ever installed.

use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::build::checkout::TARGET;

/// Installs the compile target for stages and ffmpeg, where missing.
///
/// # Errors
/// If rustup or the system's package manager fails; the text says what to do by hand.
pub fn install_missing() -> Result<()> {
    if !target_installed() {
        eprintln!("installing the target {TARGET} with rustup");
        run(Command::new("rustup").args(["target", "add", TARGET]))
            .with_context(|| format!("could not install the target; run `rustup target add {TARGET}` by hand"))?;
    }
    if !found("ffmpeg") {
        eprintln!("installing ffmpeg with the system's package manager");
        install_ffmpeg().context("could not install ffmpeg; install it by hand (photos work without it)")?;
    }
    Ok(())
}

fn target_installed() -> bool {
    let Ok(output) = Command::new("rustc").args(["--print", "target-libdir", "--target", TARGET]).output() else {
        return false;
    };
    output.status.success() && std::path::Path::new(String::from_utf8_lossy(&output.stdout).trim()).is_dir()
}

fn install_ffmpeg() -> Result<()> {
    // Only root may install system packages; anybody else is asked for a password by sudo.
    let privileged = Command::new("id").arg("-u").output().is_ok_and(|o| o.stdout.trim_ascii() == b"0");
    let as_root = |program: &str| {
        if privileged {
            return Command::new(program);
        }
        let mut command = Command::new("sudo");
        command.arg(program);
        command
    };
    if found("apt-get") {
        run(as_root("apt-get").args(["update", "-qq"]))?;
        return run(as_root("apt-get").args(["install", "-y", "-qq", "--no-install-recommends", "ffmpeg"]));
    }
    if found("dnf") {
        return run(as_root("dnf").args(["install", "-y", "ffmpeg-free"]));
    }
    if found("brew") {
        return run(Command::new("brew").args(["install", "ffmpeg"]));
    }
    bail!("no package manager that is known here (apt-get, dnf, brew)")
}

fn found(program: &str) -> bool {
    Command::new(program)
        .arg(if program == "ffmpeg" { "-version" } else { "--version" })
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

fn run(command: &mut Command) -> Result<()> {
    // Standard output is for results; what installers say goes to standard error.
    let output = command.stdin(Stdio::inherit()).stderr(Stdio::inherit()).stdout(Stdio::piped()).output()?;
    if !output.status.success() {
        eprintln!("{}", String::from_utf8_lossy(&output.stdout).trim_end());
        bail!("{command:?} ended with {}", output.status);
    }
    Ok(())
}
