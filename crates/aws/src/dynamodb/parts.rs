//! Proofs of parts, many in one item.
//!
//! A proof counts as remembered once it is written, so that a crash loses none that a worker has built on. Proofs of one
//! upload that arrive together are written together, and at most ten times a second: the cost of an object is bounded by
//! the time it takes, not by its parts. A line of text a proof, some seventy bytes: eleven of them cost as much as one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use futures_util::TryStreamExt as _;
use longbow_core::failure::BackendError;
use longbow_core::object::{Checksums, ETag};
use longbow_core::transfer::PartProof;
use tokio::time::Instant;

use super::calls::Query;
use super::item::{self, Item};
use super::place::Place;
use super::schema::attribute;
use super::table::Inner;
use crate::cluster::Gather;

/// Most proofs of an item: far below the 400 KB of an item, whatever the tags look like.
const MOST_PROOFS: usize = 200;

/// An upload that nobody has added to for so long has no writer of its own any more.
const IDLE: Duration = Duration::from_secs(600);

type Writer = Gather<PartProof, Result<(), BackendError>>;

/// The writers of the uploads under way, by partition key.
pub(super) struct Parts {
    table: Arc<Inner>,
    writers: Mutex<HashMap<String, (Arc<Writer>, Instant)>>,
}

impl Parts {
    pub(super) fn new(table: Arc<Inner>) -> Self {
        Self { table, writers: Mutex::default() }
    }

    pub(super) async fn add(&self, pk: String, proof: PartProof) -> Result<(), BackendError> {
        let written = self.writer(pk).add(proof).await;
        written.unwrap_or_else(|| {
            Err(BackendError::transient("the process is ending: the part is not remembered"))
        })
    }

    /// In the order of writing.
    pub(super) async fn read(&self, pk: String) -> Result<Vec<PartProof>, BackendError> {
        let items: Vec<Vec<Item>> = self.table.calls.pages(Query::under(pk)).try_collect().await?;
        let mut proofs = Vec::new();
        for item in items.into_iter().flatten() {
            for line in item::text(&item, attribute::PROOFS).unwrap_or_default().lines() {
                match read(line) {
                    Some(proof) => proofs.push(proof),
                    // Sent again: a part without a proof is not trusted.
                    None => tracing::warn!(line, "the proof of a part cannot be read"),
                }
            }
        }
        Ok(proofs)
    }

    pub(super) async fn forget(&self, pk: String) -> Result<(), BackendError> {
        self.writers.lock().unwrap_or_else(PoisonError::into_inner).remove(&pk);
        let keys = Query { only: &[attribute::PK, attribute::SK], ..Query::under(pk) };
        let keys: Vec<Vec<Item>> = self.table.calls.pages(keys).try_collect().await?;
        self.table.calls.delete_many(keys.into_iter().flatten().collect()).await
    }

    fn writer(&self, pk: String) -> Arc<Writer> {
        let mut writers = self.writers.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        if let Some((writer, used)) = writers.get_mut(&pk) {
            *used = now;
            return Arc::clone(writer);
        }
        writers.retain(|_, (writer, used)| Arc::strong_count(writer) > 1 || now - *used < IDLE);
        let (table, key) = (Arc::clone(&self.table), pk.clone());
        let writer = Arc::new(Gather::new(self.table.options.part_rhythm, MOST_PROOFS, move |proofs| {
            let (table, key) = (Arc::clone(&table), key.clone());
            async move { write(&table, key, proofs).await }
        }));
        writers.insert(pk, (Arc::clone(&writer), now));
        writer
    }
}

