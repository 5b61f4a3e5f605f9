//! A cursor over the text of a path.

/// The text that is not read yet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a> {
    rest: &'a str,
}

impl<'a> Reader<'a> {
    pub fn new(text: &'a str) -> Self {
        Self { rest: text }
    }

    /// Returns the text that is not read yet.
    pub fn rest(&self) -> &'a str {
        self.rest
    }

    /// Returns the next character without reading it.
    pub fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    /// Reads the next character.
    pub fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.rest = self.rest.get(c.len_utf8()..).unwrap_or_default();
        Some(c)
    }

    /// Reads `token` if it comes next. Returns whether it did.
    pub fn take(&mut self, token: &str) -> bool {
        match self.rest.strip_prefix(token) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// Skips white space.
    pub fn spaces(&mut self) {
        self.rest = self.rest.trim_start();
    }

    /// Reads up to the first character for which `stop` is true.
    pub fn until(&mut self, stop: impl Fn(char) -> bool) -> &'a str {
        let (read, rest) = self.rest.split_at(self.rest.find(stop).unwrap_or(self.rest.len()));
        self.rest = rest;
        read
    }

    /// Reads a text in single or double quotes. The opening quote comes next. A backslash stands before a quote of the
    /// same kind or before a backslash; before any other character it is a character of the text, as on the service.
    ///
    /// # Errors
    /// The reason, if the text has no end.
    pub fn quoted(&mut self) -> Result<String, String> {
        let open = self.next();
        let mut text = String::new();
        while let Some(c) = self.next() {
            match c {
                c if Some(c) == open => return Ok(text),
                '\\' => match self.peek() {
                    Some(escaped) if Some(escaped) == open || escaped == '\\' => text.extend(self.next()),
                    _ => text.push('\\'),
                },
                c => text.push(c),
            }
        }
        Err("a quoted text is not closed".into())
    }
}
