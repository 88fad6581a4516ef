//! Pages and their opaque tokens.

use sha2::{Digest, Sha256};

use super::{Error, Page, PageRequest};
use crate::domain::limits::PAGE_SIZE_MAX;

/// Bytes of a token that say which list it belongs to.
const SCOPE_BYTES: usize = 8;
/// Longest token, in characters; longer ones are none of ours.
const TOKEN_CHARS_MAX: usize = 512;

/// A page being made: which list it belongs to, where it starts, how long it is.
pub(super) struct Cursor {
    scope: [u8; SCOPE_BYTES],
    /// The key of the last item of the page before.
    pub(super) after: Option<String>,
    /// Most items.
    pub(super) size: u32,
}

impl Cursor {
    /// Reads a request for a page of the list that `scope` names: the method, the workspace, the filters.
    pub(super) fn new(scope: &[&str], request: &PageRequest) -> Result<Self, Error> {
        let scope = digest(scope);
        let after = match request.token.as_str() {
            "" => None,
            token => Some(read_token(scope, token).ok_or(Error::PageTokenInvalid)?),
        };
        Ok(Self { scope, after, size: request.size.clamp(1, PAGE_SIZE_MAX) })
    }

    /// Returns `after` as a number.
    pub(super) fn after_number(&self) -> Result<Option<u64>, Error> {
        let parse = |text: &String| text.parse().map_err(|_| Error::PageTokenInvalid);
        self.after.as_ref().map(parse).transpose()
    }

    /// Returns how many items to fetch: one more than the page holds, to see whether there are more.
    pub(super) fn fetch(&self) -> u32 {
        self.size + 1
    }

    /// Makes the page of what was fetched.
    pub(super) fn page<T>(&self, mut items: Vec<T>, key: impl Fn(&T) -> String) -> Page<T> {
        let size = usize::try_from(self.size).unwrap_or(usize::MAX);
        let more = items.len() > size;
        items.truncate(size);
        let next = items.last().filter(|_| more).map(|item| self.token(&key(item)));
        Page { items, next: next.unwrap_or_default() }
    }

    fn token(&self, key: &str) -> String {
        let bytes = self.scope.iter().chain(key.as_bytes());
        bytes.map(|byte| format!("{byte:02x}")).collect()
    }
}

fn digest(scope: &[&str]) -> [u8; SCOPE_BYTES] {
    let mut hash = Sha256::new();
    for part in scope {
        hash.update(part.len().to_le_bytes());
        hash.update(part);
    }
    let mut short = [0; SCOPE_BYTES];
    short.iter_mut().zip(hash.finalize()).for_each(|(short, byte)| *short = byte);
    short
}

fn read_token(scope: [u8; SCOPE_BYTES], token: &str) -> Option<String> {
    if token.len() > TOKEN_CHARS_MAX {
        return None;
    }
    let digits: Vec<u8> =
        token.chars().map(|c| c.to_digit(16)?.try_into().ok()).collect::<Option<_>>()?;
    let (pairs, rest) = digits.as_chunks::<2>();
    let bytes: Vec<u8> = pairs.iter().map(|[high, low]| high << 4 | low).collect();
    let key = bytes.strip_prefix(&scope)?;
    if key.is_empty() || !rest.is_empty() {
        return None;
    }
    String::from_utf8(key.to_vec()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(size: u32, token: &str) -> PageRequest {
        PageRequest { size, token: token.to_owned() }
    }

    #[test]
    fn pages_go_on_where_the_one_before_ended() {
        let first = Cursor::new(&["list"], &request(2, "")).unwrap();
        assert_eq!((first.after.as_deref(), first.fetch()), (None, 3));
        let page = first.page(vec![9, 8, 7], u64::to_string);
        assert_eq!(page.items, [9, 8]);
        let second = Cursor::new(&["list"], &request(2, &page.next)).unwrap();
        assert_eq!(second.after_number().unwrap(), Some(8));
        let page = second.page(vec![7], u64::to_string);
        assert_eq!((page.items.as_slice(), page.next.as_str()), ([7].as_slice(), ""));
    }

    #[test]
    fn a_token_of_another_list_or_none_of_ours_is_refused() {
        let cursor = Cursor::new(&["list", "acme"], &request(1, "")).unwrap();
        let token = cursor.page(vec![2, 1], u64::to_string).next;
        let refused = |scope: &[&str], token: &str| {
            matches!(Cursor::new(scope, &request(1, token)), Err(Error::PageTokenInvalid))
        };
        assert!(!refused(&["list", "acme"], &token));
        assert!(refused(&["list", "other"], &token));
        assert!(refused(&["lista", "cme"], &token));
        assert!(refused(&["list", "acme"], &token[..token.len() - 1]));
        assert!(refused(&["list", "acme"], &token[..16]));
        for bad in ["x", "zz", "éé", "00", &"0".repeat(10_000)] {
            assert!(refused(&["list", "acme"], bad), "{bad}");
        }
        let words = Cursor::new(&["list"], &request(1, "")).unwrap();
        let token = words.page(vec!["b", "a"], |word| (*word).to_owned()).next;
        let as_number = Cursor::new(&["list"], &request(1, &token)).unwrap();
        assert!(matches!(as_number.after_number(), Err(Error::PageTokenInvalid)));
    }

    #[test]
    fn sizes_are_bounded() {
        assert_eq!(Cursor::new(&[], &request(0, "")).unwrap().size, 1);
        assert_eq!(Cursor::new(&[], &request(u32::MAX, "")).unwrap().size, PAGE_SIZE_MAX);
    }
}
