//! What happens to the world by itself: objects are written and removed at the source, events of it come or do not come,
//! somebody else writes the destination.

use std::sync::Arc;
use std::time::Duration;

use longbow_core::object::{ObjectAttributes, ObjectKey, VersionId};
use longbow_core::port::WriteCondition;
use longbow_testkit::fake::{Arrived, Completion, Content, NewObject};

use crate::dice::Dice;
use crate::fault::Fault;
use crate::journal::{Key, Role, What, Who};
use crate::life::OnWay;
use crate::plan::Shape;
use crate::port::upload_number;
use crate::world::{Version, World, digest, sequencer};

/// The name under which objects carry the number of their version.
const MARK: &str = "version";

fn frames(bytes: &[u8]) -> Content {
    Content::of_frames(vec![bytes::Bytes::copy_from_slice(bytes)])
}

/// Bytes that no other version has anywhere.
fn body(seed: u64, size: usize) -> bytes::Bytes {
    let mut dice = Dice::new(seed);
    let mut bytes = Vec::with_capacity(size + 8);
    while bytes.len() < size {
        bytes.extend_from_slice(&dice.word().to_le_bytes());
    }
    bytes.truncate(size);
    bytes.into()
}

impl World {
    pub(crate) fn has_source(&self, key: Key) -> bool {
        self.source.object(Self::name(key)).is_some()
    }

    /// Writes a new version at the source, of the shape of the last.
    pub(crate) fn overwrite(self: &Arc<Self>, key: Key) {
        let inner = self.inner();
        let last = inner.versions.get(usize::from(key.0)).and_then(|versions| versions.last());
        let size = last.map_or(40, |version| u16::try_from(version.body.len()).unwrap_or(40)).max(7);
        drop(inner);
        let part = self.dice(|dice| if dice.percent(15) { 64 } else { 0 });
        self.write_source(key, Shape { size, part });
    }

    /// Writes a new version at the source.
    pub(crate) fn write_source(self: &Arc<Self>, key: Key, shape: Shape) {
        let seed = self.dice(Dice::word);
        let serial = self.next_serial(key);
        let inner = self.inner();
        let was_empty =
            inner.versions[usize::from(key.0)].iter().any(|v| v.etag.is_some() && v.body.is_empty());
        drop(inner);
        // Bytes that come back after others have been there are beyond what a condition on a tag can tell.
        let size = if shape.size == 0 && was_empty { 7 } else { shape.size };
        let bytes = body(seed, size.into());
        self.store_source(key, serial, bytes, shape.part.into());
    }

    /// Writes the current bytes again.
    pub(crate) fn rewrite_source(self: &Arc<Self>, key: Key) {
        let inner = self.inner();
        let last = inner.versions.get(usize::from(key.0)).and_then(|versions| versions.last()).cloned();
        drop(inner);
        if let Some(Version { etag: Some(_), body, .. }) = last {
            self.struck(WORLD, Fault::Rewritten);
            let serial = self.next_serial(key);
            self.store_source(key, serial, body, 0);
        }
    }

    fn next_serial(&self, key: Key) -> u32 {
        let inner = self.inner();
        let versions = inner.versions.get(usize::from(key.0));
        versions.and_then(|versions| versions.last()).map_or(1, |version| version.serial + 1)
    }

