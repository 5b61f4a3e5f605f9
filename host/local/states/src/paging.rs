//! Pages of a long list, and the tokens that lead from one to the next.

use serde_json::{Value, json};

use crate::error::ApiError;

/// The page size where none is asked for, and the largest one.
const USUAL: usize = 100;
const MOST: usize = 1_000;

/// What was asked for.
#[derive(Debug)]
pub(crate) struct Page {
    size: usize,
    /// Where the page begins, where it is not the first.
    pub from: Option<u64>,
    /// What the list is of; a token of another list is refused.
    list: Value,
}

impl Page {
    /// `list` tells this list from all others.
    ///
    /// # Errors
    /// `InvalidToken`, `ValidationException`.
    pub fn read(list: Value, size: Option<i64>, token: Option<&str>) -> Result<Self, ApiError> {
        let size = match size.map(usize::try_from) {
            None | Some(Ok(0)) => USUAL,
            Some(Ok(size)) if size <= MOST => size,
            Some(_) => {
                return Err(ApiError::validation(format!("Value at 'maxResults' must be between 0 and {MOST}")));
            }
        };
        let from = token.map(|token| open(token, &list).ok_or_else(ApiError::invalid_page)).transpose()?;
        Ok(Self { size, from, list })
    }

    /// The first items, and the token of the next page when there are more. `key` is where a page could begin.
    pub fn cut<T>(&self, items: impl Iterator<Item = T>, key: impl Fn(&T) -> u64) -> (Vec<T>, Option<String>) {
        let mut items: Vec<T> = items.take(self.size + 1).collect();
        let next = match items.len() > self.size {
            true => items.pop().map(|next| seal(key(&next), &self.list)),
            false => None,
        };
        (items, next)
    }
}

fn seal(from: u64, list: &Value) -> String {
    json!([from, list]).to_string().bytes().map(|byte| format!("{byte:02x}")).collect()
}

fn open(token: &str, list: &Value) -> Option<u64> {
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
    fn a_token_of_another_list_or_of_nobody_is_refused() {
        let token = seal(3, &json!("a"));
        assert!(Page::read(json!("a"), None, Some(&token)).is_ok());
        for (list, token) in [("b", token.as_str()), ("a", "zz"), ("a", "f"), ("a", ""), ("a", "ä")] {
            assert_eq!(Page::read(json!(list), None, Some(token)).unwrap_err().name, "InvalidToken", "{token}");
        }
        assert_eq!(Page::read(json!("a"), Some(1001), None).unwrap_err().name, "ValidationException");
    }
}
