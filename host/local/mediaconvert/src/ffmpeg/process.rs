//! Running one of the programs: confined, with a deadline, and killed with its children when the caller is dropped.

use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::process::{Child, Command};
use tokio::time::Instant;

use super::group::{Group, lead};

/// The bytes to keep from the end of standard error, where the reason of a failure is.
const STDERR_TAIL: usize = 4096;

/// The limits of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    /// The longest run time.
    pub(crate) wall: Duration,
    /// The longest time without a report on standard output, for a program that reports regularly.
    pub(crate) silence: Option<Duration>,
    /// Bytes of address space (Linux).
    pub(crate) memory: u64,
    /// Bytes of each file that it writes (Linux).
    pub(crate) file: u64,
}

/// Why a program failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ToolError {
    #[error(
        "ffmpeg was not found on this machine (there is no {program} in PATH). Install it (Debian and Ubuntu: apt \
         install ffmpeg; macOS: brew install ffmpeg), or let `stagehost run --setup` install it, and run the batch again"
    )]
    Missing { program: String },
    #[error("{program} could not be started: {source}")]
    Start { program: String, source: std::io::Error },
    #[error("{program} was stopped because it took longer than {} s", wall.as_secs())]
    TimedOut { program: String, wall: Duration },
    #[error("{program} was stopped because it has reported nothing for {} s", silence.as_secs())]
    Silent { program: String, silence: Duration },
    #[error("{program} ended with {status}{}", if stderr.is_empty() { String::new() } else { format!(": {stderr}") })]
    Failed { program: String, status: ExitStatus, stderr: String },
    #[error("the answer of {program} cannot be read; does PATH lead to the {program} of ffmpeg?")]
    Answer { program: String },
}

/// The longest wait for the end of a program that was killed.
const REAPING: Duration = Duration::from_secs(5);

/// Runs `program` in `folder` with these arguments and without the environment. Passes its standard output to
/// `on_stdout`. Its children end with it, and dropping the future kills all of them.
///
/// # Errors
/// [`ToolError`].
pub(crate) async fn run(
    program: &Path,
    arguments: &[std::ffi::OsString],
    folder: &Path,
    limits: &Limits,
    mut on_stdout: impl FnMut(&[u8]) + Send,
) -> Result<(), ToolError> {
    let name = program.file_name().unwrap_or(program.as_os_str()).to_string_lossy().into_owned();
    let mut command = Command::new(program);
    command
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    // Only what the loader needs to find the program and its libraries.
    for variable in ["PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SystemRoot"] {
        if let Some(value) = std::env::var_os(variable) {
            command.env(variable, value);
        }
    }
    lead(&mut command);
    let mut child = command.spawn().map_err(|source| match source.kind() {
        std::io::ErrorKind::NotFound if folder.is_dir() => ToolError::Missing { program: name.clone() },
        _ => ToolError::Start { program: name.clone(), source },
    })?;
    confine(&child, limits);
    let mut group = Group::of(&child);

    let mut tail = Tail::default();
    let following = follow(&mut child, &mut group, limits.silence, &mut on_stdout, &mut tail);
    match tokio::time::timeout(limits.wall, following).await {
        Ok(Ok(Some(status))) if status.success() => Ok(()),
        Ok(Ok(Some(status))) => Err(ToolError::Failed { program: name, status, stderr: tail.text(folder) }),
        Ok(Ok(None)) => {
            end(&mut child, &mut group).await;
            Err(ToolError::Silent { program: name, silence: limits.silence.unwrap_or_default() })
        }
        Ok(Err(source)) => Err(ToolError::Start { program: name, source }),
        Err(_) => {
            end(&mut child, &mut group).await;
            Err(ToolError::TimedOut { program: name, wall: limits.wall })
        }
    }
}

/// Kills a program with its children, and waits for its end, so that its folder can be removed.
async fn end(child: &mut Child, group: &mut Group) {
    group.end();
    // One that hangs in the kernel cannot be waited for.
    let _ = tokio::time::timeout(REAPING, child.kill()).await;
}

