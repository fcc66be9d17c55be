//! Listings in pages.
//!
//! A page's token is the path that it ended with, so that a listing can go on in another process. Within one
//! process the walk itself is kept under the token: a large folder is then read and sorted once, not once a page.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use longbow_core::failure::{StoreError, StoreErrorKind};
use longbow_core::object::{KeyOrder, ObjectKey, ObjectMeta};
use longbow_core::port::ListPage;

use super::tree::Tree;
use super::walk::{Found, Walk, Wanted};

/// Entries of a page, those passed over included.
const PAGE: usize = 1000;
/// Walks kept for the next page. Listings that were given up are pushed out by newer ones.
const KEPT: usize = 16;

/// The walks that wait for their next page, the oldest first.
#[derive(Default)]
pub(super) struct Waiting(Mutex<VecDeque<((String, String), Walk)>>);

impl Waiting {
    fn take(&self, prefix: &str, token: &str) -> Option<Walk> {
        let mut walks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let at = walks.iter().position(|((p, t), _)| p == prefix && t == token)?;
        walks.remove(at).map(|(_, walk)| walk)
    }

    fn keep(&self, prefix: &str, token: &str, walk: Walk) {
        let mut walks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if walks.len() >= KEPT {
            walks.pop_front();
        }
        walks.push_back(((prefix.to_owned(), token.to_owned()), walk));
    }

    #[cfg(test)]
    pub(super) fn forget(&self) {
        self.0.lock().unwrap().clear();
    }
}

/// One page. Blocks.
pub(super) fn page(
    tree: &Arc<Tree>,
    waiting: &Waiting,
    order: KeyOrder,
    prefix: &str,
    token: Option<&str>,
) -> Result<ListPage, StoreError> {
    let mut page = ListPage::default();
    let mut walk = match token.and_then(|t| waiting.take(prefix, t)) {
        Some(walk) => walk,
        None => {
            let after = token.map(read_token).transpose()?.unwrap_or_default();
            let (walk, skipped) = Walk::start(tree, order, Wanted::Objects, prefix, &after)?;
            page.skipped.extend(skipped);
            walk
        }
    };
    while page.objects.len() + page.skipped.len() < PAGE {
        match walk.next()? {
            Some(Found::File { key, identity }) => page.objects.push(ObjectMeta {
                key: ObjectKey::from(key),
                size: identity.size,
                etag: Some(identity.etag()),
                modified: Some(identity.modified()),
                storage_class: None,
                version: None,
            }),
            Some(Found::Skipped(what)) => page.skipped.push(what),
            None => return Ok(page),
        }
    }
    if !walk.is_done() {
        let token = write_token(walk.last());
        waiting.keep(prefix, &token, walk);
        page.next = Some(token);
    }
    Ok(page)
}

/// Paths need not be UTF-8 and tokens must be text: hexadecimal digits.
fn write_token(path: &[u8]) -> String {
    use std::fmt::Write as _;
    path.iter().fold(String::with_capacity(path.len() * 2), |mut token, byte| {
        // Writing to a string cannot fail.
        let _ = write!(token, "{byte:02x}");
        token
    })
}

fn read_token(token: &str) -> Result<Vec<u8>, StoreError> {
    let digits = token.as_bytes();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    digits
        .len()
        .is_multiple_of(2)
        .then(|| digits.chunks_exact(2).map(byte).collect::<Option<Vec<u8>>>())
        .flatten()
        .ok_or_else(|| {
            StoreError::new(
                StoreErrorKind::Permanent,
                format!("{:?} is no place where a page of this folder ended", ObjectKey::from(token)),
            )
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_keep_every_byte() {
        let path = [0x61, 0xff, 0x2f, 0x00, 0x25];
        assert_eq!(read_token(&write_token(&path)).unwrap(), path);
        assert!(read_token("abc").is_err() && read_token("zz").is_err() && read_token("é").is_err());
    }
}
