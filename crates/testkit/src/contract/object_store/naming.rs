//! Keys are bytes: each odd one is kept exactly, in every call, or refused.

use bytes::Bytes;
use longbow_core::failure::StoreErrorKind;
use longbow_core::object::ObjectKey;

use super::Store;
use crate::contract::calls::{get, head, keys, put};
use crate::contract::quirks::{KeyFate, Quirks};
use crate::contract::verdict::{Check, Verdict, Violation, checks, demand};
use crate::generate;

pub(super) fn checks() -> Vec<Check<Store, Quirks>> {
    checks![odd_keys_are_kept_or_refused, keys_at_the_root_are_kept_or_refused, keys_too_long_are_refused]
}

/// Puts an object under each key and gives the keys that were taken. All contents differ.
async fn put_all(store: &Store, quirks: &Quirks, keys: Vec<String>) -> Result<Vec<String>, Violation> {
    let mut taken = Vec::new();
    for key in keys {
        let fate = (quirks.fate)(&key);
        if fate == KeyFate::Broken {
            continue;
        }
        let body = Bytes::from(key.clone().into_bytes());
        match put(store, &ObjectKey::new(key.as_str()), &body).await {
            Ok(_) => taken.push(key),
            Err(e) if e.kind == StoreErrorKind::InvalidKey && fate == KeyFate::MayRefuse => {}
            Err(e) => return Err(Violation(format!("putting {key:?} failed with {:?}: {e}", e.kind))),
        }
    }
    Ok(taken)
}

async fn compare(store: &Store, prefix: &str, mut taken: Vec<String>) -> Verdict {
    for key in &taken {
        let object = ObjectKey::new(key.as_str());
        let got = get(store, &object)
            .await
            .map_err(|e| Violation(format!("getting {key:?} failed with {:?}: {e}", e.kind)))?;
        demand!(got == key.as_bytes(), "{key:?} holds the bytes of {:?}", String::from_utf8_lossy(&got));
        let size = head(store, &object).await?.size;
        demand!(size == key.len() as u64, "HEAD of {key:?} states {size} bytes");
    }
    let mut listed = keys(store, prefix).await?;
    listed.sort();
    taken.sort();
    let missing: Vec<_> = taken.iter().filter(|key| !listed.contains(key)).collect();
    let strange: Vec<_> = listed.iter().filter(|key| !taken.contains(key)).collect();
    demand!(
        missing.is_empty() && strange.is_empty(),
        "not listed: {missing:?}; listed, not put: {strange:?}"
    );
    Ok(())
}

async fn odd_keys_are_kept_or_refused(store: &Store, quirks: &Quirks) -> Verdict {
    let prefix = quirks.key("odd", "");
    let odd = generate::odd_keys(prefix.as_str().len());
    let odd = odd.into_iter().map(|rest| format!("{prefix}{rest}")).collect();
    let taken = put_all(store, quirks, odd).await?;
    compare(store, prefix.as_str(), taken).await
}

async fn keys_at_the_root_are_kept_or_refused(store: &Store, quirks: &Quirks) -> Verdict {
    for prefix in ["/", ".../"] {
        let odd = ["contract", "/contract", "contract//x"].map(|rest| format!("{prefix}{rest}")).to_vec();
        let taken = put_all(store, quirks, odd).await?;
        compare(store, prefix, taken.clone()).await?;
        for key in taken {
            store.delete(&ObjectKey::new(key), None).await?;
        }
    }
    Ok(())
}

async fn keys_too_long_are_refused(store: &Store, quirks: &Quirks) -> Verdict {
    let key = ObjectKey::new(format!("{}{}", quirks.prefix, generate::long_key(1025 - quirks.prefix.len())));
    match put(store, &key, &Bytes::from_static(b"x")).await {
        Err(error) if error.kind == StoreErrorKind::InvalidKey => Ok(()),
        // A folder may take longer names than S3 does.
        Ok(_) if store.traits().folder => Ok(store.delete(&key, None).await?),
        other => Err(Violation(format!("a key of 1,025 bytes gave {other:?}, not InvalidKey"))),
    }
}
