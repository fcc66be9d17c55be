//! Uploads in parts: any order, proof after a restart, and no trust without it.

use longbow_core::object::{Checksums, ETag, Md5, Prefix, Timestamp};
use longbow_core::port::{
    CompleteRequest, CreateRequest, HeadRequest, ListedPart, MultipartStore, PartRequest, UploadId,
    WriteCondition,
};
use longbow_core::transfer::PartPlan;
use md5::Digest as _;

use super::*;

const PART: u64 = 700_000;
const SIZE: u64 = 3 * PART + 5;

fn content() -> Vec<u8> {
    (0..SIZE).map(|n| u8::try_from((n * 31 + n / 253) % 251).unwrap()).collect()
}

fn plan() -> PartPlan {
    PartPlan::new(SIZE, PART)
}

fn slice(number: u32) -> Bytes {
    let part = plan().part(number).unwrap();
    let from = usize::try_from(part.offset).unwrap();
    Bytes::from(content()[from..from + usize::try_from(part.length).unwrap()].to_vec())
}

fn tag(bytes: &[u8]) -> ETag {
    ETag::of_md5(Md5(md5::Md5::digest(bytes).into()))
}

fn request(number: u32) -> PartRequest {
    PartRequest { number, offset: plan().part(number).unwrap().offset, md5: None }
}

struct Upload<'w> {
    world: &'w World,
    store: Directory,
    key: ObjectKey,
    id: UploadId,
}

impl<'w> Upload<'w> {
    async fn begin(world: &'w World, name: &str) -> Self {
        let create = CreateRequest { size: SIZE, ..Default::default() };
        let id = world.store.create_upload(&key(name), &create).await.unwrap();
        Self { world, store: world.store.clone(), key: key(name), id }
    }

    /// The same upload as another process sees it.
    fn after_a_restart(&self) -> Self {
        let store = Directory::open(self.world.root(), DirectoryOptions::default()).unwrap();
        Self { world: self.world, store, key: self.key.clone(), id: self.id.clone() }
    }

    async fn send(&self, number: u32) -> Result<Written, StoreError> {
        let frames = slice(number).chunks(100_000).map(|c| Ok(Bytes::copy_from_slice(c))).collect();
        let body = streamed(slice(number).len() as u64, frames);
        self.store.put_part(&self.key, &self.id, body, &request(number)).await
    }

    async fn parts(&self) -> Result<Vec<ListedPart>, StoreError> {
        self.store.list_parts(&self.key, &self.id, &plan()).await
    }

    fn completion(&self) -> CompleteRequest {
        CompleteRequest {
            parts: (1..=4).map(|n| (n, tag(&slice(n)))).collect(),
            condition: WriteCondition::Absent,
            checksums: Checksums::default(),
            size: SIZE,
            modified: Some(Timestamp(1_500_000_000_000)),
        }
    }

    async fn complete(&self, request: &CompleteRequest) -> Result<Written, StoreError> {
        self.store.complete_upload(&self.key, &self.id, request).await
    }
}