/// Reads both outputs until the process has ended and nobody writes to them. Returns its status; `None` if it was silent
/// for too long.
async fn follow(
    child: &mut Child,
    group: &mut Group,
    silence: Option<Duration>,
    on_stdout: &mut (impl FnMut(&[u8]) + Send),
    tail: &mut Tail,
) -> std::io::Result<Option<ExitStatus>> {
    let (mut stdout, mut stderr) = (child.stdout.take(), child.stderr.take());
    let (mut out, mut err) = ([0; 4096], [0; 4096]);
    let mut status = None;
    let mut heard = Instant::now();
    while status.is_none() || stdout.is_some() || stderr.is_some() {
        let too_long = heard + silence.unwrap_or_default();
        tokio::select! {
            read = read_some(&mut stdout, &mut out), if stdout.is_some() => match read? {
                0 => stdout = None,
                count => {
                    heard = Instant::now();
                    on_stdout(out.get(..count).unwrap_or_default());
                }
            },
            read = read_some(&mut stderr, &mut err), if stderr.is_some() => match read? {
                0 => stderr = None,
                count => tail.push(err.get(..count).unwrap_or_default()),
            },
            ended = child.wait(), if status.is_none() => {
                status = Some(ended?);
                // What it has started would keep the outputs open.
                group.end();
            }
            () = tokio::time::sleep_until(too_long), if silence.is_some() && status.is_none() => return Ok(None),
        }
    }
    Ok(status)
}

async fn read_some(from: &mut Option<impl AsyncReadExt + Unpin>, into: &mut [u8]) -> std::io::Result<usize> {
    match from {
        Some(from) => from.read(into).await,
        None => Ok(0),
    }
}

/// The last bytes of standard error.
#[derive(Default)]
struct Tail(Vec<u8>);

impl Tail {
    fn push(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
        let excess = self.0.len().saturating_sub(STDERR_TAIL);
        self.0.drain(..excess);
    }

    /// Returns the last lines in one line, without the paths of the scratch folder.
    fn text(&self, folder: &Path) -> String {
        let text = String::from_utf8_lossy(&self.0).replace(&format!("{}/", folder.display()), "");
        let lines: Vec<_> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        let last = lines.len().saturating_sub(4);
        let joined = lines.get(last..).unwrap_or_default().join("; ");
        joined.chars().filter(|c| !c.is_control()).take(1000).collect()
    }
}

/// Sets the limits of a process that has just started: it cannot have read more than its arguments.
#[cfg(target_os = "linux")]
fn confine(child: &Child, limits: &Limits) {
    use rustix::process::{Pid, Resource, Rlimit, prlimit};
    let Some(pid) = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw) else { return };
    // Several threads use processor time at once, so the limit is larger than the run time.
    let cpu = limits.wall.as_secs().saturating_mul(8).max(1);
    for (resource, most) in [
        (Resource::As, limits.memory),
        (Resource::Fsize, limits.file),
        (Resource::Cpu, cpu),
        (Resource::Core, 0),
        (Resource::Nofile, 64),
    ] {
        let limit = Rlimit { current: Some(most), maximum: Some(most) };
        if let Err(error) = prlimit(Some(pid), resource, limit) {
            tracing::debug!(%error, ?resource, "a limit could not be set on the process");
        }
    }
}

#[cfg(not(target_os = "linux"))]
fn confine(_: &Child, _: &Limits) {}

