//! The files that are compared: those that were named, else the checkout's, else those that this binary was built with. So
//! an operator needs no checkout to change pins.

use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::build::checkout::Checkout;
use crate::exit::usage;

/// A file of the project that the binary holds as well.
pub struct Shipped {
    path: &'static str,
    text: &'static str,
}

/// The state machine that is deployed.
pub const STATE_MACHINE: Shipped = Shipped {
    path: "statemachine/media-processing.asl.json",
    text: include_str!("../../../../statemachine/media-processing.asl.json"),
};

/// The batch's schema.
pub const SCHEMA: Shipped = Shipped {
    path: "statemachine/schemas/batch.schema.json",
    text: include_str!("../../../../statemachine/schemas/batch.schema.json"),
};

/// A text, and where it is from.
pub struct Source {
    /// A file, or which part of this program.
    pub place: PathBuf,
    pub text: String,
}

impl Shipped {
    /// The file that was `named`, or this one.
    ///
    /// # Errors
    /// If a file cannot be read, or `STAGEHOST_HOME` is no checkout.
    pub fn or(&self, named: Option<&Path>) -> Result<Source> {
        let home = if named.is_some() { None } else { Checkout::if_any()? };
        self.read(named, home.as_ref().map(Checkout::root))
    }

    fn read(&self, named: Option<&Path>, checkout: Option<&Path>) -> Result<Source> {
        match named.map(Path::to_owned).or_else(|| Some(checkout?.join(self.path))) {
            Some(place) => Ok(Source { text: read(&place)?, place }),
            None => {
                let place = format!("{} of stagehost {}", self.path, env!("CARGO_PKG_VERSION")).into();
                Ok(Source { text: self.text.to_owned(), place })
            }
        }
    }
}

/// A file's text.
///
/// # Errors
/// If it cannot be read.
pub fn read(file: &Path) -> Result<String> {
    std::fs::read_to_string(file).map_err(|e| usage!("cannot read {}: {e}", file.display()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn without_a_checkout_the_binary_s_own_files_count_and_a_named_one_before_all() {
        for shipped in [&STATE_MACHINE, &SCHEMA] {
            let built_in = shipped.read(None, None).unwrap();
            assert!(built_in.place.display().to_string().contains(env!("CARGO_PKG_VERSION")));
            let home = Checkout::find().unwrap();
            let checkout = shipped.read(None, Some(home.root())).unwrap();
            assert!(checkout.place.is_file() && checkout.text == built_in.text);

            let folder = tempfile::tempdir().unwrap();
            assert!(shipped.read(None, Some(folder.path())).is_err(), "a checkout that lacks it is broken");
            let named = folder.path().join("other.json");
            std::fs::write(&named, "{}").unwrap();
            assert_eq!(shipped.read(Some(&named), Some(home.root())).unwrap().text, "{}");
        }
    }
}