#[tokio::test]
async fn parts_arrive_in_any_order_and_become_one_file() {
    let world = World::new();
    let upload = Upload::begin(&world, "a/big").await;
    for number in [4, 2, 1, 3] {
        assert_eq!(upload.send(number).await.unwrap().etag, Some(tag(&slice(number))));
    }
    assert!(
        world.store.list(&Prefix::default(), None).await.unwrap().objects.is_empty(),
        "unfinished is unseen"
    );
    let crc = crc_fast::checksum(crc_fast::CrcAlgorithm::Crc64Nvme, &content());
    let done = CompleteRequest {
        checksums: Checksums { crc64nvme: Some(crc), ..Default::default() },
        ..upload.completion()
    };
    let written = upload.complete(&done).await.unwrap();
    assert!(world.get("a/big", GetRequest::default()).await.unwrap() == content());
    let head = world.store.head(&key("a/big"), &HeadRequest::default()).await.unwrap();
    assert_eq!((head.etag, head.modified), (written.etag, Some(Timestamp(1_500_000_000_000))));
    assert_eq!(world.on_disk(), ["root/", "root/a/", "root/a/big"]);
    assert_eq!(kind(upload.complete(&done).await), StoreErrorKind::NoSuchUpload);
    assert_eq!(kind(upload.send(1).await), StoreErrorKind::NoSuchUpload);
    assert_eq!(kind(upload.parts().await), StoreErrorKind::NoSuchUpload);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parts_arrive_side_by_side() {
    let world = World::new();
    let upload = Upload::begin(&world, "big").await;
    let sent = futures_util::future::join_all((1..=4).map(|n| upload.send(n))).await;
    assert!(sent.iter().all(Result::is_ok));
    upload.complete(&upload.completion()).await.unwrap();
    assert!(world.get("big", GetRequest::default()).await.unwrap() == content());
}

#[tokio::test]
async fn a_restart_trusts_only_what_it_has_read() {
    let world = World::new();
    let before = Upload::begin(&world, "big").await;
    for number in [1, 3, 4] {
        before.send(number).await.unwrap();
    }
    // A crash in the middle of part 2 has left something.
    let file = std::fs::OpenOptions::new().write(true).open(world.root().join(&before.id.0)).unwrap();
    std::os::unix::fs::FileExt::write_at(&file, b"half", PART).unwrap();
    let after = before.after_a_restart();
    assert_eq!(
        kind(after.complete(&after.completion()).await),
        StoreErrorKind::Corrupt,
        "nothing was read yet"
    );
    let listed = after.parts().await.unwrap();
    assert_eq!(listed.iter().map(|p| p.number).collect::<Vec<_>>(), [1, 2, 3, 4]);
    for part in &listed {
        assert_eq!(part.etag == tag(&slice(part.number)), part.number != 2, "{part:?}");
        assert_eq!(part.size, slice(part.number).len() as u64);
    }
    assert_eq!(
        kind(after.complete(&after.completion()).await),
        StoreErrorKind::Corrupt,
        "part 2 has another tag"
    );
    after.send(2).await.unwrap();
    after.complete(&after.completion()).await.unwrap();
    assert!(world.get("big", GetRequest::default()).await.unwrap() == content());
}

#[tokio::test]
async fn a_hole_is_no_part_but_zeros_are() {
    let world = World::new();
    let upload = Upload::begin(&world, "big").await;
    upload.send(3).await.unwrap();
    assert_eq!(upload.parts().await.unwrap().iter().map(|p| p.number).collect::<Vec<_>>(), [3]);
    let zeros = Bytes::from(vec![0; usize::try_from(PART).unwrap()]);
    let body = PutBody::Kept(vec![zeros.clone()]);
    upload.store.put_part(&upload.key, &upload.id, body, &request(1)).await.unwrap();
    let listed = upload.parts().await.unwrap();
    assert_eq!(
        listed.iter().map(|p| (p.number, p.etag.clone())).collect::<Vec<_>>(),
        [(1, tag(&zeros)), (3, tag(&slice(3)))]
    );
}

#[tokio::test]
async fn a_part_sent_again_replaces_the_one_before_and_a_broken_one_is_forgotten() {
    let world = World::new();
    let upload = Upload::begin(&world, "big").await;
    for number in 1..=4 {
        upload.send(number).await.unwrap();
    }
    let other = Bytes::from(vec![7; usize::try_from(PART).unwrap()]);
    let broken = streamed(
        PART,
        vec![
            Ok(other.slice(..400_000)),
            Ok(other.slice(400_000..)),
            Err(StoreError::new(StoreErrorKind::Transient, "broke")),
        ],
    );
    assert_eq!(
        kind(upload.store.put_part(&upload.key, &upload.id, broken, &request(2)).await),
        StoreErrorKind::Transient
    );
    upload.complete(&upload.completion()).await.unwrap();

    let upload = Upload::begin(&world, "big2").await;
    for number in 1..=4 {
        upload.send(number).await.unwrap();
    }
    let large = Bytes::from(vec![7; 2 << 20]);
    let broken = streamed(4 << 20, vec![Ok(large), Err(StoreError::new(StoreErrorKind::Transient, "broke"))]);
    let sent = upload.store.put_part(
        &upload.key,
        &upload.id,
        broken,
        &PartRequest { number: 2, offset: PART, md5: None },
    );
    assert_eq!(kind(sent.await), StoreErrorKind::Transient);
    assert_eq!(
        kind(upload.complete(&upload.completion()).await),
        StoreErrorKind::Corrupt,
        "half of it was overwritten"
    );
}

#[tokio::test]
async fn promises_about_parts_and_the_whole_are_checked() {
    let world = World::new();
    let upload = Upload::begin(&world, "big").await;
    let lying = PartRequest { md5: Some(Md5([1; 16])), ..request(1) };
    let put = upload.store.put_part(&upload.key, &upload.id, PutBody::Kept(vec![slice(1)]), &lying).await;
    assert_eq!(kind(put), StoreErrorKind::Corrupt);
    for number in 1..=4 {
        upload.send(number).await.unwrap();
    }
    let right = upload.completion();
    let missing = CompleteRequest { parts: right.parts[..3].to_vec(), ..right.clone() };
    let gap = CompleteRequest { parts: [&right.parts[..1], &right.parts[2..]].concat(), ..right.clone() };
    let size = CompleteRequest { size: SIZE - 1, ..right.clone() };
    let sum = CompleteRequest {
        checksums: Checksums { crc64nvme: Some(1), ..Default::default() },
        ..right.clone()
    };
    let none = CompleteRequest { parts: vec![], ..right.clone() };
    for wrong in [missing, gap, size, sum, none] {
        assert_eq!(kind(upload.complete(&wrong).await), StoreErrorKind::Corrupt, "{wrong:?}");
    }
    world.put("big", "in the way").await.unwrap();
    assert_eq!(kind(upload.complete(&right).await), StoreErrorKind::PreconditionFailed);
    assert_eq!(world.content("big").as_deref(), Some("in the way"));
    // The upload is still there.
    world.store.delete(&key("big"), None).await.unwrap();
    upload.complete(&right).await.unwrap();
}

#[tokio::test]
async fn the_longest_names_take_parts_too() {
    let world = World::new();
    let long = "é".repeat(127);
    let upload = Upload::begin(&world, &long).await;
    for number in 1..=4 {
        upload.send(number).await.unwrap();
    }
    assert_eq!(world.store.list_uploads(&Prefix::default()).await.unwrap(), []);
    upload.complete(&upload.completion()).await.unwrap();
    assert!(world.get(&long, GetRequest::default()).await.unwrap() == content());
}

#[tokio::test]
async fn uploads_are_listed_and_aborted() {
    let world = World::new();
    let one = Upload::begin(&world, "p/q/one").await;
    let two = Upload::begin(&world, "p/two").await;
    let three = Upload::begin(&world, "three").await;
    let list = async |prefix: Prefix| {
        let mut all = world.store.list_uploads(&prefix).await.unwrap();
        all.sort_by(|a, b| a.key.cmp(&b.key));
        assert!(all.iter().all(|u| u.initiated.is_some()));
        all.into_iter().map(|u| (u.key, u.upload)).collect::<Vec<_>>()
    };
    let named =
        |uploads: &[&Upload<'_>]| uploads.iter().map(|u| (u.key.clone(), u.id.clone())).collect::<Vec<_>>();
    assert_eq!(list(Prefix::default()).await, named(&[&one, &two, &three]));
    assert_eq!(list(Prefix::folder("p")).await, named(&[&one, &two]));
    assert_eq!(list(Prefix::raw("p/t")).await, named(&[&two]));
    for upload in [&one, &two, &three] {
        upload.send(1).await.unwrap();
        for _ in 0..2 {
            upload.store.abort_upload(&upload.key, &upload.id).await.unwrap();
        }
        assert_eq!(kind(upload.send(2).await), StoreErrorKind::NoSuchUpload);
    }
    assert_eq!(world.on_disk(), ["root/"]);
}

#[tokio::test]
async fn a_part_whose_future_was_dropped_does_not_spoil_its_successor() {
    let world = World::new();
    let upload = Upload::begin(&world, "big").await;
    let part = PartRequest { number: 1, offset: 0, md5: None };
    let (store, name, id) = (upload.store.clone(), upload.key.clone(), upload.id.clone());
    let body = stalled(4 << 20, vec![Bytes::from(vec![9; 2 << 20])]);
    let task = tokio::spawn(async move { store.put_part(&name, &id, body, &part).await });
    let file = world.root().join(&upload.id.0);
    until("the first bytes", || std::fs::metadata(&file).is_ok_and(|m| m.len() > 0)).await;
    task.abort();
    assert!(task.await.unwrap_err().is_cancelled());
    assert_eq!(kind(upload.complete(&upload.completion()).await), StoreErrorKind::Corrupt);
    for number in 1..=4 {
        upload.send(number).await.unwrap();
    }
    upload.complete(&upload.completion()).await.unwrap();
    assert!(world.get("big", GetRequest::default()).await.unwrap() == content());
}
