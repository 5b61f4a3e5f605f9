//! `--setup`: installs what is missing on this machine. Without the flag nothing is installed.

use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use super::checkout::TARGET;
use crate::output::printer::Printer;

/// Installs the compile target for stages and ffmpeg, where missing.
///
/// # Errors
/// If rustup or the system's package manager fails; the text says what to do by hand.
pub fn install_missing(printer: &Printer) -> Result<()> {
    if !target_installed() {
        let work = printer.begin(format!("installing the target {TARGET} with rustup"));
        run(Command::new("rustup").args(["target", "add", TARGET]), printer)
            .with_context(|| format!("could not install the target; run `rustup target add {TARGET}` by hand"))?;
        work.done();
    }
    if !found("ffmpeg") {
        let work = printer.begin("installing ffmpeg with the system's package manager");
        install_ffmpeg(printer).context("could not install ffmpeg; install it by hand (photos work without it)")?;
        work.done();
    }
    Ok(())
}

fn target_installed() -> bool {
    let Ok(output) = Command::new("rustc").args(["--print", "target-libdir", "--target", TARGET]).output() else {
        return false;
    };
    output.status.success() && std::path::Path::new(String::from_utf8_lossy(&output.stdout).trim()).is_dir()
}

fn install_ffmpeg(printer: &Printer) -> Result<()> {
    // Only root may install system packages; sudo may ask others for a password.
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
        run(as_root("apt-get").args(["update", "-qq"]), printer)?;
        return run(as_root("apt-get").args(["install", "-y", "-qq", "--no-install-recommends", "ffmpeg"]), printer);
    }
    if found("dnf") {
        return run(as_root("dnf").args(["install", "-y", "ffmpeg-free"]), printer);
    }
    if found("brew") {
        return run(Command::new("brew").args(["install", "ffmpeg"]), printer);
    }
    bail!("there is no apt-get, dnf or brew")
}

fn found(program: &str) -> bool {
    Command::new(program)
        .arg(if program == "ffmpeg" { "-version" } else { "--version" })
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// Runs an installer. Its output is shown only if it fails.
fn run(command: &mut Command, printer: &Printer) -> Result<()> {
    // Standard input stays, because sudo may ask for a password; it asks on the terminal itself.
    let output = command.stdin(Stdio::inherit()).output()?;
    if !output.status.success() {
        for text in [&output.stdout, &output.stderr] {
            printer.problem(String::from_utf8_lossy(text).trim_end());
        }
        bail!("{command:?} ended with {}", output.status);
    }
    Ok(())
}