async fn write(table: &Inner, pk: String, proofs: Vec<PartProof>) -> Vec<Result<(), BackendError>> {
    let now = table.clock.now();
    // In the order of time, and never over another's.
    let place = Place { pk, sk: format!("{:015}-{}", now.0.max(0), table.next_write()) };
    let lines: Vec<String> = proofs.iter().map(line).collect();
    let kept = i64::try_from(table.options.parts_kept.as_secs()).unwrap_or(i64::MAX);
    let mut item = item::key(&place);
    item.insert(attribute::PROOFS.into(), AttributeValue::S(lines.join("\n")));
    item.insert(attribute::EXPIRES.into(), AttributeValue::N(now.second().saturating_add(kept).to_string()));
    let calls = &table.calls;
    let answer = calls.client.put_item().table_name(&calls.table).set_item(Some(item)).send().await;
    let written = answer.map(drop).map_err(|e| calls.fault("PutItem", "dynamodb:PutItem", &e));
    proofs.iter().map(|_| written.clone()).collect()
}

/// `NUMBER SIZE MD5 CRC64NVME CRC32C CRC32 ETAG`, `-` for what is not known, `=` for a tag that is the MD5.
fn line(proof: &PartProof) -> String {
    let PartProof { number, size, md5, etag, checksums } = proof;
    let wide = checksums.crc64nvme.map_or_else(|| "-".to_owned(), |c| format!("{c:016x}"));
    let narrow = |c: Option<u32>| c.map_or_else(|| "-".to_owned(), |c| format!("{c:08x}"));
    let (crc32c, crc32) = (narrow(checksums.crc32c), narrow(checksums.crc32));
    let tag = if etag.as_str() == md5 { "=" } else { etag.as_str() };
    format!("{number} {size} {md5} {wide} {crc32c} {crc32} {tag}")
}

fn read(line: &str) -> Option<PartProof> {
    // The tag comes last: it may have spaces.
    let mut fields = line.splitn(7, ' ');
    let mut next = || fields.next();
    let (number, size, md5) = (next()?.parse().ok()?, next()?.parse().ok()?, next()?.to_owned());
    fn known<T>(text: &str, read: impl Fn(&str) -> Option<T>) -> Option<Option<T>> {
        if text == "-" { Some(None) } else { read(text).map(Some) }
    }
    let checksums = Checksums {
        crc64nvme: known(next()?, |t| u64::from_str_radix(t, 16).ok())?,
        crc32c: known(next()?, |t| u32::from_str_radix(t, 16).ok())?,
        crc32: known(next()?, |t| u32::from_str_radix(t, 16).ok())?,
    };
    let etag = match next()? {
        "=" => ETag::new(&md5),
        tag => ETag::new(tag),
    };
    Some(PartProof { number, size, md5, etag, checksums })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proof_is_read_back() {
        let md5 = "d41d8cd98f00b204e9800998ecf8427e";
        for (etag, checksums) in [
            (md5, Checksums::default()),
            ("a tag with spaces", Checksums { crc64nvme: Some(1), crc32c: None, crc32: Some(u32::MAX) }),
            ("=", Checksums { crc64nvme: Some(u64::MAX), crc32c: Some(0), crc32: None }),
        ] {
            let etag = ETag::new(if etag == "=" { "x=" } else { etag });
            let proof = PartProof { number: 10_000, size: 5 << 30, md5: md5.to_owned(), etag, checksums };
            assert_eq!(read(&line(&proof)), Some(proof));
        }
    }

    #[test]
    fn eleven_proofs_cost_as_much_as_one() {
        let md5 = "d41d8cd98f00b204e9800998ecf8427e".to_owned();
        let checksums = Checksums { crc64nvme: Some(u64::MAX), ..Checksums::default() };
        let etag = ETag::new(&md5);
        let proof = PartProof { number: 10_000, size: 16 << 20, md5, etag, checksums };
        // With the names of the attributes and the keys, an item of up to 1,024 bytes is one unit of writing.
        assert!((line(&proof).len() + 1) * 11 < 1024 - 220, "{}", line(&proof).len());
    }

    #[test]
    fn a_damaged_line_is_no_proof() {
        for line in ["", "1", "x 1 m - - - =", "1 1 m - - -", "1 1 m zz - - =", "1 -1 m - - - ="] {
            assert_eq!(read(line), None, "{line}");
        }
    }
}
