//! Multipart uploads: one temporary file beside the target, each part written at its place.
//!
//! An upload's id is the path of that file. Which parts are whole is known only for as long as the process lives
//! (a crash can leave half a part); afterwards the parts are read anew before they are trusted.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::sync::{Arc, Mutex, PoisonError};

use cap_std::fs::Dir;
use longbow_core::failure::{StoreError, StoreErrorKind};
use longbow_core::object::{Checksums, ETag, KeyOrder, Md5, ObjectKey};
use longbow_core::port::{
    CompleteRequest, ListedPart, ListedUpload, PartRequest, PutBody, UploadId, WriteCondition, Written,
};
use longbow_core::transfer::{Part, PartPlan, combine_checksums};
use tokio::sync::OwnedMutexGuard;

use super::commit::{Finished, check};
use super::digest::{PartDigests, other_bytes};
use super::fault;
use super::feed::{Batch, Feed, write_frames};
use super::names::{self, KeyPath};
use super::temporary::{Temporary, set_modified};
use super::threads::blocking;
use super::tree::{Blocked, Identity, Tree, existing};
use super::walk::{Found, Walk, Wanted};

/// Bytes read at once to prove a part.
const BLOCK: usize = 256 << 10;
/// Parts proved side by side.
const PROVERS: usize = 4;

/// The uploads that this process has touched.
#[derive(Default)]
pub(super) struct Uploads(Mutex<HashMap<UploadId, Arc<Upload>>>);

#[derive(Default)]
struct Upload(Mutex<HashMap<u32, Slot>>);

#[derive(Default)]
struct Slot {
    /// Held while the part is written or read.
    busy: Arc<tokio::sync::Mutex<()>>,
    /// Present while the bytes in the file are known to be these.
    proof: Option<Proof>,
}

#[derive(Debug, Clone, Copy)]
struct Proof {
    offset: u64,
    size: u64,
    md5: Md5,
    crc64: u64,
}

impl Uploads {
    fn get(&self, id: &UploadId) -> Arc<Upload> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(all.entry(id.clone()).or_default())
    }

    fn forget(&self, id: &UploadId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(id);
    }
}

impl Upload {
    async fn occupy(&self, number: u32) -> OwnedMutexGuard<()> {
        let busy = {
            let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(&slots.entry(number).or_default().busy)
        };
        busy.lock_owned().await
    }

    fn set(&self, number: u32, proof: Option<Proof>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(number).or_default().proof = proof;
    }

    /// Bytes `offset .. offset + size` are about to be overwritten.
    fn forget_range(&self, offset: u64, size: u64) {
        let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let end = offset.saturating_add(size);
        for slot in slots.values_mut() {
            slot.proof = slot.proof.filter(|p| p.offset + p.size <= offset || end <= p.offset);
        }
    }

    fn proof(&self, number: u32) -> Option<Proof> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&number)?.proof
    }
}

/// The file of an upload.
#[derive(Clone)]
struct Place {
    tree: Arc<Tree>,
    path: KeyPath,
    id: UploadId,
    name: String,
}

impl Place {
    /// Reads an upload id, which must name one of longbow's files in the folder of `path`.
    fn of(tree: &Arc<Tree>, path: &KeyPath, id: &UploadId) -> Result<Self, StoreError> {
        let place = Self { tree: Arc::clone(tree), path: path.clone(), id: id.clone(), name: String::new() };
        match id.0.strip_prefix(path.folder()) {
            Some(name) if names::is_upload(name.as_bytes()) && !name.contains(['/', '\0']) => {
                Ok(Self { name: name.to_owned(), ..place })
            }
            _ => Err(place.gone()),
        }
    }

    fn gone(&self) -> StoreError {
        StoreError::new(
            StoreErrorKind::NoSuchUpload,
            format!(
                "the unfinished file {} of {} is gone",
                ObjectKey::from(self.id.0.as_str()),
                self.path.key()
            ),
        )
    }

    /// Opens the file. Blocks.
    fn open(&self, write: bool) -> Result<(Arc<Dir>, File, u64), StoreError> {
        let key = self.path.key();
        let dir = self.tree.folder_of(&self.path).map_err(|blocked| match blocked {
            Blocked::Missing | Blocked::InTheWay { .. } => self.gone(),
            failed @ Blocked::Failed { .. } => failed.on_write(key),
        })?;
        let file = match dir.open_with(&self.name, &existing(write)) {
            Ok(file) => file.into_std(),
            Err(error) if error.kind() == ErrorKind::NotFound => return Err(self.gone()),
            Err(error) => return Err(fault::failed_key("open the unfinished file of", key, &error)),
        };
        let identity = Identity::of_file(&file).map_err(|e| fault::failed_key("look at", key, &e))?;
        let size = identity.ok_or_else(|| self.gone())?.size;
        Ok((dir, file, size))
    }
}

