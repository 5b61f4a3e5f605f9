//! The languages that projects are made for and built from.

use std::fmt;
use std::path::Path;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// The language of a project.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// Built by cargo.
    Rust,
    /// Built by componentize-py.
    Python,
    /// Built by componentize-js.
    #[value(name = "javascript", alias = "js")]
    Javascript,
}

impl Language {
    /// Returns the name for people.
    pub fn title(self) -> &'static str {
        match self {
            Self::Rust => "Rust",
            Self::Python => "Python",
            Self::Javascript => "JavaScript",
        }
    }

    /// Returns the language of a folder by the files that its tools need; `None` if there are none.
    pub fn of_folder(folder: &Path) -> Option<Self> {
        if folder.join("Cargo.toml").is_file() {
            Some(Self::Rust)
        } else if folder.join("package.json").is_file() {
            Some(Self::Javascript)
        } else if folder.join("src/app.py").is_file() {
            Some(Self::Python)
        } else {
            None
        }
    }

    /// Returns where the component of a project is built, relative to its folder, if nothing else is set.
    pub fn component(self, name: &str) -> String {
        match self {
            Self::Rust => format!("target/wasm32-wasip2/release/{}.wasm", name.replace('-', "_")),
            Self::Python | Self::Javascript => format!("build/{name}.wasm"),
        }
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.title())
    }
}
