//! The token of a session, which every change must carry. Only a page that this process has served knows it.

/// A random token that is made at the start of the process.
#[derive(Clone)]
pub struct SessionToken(String);

impl SessionToken {
    /// The field of forms and, with other words around it, the header that carries the token.
    pub const FIELD: &'static str = "token";
    /// The header of requests by the script.
    pub const HEADER: &'static str = "x-stagehost-token";

    /// Returns a new token; `None` if the machine has no random numbers.
    pub fn random() -> Option<Self> {
        let mut bytes = [0_u8; 32];
        getrandom::fill(&mut bytes).ok()?;
        Some(Self(hex::encode(bytes)))
    }

    /// Returns the text for a page.
    pub fn text(&self) -> &str {
        &self.0
    }

    /// Returns whether `given` is this token. How long it takes does not depend on where they differ.
    pub fn is(&self, given: &str) -> bool {
        let (own, given) = (self.0.as_bytes(), given.as_bytes());
        own.len() == given.len() && own.iter().zip(given).fold(0_u8, |differ, (a, b)| differ | (a ^ b)) == 0
    }
}

impl std::fmt::Debug for SessionToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SessionToken(…)")
    }
}