/// Begins an upload. Blocks.
pub(super) fn create(tree: &Arc<Tree>, path: &KeyPath) -> Result<UploadId, StoreError> {
    let temporary = Temporary::create(tree, path, |attempt| match attempt {
        0 => names::new_upload(path.file()),
        // The file system may take no names so long.
        _ => names::new_nameless_upload(),
    })?;
    // What can never be replaced by a file is told now.
    check(&temporary.dir, path, &WriteCondition::Always)?;
    let id = UploadId(format!("{}{}", path.folder(), temporary.name));
    temporary.settle();
    Ok(id)
}

/// Writes a part at its place.
pub(super) async fn put_part(
    tree: Arc<Tree>,
    uploads: Arc<Uploads>,
    path: KeyPath,
    id: &UploadId,
    body: PutBody,
    request: PartRequest,
) -> Result<Written, StoreError> {
    let place = Place::of(&tree, &path, id)?;
    let upload = uploads.get(id);
    // A part whose future was dropped may still be on its way to the disk: first it ends.
    let busy = upload.occupy(request.number).await;
    let mut feed = Feed::new(path.key(), body);
    let size = feed.length();
    let mut batch = feed.next().await?;
    let offset = request.offset;
    let begin = {
        let upload = Arc::clone(&upload);
        move || {
            let (_, mut file, _) = place.open(true)?;
            file.seek(SeekFrom::Start(offset))
                .map_err(|e| fault::failed_key("write", place.path.key(), &e))?;
            upload.forget_range(offset, size);
            upload.set(request.number, None);
            Ok(PartWriting { file, digests: PartDigests::new(), key: place.path.key().clone(), _busy: busy })
        }
    };
    let mut writing = blocking(begin).await.inspect_err(|error| {
        if error.kind == StoreErrorKind::NoSuchUpload {
            uploads.forget(id);
        }
    })?;
    while !batch.last {
        let (written, next) =
            futures_util::future::join(blocking(move || writing.add(&batch)), feed.next()).await;
        writing = written?;
        batch = next?;
    }
    blocking(move || {
        let PartWriting { digests, key, _busy, .. } = writing.add(&batch)?;
        let (md5, crc64) = digests.finish();
        if request.md5.is_some_and(|promised| promised != md5) {
            return Err(other_bytes(&key, "MD5"));
        }
        upload.set(request.number, Some(Proof { offset, size, md5, crc64 }));
        Ok(Written { etag: Some(ETag::of_md5(md5)), ..Default::default() })
    })
    .await
}

struct PartWriting {
    file: File,
    digests: PartDigests,
    key: ObjectKey,
    _busy: OwnedMutexGuard<()>,
}

impl PartWriting {
    fn add(mut self, batch: &Batch) -> Result<Self, StoreError> {
        batch.frames.iter().for_each(|frame| self.digests.update(frame));
        write_frames(&mut self.file, &batch.frames).map_err(|e| fault::failed_key("write", &self.key, &e))?;
        Ok(self)
    }
}

/// The parts of `plan` that the file holds, read anew. A part of zeros that this process did not write cannot be
/// told from one that never came, and is left out.
pub(super) async fn list_parts(
    tree: Arc<Tree>,
    uploads: Arc<Uploads>,
    path: KeyPath,
    id: &UploadId,
    plan: PartPlan,
) -> Result<Vec<ListedPart>, StoreError> {
    use futures_util::{StreamExt, TryStreamExt};
    let place = Arc::new(Place::of(&tree, &path, id)?);
    let look = Arc::clone(&place);
    let size = blocking(move || look.open(false).map(|(_, _, size)| size)).await?;
    let upload = uploads.get(id);
    let proofs = plan.parts().filter(|p| p.offset + p.length <= size).map(|part| {
        let (place, upload) = (Arc::clone(&place), Arc::clone(&upload));
        async move {
            let busy = upload.occupy(part.number).await;
            blocking(move || {
                let known = upload.proof(part.number);
                let proof = prove(&place, part, known.is_some())?;
                upload.set(part.number, proof);
                drop(busy);
                Ok(proof.map(|proof| ListedPart {
                    number: part.number,
                    size: part.length,
                    etag: ETag::of_md5(proof.md5),
                }))
            })
            .await
        }
    });
    futures_util::stream::iter(proofs)
        .buffered(PROVERS)
        .try_filter_map(|p| async move { Ok(p) })
        .try_collect()
        .await
}

fn prove(place: &Place, part: Part, known: bool) -> Result<Option<Proof>, StoreError> {
    let failed = |e: std::io::Error| fault::failed_key("read the unfinished file of", place.path.key(), &e);
    let (_, mut file, _) = place.open(false)?;
    file.seek(SeekFrom::Start(part.offset)).map_err(failed)?;
    let mut block = vec![0; BLOCK];
    let mut digests = PartDigests::new();
    let (mut left, mut only_zeros) = (part.length, true);
    while left > 0 {
        let wanted = usize::try_from(left).unwrap_or(BLOCK).min(BLOCK);
        let read = match file.read(&mut block[..wanted]) {
            Ok(0) => return Ok(None),
            Ok(read) => read,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(failed(error)),
        };
        left -= read as u64;
        only_zeros = only_zeros && block[..read].iter().all(|b| *b == 0);
        digests.update(&block[..read]);
    }
    let (md5, crc64) = digests.finish();
    let proof = Proof { offset: part.offset, size: part.length, md5, crc64 };
    Ok((known || !only_zeros).then_some(proof))
}

