//! Pages of a long list, and the tokens of the next page.

use serde_json::{Value, json};

use crate::error::StatesError;

/// The default page size and the largest one.
const DEFAULT_SIZE: usize = 100;
const MAX_SIZE: usize = 1_000;
/// The longest token that the model of the service allows. Tokens of lists with long names are longer here.
const MAX_TOKEN: usize = 1_024;

/// A requested page.
#[derive(Debug)]
pub(crate) struct Page {
    size: usize,
    /// The key at which the page begins; `None` for the first page.
    pub from: Option<u64>,
    /// Identifies the list. A token of another list is refused.
    list: Value,
}

impl Page {
    /// Reads the parameters of a request. `list` identifies the list.
    ///
    /// # Errors
    /// `InvalidToken`, `ValidationException`.
    pub fn read(list: Value, size: Option<i64>, token: Option<&str>) -> Result<Self, StatesError> {
        let size = match size.map(usize::try_from) {
            None | Some(Ok(0)) => DEFAULT_SIZE,
            Some(Ok(size)) if size <= MAX_SIZE => size,
            Some(_) => {
                let given = size.unwrap_or_default();
                let rule = match given {
                    ..0 => "greater than or equal to 0".to_owned(),
                    _ => format!("less than or equal to {MAX_SIZE}"),
                };
                let rule = format!("Member must have value {rule}");
                return Err(StatesError::constraint(&given.to_string(), "maxResults", &rule));
            }
        };
        let from = token.map(|token| read_token(token, &list).ok_or_else(|| refused(token))).transpose()?;
        Ok(Self { size, from, list })
    }

    /// Returns the items of this page and, if there are more, the token of the next. `key` returns the key at which a
    /// page can begin.
    pub fn cut<T>(&self, items: impl Iterator<Item = T>, key: impl Fn(&T) -> u64) -> (Vec<T>, Option<String>) {
        let mut items: Vec<T> = items.take(self.size + 1).collect();
        let next = match items.len() > self.size {
            true => items.pop().map(|next| write_token(key(&next), &self.list)),
            false => None,
        };
        (items, next)
    }
}

/// Writes a token: hexadecimal JSON of the key and the list.
fn write_token(from: u64, list: &Value) -> String {
    json!([from, list]).to_string().bytes().map(|byte| format!("{byte:02x}")).collect()
}

/// Returns the key of a token, if the token is for this list.
fn read_token(token: &str, list: &Value) -> Option<u64> {
    let bytes: Vec<u8> = token
        .as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect::<Option<_>>()?;
    match serde_json::from_slice::<(u64, Value)>(&bytes) {
        Ok((from, of)) if of == *list => Some(from),
        _ => None,
    }
}

/// Returns the error of a token that is not from this list.
fn refused(token: &str) -> StatesError {
    if token.len() <= MAX_TOKEN {
        return StatesError::invalid_page();
    }
    let rule = format!("Member must have length less than or equal to {MAX_TOKEN}");
    StatesError::constraint(token, "nextToken", &rule)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn pages_follow_each_other_without_gap_or_overlap() {
        let mut seen = Vec::new();
        let mut token = None;
        loop {
            let page = Page::read(json!("numbers"), Some(4), token.as_deref()).unwrap();
            let (items, next) = page.cut((0..10_u64).skip_while(|n| *n < page.from.unwrap_or(0)), |n| *n);
            assert!(items.len() <= 4);
            seen.extend(items);
            token = next;
            if token.is_none() {
                break;
            }
        }
        assert_eq!(seen, (0..10).collect::<Vec<_>>());
    }

    #[test]
    fn the_next_page_of_a_list_with_a_long_name_is_served() {
        let list = json!("名".repeat(400));
        let token = write_token(3, &list);
        assert!(token.len() > MAX_TOKEN);
        assert_eq!(Page::read(list, None, Some(&token)).unwrap().from, Some(3));
    }

    #[test]
    fn a_token_of_another_list_or_a_made_up_one_is_refused() {
        let token = write_token(3, &json!("a"));
        assert!(Page::read(json!("a"), None, Some(&token)).is_ok());
        for (list, token) in [("b", token.as_str()), ("a", "zz"), ("a", "f"), ("a", ""), ("a", "ä")] {
            assert_eq!(Page::read(json!(list), None, Some(token)).unwrap_err().name, "InvalidToken", "{token}");
        }
        let long = Page::read(json!("a"), None, Some(&"f".repeat(MAX_TOKEN + 1)));
        assert_eq!(long.unwrap_err().name, "ValidationException");
        assert_eq!(Page::read(json!("a"), Some(1001), None).unwrap_err().name, "ValidationException");
    }
}
