//! Looks for each need on this machine. Every function returns what it found, or says that the test is skipped.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{
    CARGO_COMPONENT, COMPONENTIZE_JS, COMPONENTIZE_PY, FFMPEG, JSONATA, MEDIA, MOUNT_NAMESPACE, NETWORK_NAMESPACE,
    Need, OCI, PILLOW, ZIG, path_of,
};

/// The file or folder of this name in the media collection, or the collection itself for an empty name.
#[track_caller]
pub fn media(name: &str) -> Option<PathBuf> {
    let found = path_of("STAGEHOST_MEDIA").ok_or("STAGEHOST_MEDIA is not set".to_owned()).and_then(|collection| {
        let path = if name.is_empty() { collection } else { collection.join(name) };
        if path.exists() { Ok(path) } else { Err(format!("there is no {}", path.display())) }
    });
    MEDIA.or_skip(found)
}

/// Whether ffmpeg and ffprobe can be run.
#[track_caller]
pub fn ffmpeg() -> bool {
    let found = runs("ffmpeg", &["-version"]).and_then(|()| runs("ffprobe", &["-version"]));
    FFMPEG.or_skip(found).is_some()
}

/// Whether the need's program, which has the need's name, is installed.
#[track_caller]
pub fn program(need: &Need) -> bool {
    let found = Command::new(need.name).arg("--help").output();
    need.or_skip(found.map_err(|error| format!("{}: {error}", need.name))).is_some()
}

/// The Python that the variable names, or else `default`, if it can import these modules.
#[track_caller]
pub fn python_with(need: &Need, variable: &str, default: &Path, modules: &str) -> Option<PathBuf> {
    let python = path_of(variable).unwrap_or_else(|| default.to_owned());
    need.or_skip(runs(&python, &["-c", &format!("import {modules}")]).map(|()| python))
}

/// The Python that `STAGEHOST_PYTHON` names, or that of `tests/run`, with Pillow, pillow-heif and numpy.
#[track_caller]
pub fn pillow() -> Option<PathBuf> {
    let default = cache().map(|cache| cache.join("venv/bin/python")).unwrap_or_default();
    python_with(&PILLOW, "STAGEHOST_PYTHON", &default, "PIL, pillow_heif, numpy")
}

/// The programs `docker-registry` and `wkg`.
#[track_caller]
pub fn oci() -> Option<[PathBuf; 2]> {
    let registries = ["/usr/bin/docker-registry", "/usr/local/bin/docker-registry"].map(PathBuf::from);
    let registry =
        registries.into_iter().find(|file| file.is_file()).ok_or("no docker-registry in /usr/bin".to_owned());
    let found = registry.and_then(|registry| {
        let wkg = cache()?.join("bin/wkg");
        if wkg.is_file() { Ok([registry, wkg]) } else { Err(format!("there is no {}", wkg.display())) }
    });
    OCI.or_skip(found)
}

/// Whether `cargo component` is installed.
#[track_caller]
pub fn cargo_component() -> bool {
    CARGO_COMPONENT.or_skip(runs("cargo", &["component", "--version"])).is_some()
}

/// The program componentize-py.
#[track_caller]
pub fn componentize_py() -> Option<PathBuf> {
    COMPONENTIZE_PY.or_skip(tool("STAGEHOST_COMPONENTIZE_PY", "componentize-py/bin/componentize-py"))
}

/// The program componentize-js.
#[track_caller]
pub fn componentize_js() -> Option<PathBuf> {
    COMPONENTIZE_JS.or_skip(tool("STAGEHOST_COMPONENTIZE_JS", "node_modules/.bin/componentize-js"))
}

/// The program zig, which compiles C. Projects call it from a Makefile.
#[track_caller]
pub fn zig() -> Option<PathBuf> {
    let program = path_of("STAGEHOST_ZIG").map_or_else(|| cache().map(|cache| cache.join("zig/bin/python-zig")), Ok);
    let found = program.and_then(|program| {
        runs(&program, &["version"])?;
        runs("make", &["--version"]).map(|()| program)
    });
    ZIG.or_skip(found)
}

/// A program that a variable names, or that `tests/run` has installed.
fn tool(variable: &str, installed: &str) -> Result<PathBuf, String> {
    let program = path_of(variable).map_or_else(|| cache().map(|cache| cache.join(installed)), Ok)?;
    runs(&program, &["--version"]).map(|()| program)
}

/// Whether `unshare` can run a process in a network of its own.
#[track_caller]
pub fn network_namespace() -> bool {
    NETWORK_NAMESPACE.or_skip(runs("unshare", &["--map-root-user", "--net", "true"])).is_some()
}

/// Whether a process can mount a disk that nobody else sees.
pub fn mount_namespace() -> bool {
    let mount = "mount -t tmpfs -o size=1m tmpfs /tmp";
    MOUNT_NAMESPACE.or_skip(runs("unshare", &["--map-root-user", "--mount", "sh", "-c", mount])).is_some()
}

/// The folder of the npm package `jsonata`, if Node.js can load it.
#[track_caller]
pub fn jsonata() -> Option<PathBuf> {
    let folder =
        path_of("STAGEHOST_JSONATA").ok_or(()).or_else(|()| cache().map(|cache| cache.join("node_modules/jsonata")));
    let found = folder.and_then(|folder| {
        runs("node", &["-e", &format!("require({:?})", folder.display().to_string())]).map(|()| folder)
    });
    JSONATA.or_skip(found)
}

/// The folder for what tests and benchmarks install; `tests/run` uses the same. It may not exist yet.
///
/// # Errors
/// If neither `XDG_CACHE_HOME` nor `HOME` is set.
pub fn cache() -> Result<PathBuf, String> {
    let base = path_of("XDG_CACHE_HOME").or_else(|| path_of("HOME").map(|home| home.join(".cache")));
    Ok(base.ok_or("neither XDG_CACHE_HOME nor HOME is set")?.join("stagehost-tests"))
}

/// Runs a program to its end.
fn runs(program: impl AsRef<OsStr>, arguments: &[&str]) -> Result<(), String> {
    let name = program.as_ref().display().to_string();
    let output = Command::new(program).args(arguments).output().map_err(|error| format!("{name}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let last = said.lines().last().unwrap_or_default();
    Err(format!("{name} {}: {} {last}", arguments.join(" "), output.status))
}
