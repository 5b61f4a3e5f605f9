//! Programs and files that tests need and that a developer's machine may lack.
//!
//! A test that lacks something is skipped: it prints `skipped:` with what is missing and how to get it, and passes. Set
//! `STAGEHOST_REQUIRE` to make it fail instead: `all`, or a list of the names below, such as `ffmpeg,media`. CI sets it, so
//! that nothing is left out unnoticed.

mod looked_up;
mod required;

use std::fmt::Display;
use std::io::Write;
use std::path::PathBuf;

pub use looked_up::{
    cache, cargo_component, componentize_js, componentize_py, ffmpeg, jsonata, media, mount_namespace,
    network_namespace, oci, pillow, program, python_with, zig,
};
pub use required::{Required, RequiredError};

/// Something that a test needs.
#[derive(Debug, PartialEq, Eq)]
pub struct Need {
    /// The name in `STAGEHOST_REQUIRE`.
    pub name: &'static str,
    /// What it is.
    pub what: &'static str,
    /// How to get it.
    pub how: &'static str,
}

/// Real and hostile media.
pub const MEDIA: Need = Need {
    name: "media",
    what: "the media collection",
    how: "it is not in the repository for its licences and size; set STAGEHOST_MEDIA to its folder",
};
/// Video and audio.
pub const FFMPEG: Need = Need {
    name: "ffmpeg",
    what: "ffmpeg with ffprobe",
    how: "run `apt install ffmpeg`, `brew install ffmpeg` or `stagehost run --setup`",
};
/// A Python that has boto3.
pub const PYTHON: Need = Need {
    name: "python",
    what: "a Python with boto3",
    how: "run the tests with tests/run, which makes one, or set STAGEHOST_PYTHON to a Python with boto3",
};
/// A browser that a Python drives.
pub const BROWSER: Need = Need {
    name: "browser",
    what: "Chromium, a Python with playwright 1, the npm package axe-core 4",
    how: "run `apt install chromium` and then the tests with tests/run, which makes the others where npm is",
};
/// A Python that has Pillow, whose decoders are the ones that most programs use.
pub const PILLOW: Need = Need {
    name: "pillow",
    what: "a Python with Pillow, pillow-heif and numpy",
    how: "run the tests with tests/run, which makes one, or set STAGEHOST_PYTHON to one that has them",
};
/// A Python that has ministack.
pub const MINISTACK: Need = Need {
    name: "ministack",
    what: "a Python with ministack 1.5.33",
    how: "run the tests with tests/run, which makes one, or set STAGEHOST_MINISTACK_PYTHON",
};
/// A Python that has moto.
pub const MOTO: Need = Need {
    name: "moto",
    what: "a Python with moto[server,stepfunctions] 5.2.5",
    how: "run the tests with tests/run, which makes one, or set STAGEHOST_MOTO_PYTHON",
};
/// An OCI registry and a client for it.
pub const OCI: Need = Need {
    name: "oci",
    what: "docker-registry and wkg",
    how: "run `apt install docker-registry` and `cargo install --root ~/.cache/stagehost-tests wkg@0.16.1`",
};
/// One of the two tools that authors of stages build with.
pub const CARGO_COMPONENT: Need = Need {
    name: "cargo-component",
    what: "cargo component",
    how: "run `cargo install cargo-component --version 0.21.1`",
};
/// Builds stages from Python.
pub const COMPONENTIZE_PY: Need = Need {
    name: "componentize-py",
    what: "componentize-py 0.25.1",
    how: "run the tests with tests/run, which installs it, or set STAGEHOST_COMPONENTIZE_PY to the program",
};
/// Builds stages from JavaScript.
pub const COMPONENTIZE_JS: Need = Need {
    name: "componentize-js",
    what: "the npm package @bytecodealliance/componentize-js 0.19 with Node.js",
    how: "run the tests with tests/run, which installs it where npm is, or set STAGEHOST_COMPONENTIZE_JS to the program",
};
/// Builds stages from C.
pub const ZIG: Need = Need {
    name: "zig",
    what: "zig 0.17 with make",
    how: "run the tests with tests/run, which installs zig, or set STAGEHOST_ZIG to the program, and run `apt install make`",
};
/// A process without any network.
pub const NETWORK_NAMESPACE: Need = Need {
    name: "network-namespace",
    what: "the right to make a network namespace (unshare --net)",
    how: "run the tests on Linux, as root or where user namespaces are allowed",
};
/// A disk that only one process sees.
pub const MOUNT_NAMESPACE: Need = Need {
    name: "mount-namespace",
    what: "the right to mount a small disk (unshare --mount)",
    how: "run the tests on Linux, as root or where user namespaces are allowed",
};
/// Readers of ZIP archives.
pub const UNZIP: Need = Need { name: "unzip", what: "unzip", how: "run `apt install unzip`" };
/// See [`UNZIP`].
pub const SEVEN_ZIP: Need = Need { name: "7zz", what: "7zz", how: "run `apt install 7zip`" };
/// See [`UNZIP`].
pub const BSDTAR: Need = Need { name: "bsdtar", what: "bsdtar", how: "run `apt install libarchive-tools`" };
/// See [`UNZIP`].
pub const BUSYBOX: Need = Need { name: "busybox", what: "busybox", how: "run `apt install busybox`" };
/// The interpreter alone.
pub const PYTHON3: Need = Need { name: "python3", what: "python3", how: "run `apt install python3`" };
/// Runs a command on a terminal.
pub const SCRIPT: Need = Need { name: "script", what: "script", how: "run `apt install bsdutils`" };
/// Runs JavaScript.
pub const NODE: Need = Need { name: "node", what: "Node.js", how: "run `apt install nodejs`" };
/// The reference implementation of JSONata.
pub const JSONATA: Need = Need {
    name: "jsonata",
    what: "the npm package jsonata 2.2.1 with Node.js",
    how: "run the tests with tests/run, which installs it where npm is, or set STAGEHOST_JSONATA to its folder",
};
/// Nothing to install, but time and 4 GiB on the disk: `large_batch.rs` moves its full size.
pub const LARGE: Need =
    Need { name: "large", what: "the full size of the large batch", how: "set STAGEHOST_REQUIRE to large or all" };