/// All unfinished uploads of keys under `prefix`, as far as their names tell the key. Blocks.
pub(super) fn list_uploads(
    tree: &Arc<Tree>,
    order: KeyOrder,
    prefix: &str,
) -> Result<Vec<ListedUpload>, StoreError> {
    let (mut walk, _) = Walk::start(tree, order, Wanted::Own, prefix, b"")?;
    let mut uploads = Vec::new();
    while let Some(found) = walk.next()? {
        let Found::File { key: path, identity } = found else { continue };
        let (folder, name) = path.split_at(path.rfind('/').map_or(0, |at| at + 1));
        let Some(target) = names::upload_target(name) else { continue };
        let key = format!("{folder}{target}");
        if key.starts_with(prefix) {
            uploads.push(ListedUpload {
                key: ObjectKey::from(key),
                upload: UploadId(path),
                initiated: Some(identity.modified()),
            });
        }
    }
    Ok(uploads)
}

/// Gives the file its name, if the parts are those that were written and make the whole. Blocks.
pub(super) fn complete(
    tree: &Arc<Tree>,
    uploads: &Uploads,
    path: &KeyPath,
    id: &UploadId,
    request: &CompleteRequest,
    durable: bool,
) -> Result<Written, StoreError> {
    let place = Place::of(tree, path, id)?;
    let key = path.key();
    let (dir, file, size) = place.open(true)?;
    let proofs = proofs(key, &uploads.get(id), request)?;
    if size != request.size {
        return Err(StoreError::new(
            StoreErrorKind::Corrupt,
            format!("the parts of {key} have {size} bytes together, and it should have {}", request.size),
        ));
    }
    check_whole(key, proofs.values(), request)?;
    if let Some(modified) = request.modified {
        set_modified(&file, modified).map_err(|e| fault::failed_key("set the time of", key, &e))?;
    }
    let finished = Finished { tree, path, dir: &dir, temporary: &place.name, file: &file };
    let etag = finished.commit(&request.condition, durable)?;
    uploads.forget(id);
    Ok(Written { etag: Some(etag), ..Default::default() })
}

fn proofs(
    key: &ObjectKey,
    upload: &Upload,
    request: &CompleteRequest,
) -> Result<BTreeMap<u32, Proof>, StoreError> {
    let mut all = BTreeMap::new();
    for (number, etag) in &request.parts {
        match upload.proof(*number) {
            Some(proof) if ETag::of_md5(proof.md5) == *etag => {
                all.insert(*number, proof);
            }
            Some(_) => return Err(invalid_part(key, *number, "has another tag")),
            None => return Err(invalid_part(key, *number, "was neither written nor read by this process")),
        }
    }
    Ok(all)
}

fn check_whole<'a>(
    key: &ObjectKey,
    proofs: impl Iterator<Item = &'a Proof> + Clone,
    request: &CompleteRequest,
) -> Result<(), StoreError> {
    let mut end = 0;
    for proof in proofs.clone() {
        if proof.offset != end {
            return Err(StoreError::new(
                StoreErrorKind::Corrupt,
                format!("the parts of {key} leave a gap or overlap at byte {end}"),
            ));
        }
        end += proof.size;
    }
    if end != request.size {
        return Err(StoreError::new(
            StoreErrorKind::Corrupt,
            format!("the parts of {key} make {end} bytes, and it should have {}", request.size),
        ));
    }
    let pieces = proofs.map(|p| (Checksums { crc64nvme: Some(p.crc64), ..Default::default() }, p.size));
    let whole = combine_checksums(pieces);
    match whole.agrees(&request.checksums) {
        Some(false) => Err(other_bytes(key, "CRC-64/NVME")),
        _ => Ok(()),
    }
}

fn invalid_part(key: &ObjectKey, number: u32, why: &str) -> StoreError {
    StoreError::new(StoreErrorKind::Corrupt, format!("part {number} of {key} {why}"))
}

/// Removes an upload's file. One that is gone is no error. Blocks.
pub(super) fn abort(
    tree: &Arc<Tree>,
    uploads: &Uploads,
    path: &KeyPath,
    id: &UploadId,
) -> Result<(), StoreError> {
    let Ok(place) = Place::of(tree, path, id) else { return Ok(()) };
    uploads.forget(id);
    let Ok(dir) = tree.folder_of(path) else { return Ok(()) };
    match dir.remove_file(&place.name) {
        Ok(()) => {
            tree.prune(path, usize::MAX);
            Ok(())
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(fault::failed_key("remove the unfinished file of", path.key(), &error)),
    }
}
