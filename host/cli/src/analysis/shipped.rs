//! The files to compare: the named ones, or else the checkout's, or else those in this binary. So an operator needs no
//! checkout to change pins.

use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::build::checkout::Checkout;
use crate::exit::read_named_text;

/// A file of the project, of which the binary holds a copy.
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

/// A text and its source.
pub struct Source {
    /// The file, or the name of the copy in this program.
    pub place: PathBuf,
    pub text: String,
}

impl Shipped {
    /// Returns the text of the `named` file, or else of this one.
    ///
    /// # Errors
    /// If a file cannot be read, or `STAGEHOST_HOME` is not a checkout.
    pub fn or(&self, named: Option<&Path>) -> Result<Source> {
        let home = if named.is_some() { None } else { Checkout::if_any()? };
        self.read(named, home.as_ref().map(Checkout::root))
    }

    fn read(&self, named: Option<&Path>, checkout: Option<&Path>) -> Result<Source> {
        match named.map(Path::to_owned).or_else(|| Some(checkout?.join(self.path))) {
            Some(place) => Ok(Source { text: read_named_text("", &place)?, place }),
            None => {
                let place = format!("{} of stagehost {}", self.path, env!("CARGO_PKG_VERSION")).into();
                Ok(Source { text: self.text.to_owned(), place })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_named_file_comes_first_then_the_checkout_s_then_the_binary_s() {
        for shipped in [&STATE_MACHINE, &SCHEMA] {
            let built_in = shipped.read(None, None).unwrap();
            assert!(built_in.place.display().to_string().contains(env!("CARGO_PKG_VERSION")));
            let home = Checkout::find().unwrap();
            let checkout = shipped.read(None, Some(home.root())).unwrap();
            assert!(checkout.place.is_file() && checkout.text == built_in.text);

            let folder = tempfile::tempdir().unwrap();
            assert!(shipped.read(None, Some(folder.path())).is_err(), "a checkout without it is an error");
            let named = folder.path().join("other.json");
            std::fs::write(&named, "{}").unwrap();
            assert_eq!(shipped.read(Some(&named), Some(home.root())).unwrap().text, "{}");
        }
    }
}