/// Everything that `STAGEHOST_REQUIRE` may name.
pub const ALL: [&Need; 23] = [
    &COMPONENTIZE_PY,
    &COMPONENTIZE_JS,
    &ZIG,
    &MEDIA,
    &FFMPEG,
    &PYTHON,
    &BROWSER,
    &PILLOW,
    &MINISTACK,
    &MOTO,
    &OCI,
    &CARGO_COMPONENT,
    &NETWORK_NAMESPACE,
    &MOUNT_NAMESPACE,
    &UNZIP,
    &SEVEN_ZIP,
    &BSDTAR,
    &BUSYBOX,
    &PYTHON3,
    &SCRIPT,
    &NODE,
    &JSONATA,
    &LARGE,
];

impl Need {
    /// Returns whether `STAGEHOST_REQUIRE` names it.
    ///
    /// # Panics
    /// If the variable has a name that no test knows.
    pub fn is_required(&self) -> bool {
        Required::from_env().unwrap_or_else(|error| panic!("{error}")).names(self)
    }

    /// Returns `found`. Without it, says that the test is skipped.
    ///
    /// # Panics
    /// If nothing was found and `STAGEHOST_REQUIRE` names it.
    #[track_caller]
    pub fn or_skip<T>(&self, found: Result<T, impl Display>) -> Option<T> {
        let required = self.is_required();
        match found {
            Ok(found) => Some(found),
            Err(why) => {
                let Self { name, what, how } = self;
                assert!(!required, "{what} is missing and STAGEHOST_REQUIRE names {name}: {why}; {how}");
                // Not by `println!`, whose output the test harness keeps to itself when a test passes.
                let at = std::panic::Location::caller();
                let _ = writeln!(std::io::stderr(), "skipped: {what} is missing ({at}): {why}; {how}");
                None
            }
        }
    }
}

/// The variable's path, if it is set and not empty.
fn path_of(variable: &str) -> Option<PathBuf> {
    std::env::var_os(variable).filter(|value| !value.is_empty()).map(PathBuf::from)
}