/// Returns a path in a form that ffmpeg cannot take for a protocol, an option or a pattern.
pub(super) fn file_argument(path: &Path) -> PathBuf {
    let mut argument = std::ffi::OsString::from("file:");
    argument.push(path);
    argument.into()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const LIMITS: Limits = Limits { wall: Duration::from_secs(60), silence: None, memory: 1 << 32, file: 1 << 20 };

    fn shell(script: &str) -> Vec<std::ffi::OsString> {
        vec!["-c".into(), script.into()]
    }

    #[tokio::test]
    async fn a_failure_quotes_the_end_of_standard_error() {
        let folder = tempfile::tempdir().unwrap();
        let error = run(
            Path::new("/bin/sh"),
            &shell(
                "i=0; while [ $i -lt 2000 ]; do echo noise >&2; i=$((i+1)); done; echo moov atom not found >&2; exit 3",
            ),
            folder.path(),
            &LIMITS,
            |_| {},
        )
        .await
        .unwrap_err();
        let text = error.to_string();
        assert!(text.contains("exit status: 3") && text.ends_with("moov atom not found"), "{text}");
        assert!(text.len() < 1200);
    }

    #[tokio::test]
    async fn a_missing_program_is_named_with_the_remedy() {
        let folder = tempfile::tempdir().unwrap();
        let error = run(Path::new("/nowhere/ffmpeg"), &[], folder.path(), &LIMITS, |_| {}).await.unwrap_err();
        assert!(matches!(error, ToolError::Missing { .. }));
        assert!(error.to_string().contains("apt install ffmpeg"));
    }

    #[tokio::test]
    async fn a_program_that_takes_too_long_is_stopped() {
        let folder = tempfile::tempdir().unwrap();
        let limits = Limits { wall: Duration::from_millis(50), ..LIMITS };
        let error = run(Path::new("/bin/sh"), &shell("sleep 600"), folder.path(), &limits, |_| {}).await.unwrap_err();
        assert!(matches!(error, ToolError::TimedOut { .. }), "{error}");
    }

    /// Returns a script that starts a child, writes the child's process id to the file `child`, and hangs.
    fn hanging() -> Vec<std::ffi::OsString> {
        shell("sleep 600 & echo $! > child.new; mv child.new child; wait")
    }

    /// Returns whether the child of [`hanging`] runs. Waits until it has begun.
    async fn child(folder: &Path) -> u32 {
        loop {
            if let Ok(text) = std::fs::read_to_string(folder.join("child")) {
                return text.trim().parse().unwrap();
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Waits until a process is gone; a zombie of a foreign parent counts as gone.
    #[cfg(target_os = "linux")]
    async fn gone(pid: u32) {
        for _ in 0..2000 {
            match std::fs::read_to_string(format!("/proc/{pid}/stat")) {
                Ok(stat) if !stat.contains(") Z ") => tokio::time::sleep(Duration::from_millis(5)).await,
                _ => return,
            }
        }
        panic!("process {pid} still runs");
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn a_program_that_hangs_is_ended_with_its_children() {
        let folder = tempfile::tempdir().unwrap();
        let silence = Some(Duration::from_millis(500));
        for (limits, silent) in
            [(Limits { silence, ..LIMITS }, true), (Limits { wall: Duration::from_millis(500), ..LIMITS }, false)]
        {
            let result = run(Path::new("/bin/sh"), &hanging(), folder.path(), &limits, |_| {}).await;
            let error = result.unwrap_err();
            assert_eq!(matches!(error, ToolError::Silent { .. }), silent, "{error}");
            gone(child(folder.path()).await).await;
            std::fs::remove_file(folder.path().join("child")).unwrap();
        }
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn the_children_of_a_dropped_run_end_as_well() {
        let folder = tempfile::tempdir().unwrap();
        let arguments = hanging();
        let running = run(Path::new("/bin/sh"), &arguments, folder.path(), &LIMITS, |_| {});
        let pid = tokio::select! {
            _ = running => panic!("it hangs"),
            pid = child(folder.path()) => pid,
        };
        gone(pid).await;
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn a_child_that_outlives_the_program_is_ended_and_the_programs_status_counts() {
        let folder = tempfile::tempdir().unwrap();
        let leaving = shell("sleep 600 & echo $! > child; exit 0");
        run(Path::new("/bin/sh"), &leaving, folder.path(), &LIMITS, |_| {}).await.unwrap();
        gone(child(folder.path()).await).await;
    }

    #[tokio::test]
    async fn a_program_that_reports_regularly_is_not_silent() {
        let folder = tempfile::tempdir().unwrap();
        let limits = Limits { silence: Some(Duration::from_secs(20)), ..LIMITS };
        run(Path::new("/bin/sh"), &shell("echo one; sleep 1; echo two"), folder.path(), &limits, |_| {}).await.unwrap();
    }

    #[tokio::test]
    async fn the_environment_is_not_passed_on() {
        let folder = tempfile::tempdir().unwrap();
        let mut output = Vec::new();
        run(Path::new("/usr/bin/env"), &[], folder.path(), &LIMITS, |bytes| output.extend_from_slice(bytes))
            .await
            .unwrap();
        let output = String::from_utf8(output).unwrap();
        assert!(
            output.lines().all(|line| line.starts_with("PATH=") || line.starts_with("LD_LIBRARY_PATH=")),
            "{output}"
        );
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn a_file_cannot_grow_past_its_limit() {
        let folder = tempfile::tempdir().unwrap();
        let limits = Limits { file: 4096, ..LIMITS };
        // The pause lets the limits take effect before anything is written.
        let result = run(
            Path::new("/bin/sh"),
            &shell("sleep 1; head -c 100000 /dev/zero > big"),
            folder.path(),
            &limits,
            |_| {},
        )
        .await;
        assert!(result.is_err());
        assert!(std::fs::metadata(folder.path().join("big")).unwrap().len() <= 4096);
    }
}
