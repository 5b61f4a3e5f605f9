//! The environment of a stage's author: nothing of the build that runs these tests, and the tool of the language on the PATH.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

/// Returns a command that runs in a project's folder. `tool` is the program that builds the project, if it may not be on the
/// PATH. What projects depend on is compiled once for all of them; cargo tells them apart by their names.
///
/// # Errors
/// If the test does not lie in a target folder.
pub fn author_command(program: &Path, project: &Path, tool: Option<&Path>) -> Result<Command> {
    let mut command = Command::new(program);
    for name in ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CARGO_BUILD_TARGET", "CARGO", "CARGO_MANIFEST_DIR"] {
        command.env_remove(name);
    }
    if let Some(folder) = tool.and_then(Path::parent) {
        let path = std::env::var("PATH").unwrap_or_default();
        command.env("PATH", format!("{}:{path}", folder.display()));
    }
    command.env("CARGO_TARGET_DIR", target()?).env("PYTHONDONTWRITEBYTECODE", "1").current_dir(project);
    Ok(command)
}

/// Lets a command that runs the pipeline find the stages of the release where this build puts them.
pub fn with_the_stages_of_the_release(command: &mut Command) {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(folder) => command.env("CARGO_TARGET_DIR", folder),
        None => command.env_remove("CARGO_TARGET_DIR"),
    };
}

fn target() -> Result<PathBuf> {
    let test = std::env::current_exe()?;
    Ok(test.ancestors().nth(3).context("the test lies in no target folder")?.join("author-kit"))
}