    fn store_source(self: &Arc<Self>, key: Key, serial: u32, body: bytes::Bytes, part: usize) {
        let name = ObjectKey::from(Self::name(key));
        let user = vec![(MARK.to_owned(), serial.to_string())];
        let attributes = ObjectAttributes { user, ..ObjectAttributes::default() };
        let new = NewObject { attributes, ..NewObject::default() };
        let written = self.source.change(|bucket, now| {
            if part == 0 {
                let arrived = Arrived::at_hand(frames(&body))?;
                return bucket.put(&name, arrived, new, &WriteCondition::Always, now);
            }
            let upload = bucket.create_upload(&name, new, false, now)?;
            let mut parts = Vec::new();
            for (number, bytes) in (1..).zip(body.chunks(part)) {
                let written =
                    bucket.put_part(&name, &upload, number, Arrived::at_hand(frames(bytes))?, now)?;
                parts.extend(written.etag.map(|tag| (number, tag)));
            }
            bucket.complete_upload(&name, &upload, &Completion { parts, ..Completion::default() }, now)
        });
        // The world's own writes obey the bucket's rules.
        let Ok(written) = written else { return };
        let bytes = digest(&body);
        let size = body.len();
        let version = Version { serial, etag: written.etag.clone(), body };
        self.inner().versions[usize::from(key.0)].push(version);
        self.tell(What::Written(key, serial, bytes));
        if self.plan.events {
            let etag = written.etag.map_or(String::new(), |tag| tag.as_str().to_owned());
            let more = format!(r#","size":{size},"eTag":"{etag}"{}"#, versioned(written.version.as_ref()));
            self.send_event(event("ObjectCreated:Put", Self::name(key), serial, &more));
        }
    }

    /// Removes the source's object.
    pub(crate) fn remove_source(self: &Arc<Self>, key: Key) {
        let name = ObjectKey::from(Self::name(key));
        let serial = self.next_serial(key);
        let Ok(marker) = self.source.change(|bucket, _| bucket.delete(&name, None)) else { return };
        let version = Version { serial, etag: None, body: bytes::Bytes::new() };
        self.inner().versions[usize::from(key.0)].push(version);
        self.tell(What::Gone(key, serial));
        if self.plan.events {
            let name =
                if marker.is_some() { "ObjectRemoved:DeleteMarkerCreated" } else { "ObjectRemoved:Delete" };
            self.send_event(event(name, Self::name(key), serial, &versioned(marker.as_ref())));
        }
    }

    /// Somebody else writes the destination.
    pub(crate) fn stranger_writes(&self, key: Key) {
        let seed = self.dice(Dice::word);
        let size = self.dice(|dice| dice.pick(&[7, 40, 150], 40));
        let bytes = body(seed, size);
        self.inner().strangers += 1;
        self.tell(What::Stranger(key, Some(digest(&bytes))));
        self.destination.put_content(Self::name(key), frames(&bytes), NewObject::default());
        self.look(WORLD, &ObjectKey::from(Self::name(key)));
    }

    /// Somebody else removes what is at the destination.
    pub(crate) fn stranger_removes(&self, key: Key) {
        if self.destination.remove(Self::name(key)) {
            self.struck(WORLD, Fault::StrangerRemoved);
            self.tell(What::Stranger(key, None));
            self.look(WORLD, &ObjectKey::from(Self::name(key)));
        }
    }

    /// Somebody aborts an upload of a key at the destination, if there is one.
    pub(crate) fn abort_some_upload(&self, key: Key) -> bool {
        let name = ObjectKey::from(Self::name(key));
        let Some(found) = self.destination.uploads().into_iter().find(|upload| upload.key == name) else {
            return false;
        };
        if self.is_strangers(upload_number(&found.upload)) {
            return false;
        }
        self.destination.change(|bucket, _| bucket.abort_upload(&name, &found.upload)).is_ok()
    }

    /// Writes down what anybody sees at the destination now.
    pub(crate) fn look(&self, who: Who, name: &ObjectKey) {
        let key = Self::key_of(name);
        let seen = self.destination.object(name.as_str()).map(|object| {
            let bytes = object.content.to_vec().map_or(crate::journal::Bytes(0), |bytes| digest(&bytes));
            let mark = object.attributes.user.iter().find(|(name, _)| name == MARK);
            (bytes, mark.and_then(|(_, mark)| mark.parse().ok()).unwrap_or(0))
        });
        self.note(who, What::Visible(key, seen));
    }

    /// Sends an event on its way: now, later, twice or never.
    fn send_event(self: &Arc<Self>, body: String) {
        let calm = self.inner().calm;
        let meets = |world: &Self, fault: Fault| {
            let rate = u64::from(world.plan.rates[fault.index()]);
            // Rates are meant for calls, of which there are many more.
            let happens = !calm && world.dice(|dice| dice.below(10_000)) < rate * 20;
            if happens {
                world.struck(WORLD, fault);
            }
            happens
        };
        if meets(self, Fault::EventLost) {
            return;
        }
        let late = meets(self, Fault::EventLate);
        let copies = if meets(self, Fault::EventTwice) { 2 } else { 1 };
        for _ in 0..copies {
            let most = if late { 60_000 } else { 1_000 };
            let delay = self.dice(|dice| dice.milliseconds(0, most));
            let (world, body) = (Arc::clone(self), body.clone());
            let on_way = OnWay::new(self);
            tokio::spawn(async move {
                tokio::time::sleep(delay).await;
                world.push(&body);
                drop(on_way);
            });
        }
    }

    /// Puts a message into the queue.
    pub(crate) fn push(&self, body: &str) {
        self.queue.push("event", body);
        self.was_sent(WORLD, &[body.to_owned()]);
    }

    /// Waits as the world does, whatever the processes do.
    pub(crate) async fn wait(milliseconds: u64) {
        if milliseconds > 0 {
            tokio::time::sleep(Duration::from_millis(milliseconds)).await;
        }
    }
}

/// The world as an actor.
pub(crate) const WORLD: Who = Who { role: Role::World, life: 0 };

fn versioned(version: Option<&VersionId>) -> String {
    version.map(|version| format!(r#","versionId":"{}""#, version.0)).unwrap_or_default()
}

/// One record of an S3 notification. Names are encoded as S3 does it: a blank becomes a plus.
fn event(name: &str, key: &str, serial: u32, more: &str) -> String {
    let mut encoded = String::new();
    for byte in key.bytes() {
        match byte {
            b' ' => encoded.push('+'),
            b'a'..=b'z' | b'/' => encoded.push(char::from(byte)),
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    format!(
        r#"{{"Records":[{{"eventVersion":"2.1","eventSource":"aws:s3","eventName":"{name}","eventTime":"2026-01-01T00:00:00.000Z","s3":{{"bucket":{{"name":"source"}},"object":{{"key":"{encoded}","sequencer":"{}"{more}}}}}}}]}}"#,
        sequencer(serial)
    )
}
