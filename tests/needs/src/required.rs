//! What must not be skipped: the value of `STAGEHOST_REQUIRE`.

use std::fmt;

use crate::{ALL, Need};

/// What `STAGEHOST_REQUIRE` asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Required {
    /// `all`
    All,
    /// A list of names, which may be empty.
    Names(Vec<String>),
}

/// A name that no test knows.
#[derive(Debug, PartialEq, Eq)]
pub struct RequiredError(String);

impl fmt::Display for RequiredError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known: Vec<_> = ALL.iter().map(|need| need.name).collect();
        write!(f, "STAGEHOST_REQUIRE names {:?}, which no test needs; use `all` or: {}", self.0, known.join(", "))
    }
}

impl std::error::Error for RequiredError {}

impl Required {
    /// Reads the variable. Unset, it requires nothing.
    ///
    /// # Errors
    /// If it has a name that no test knows.
    pub fn from_env() -> Result<Self, RequiredError> {
        Self::parse(&std::env::var("STAGEHOST_REQUIRE").unwrap_or_default())
    }

    /// Reads `all`, or names with commas or spaces between them.
    ///
    /// # Errors
    /// If it has a name that no test knows.
    pub fn parse(text: &str) -> Result<Self, RequiredError> {
        let names: Vec<_> = text.split([',', ' ']).filter(|name| !name.is_empty()).map(str::to_owned).collect();
        if names == ["all"] {
            return Ok(Self::All);
        }
        match names.iter().find(|name| ALL.iter().all(|need| need.name != *name)) {
            Some(unknown) => Err(RequiredError(unknown.clone())),
            None => Ok(Self::Names(names)),
        }
    }

    /// Returns whether a test that lacks this must fail.
    pub fn names(&self, need: &Need) -> bool {
        match self {
            Self::All => true,
            Self::Names(names) => names.iter().any(|name| name == need.name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{FFMPEG, MEDIA};

    #[test]
    fn all_requires_everything_and_an_empty_value_nothing() {
        assert!(ALL.iter().all(|need| Required::parse("all").is_ok_and(|all| all.names(need))));
        for text in ["", " ", ","] {
            assert!(ALL.iter().all(|need| Required::parse(text).is_ok_and(|none| !none.names(need))));
        }
    }

    #[test]
    fn a_list_requires_what_it_names() {
        for text in ["ffmpeg,oci", "ffmpeg, oci", "oci ffmpeg"] {
            let list = Required::parse(text);
            assert!(list.as_ref().is_ok_and(|list| list.names(&FFMPEG) && !list.names(&MEDIA)), "{text}: {list:?}");
        }
    }

    #[test]
    fn a_misspelt_name_is_refused_with_the_names_that_exist() {
        for text in ["ffmepg", "all,ffmpeg", "ffmpeg,everything", "All"] {
            let error = Required::parse(text).map_err(|error| error.to_string());
            assert!(error.as_ref().is_err_and(|said| said.contains("ffmpeg, python")), "{text}: {error:?}");
        }
    }

    #[test]
    fn no_two_needs_share_a_name() {
        let mut names: Vec<_> = ALL.iter().map(|need| need.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), ALL.len());
    }
}
