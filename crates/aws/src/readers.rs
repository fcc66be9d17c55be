//! The readers of listings by themselves, without a store: for those who feed them with anything (`tests/fuzz`).
//!
//! Apart, because nothing of the program needs it. What is read here is read by the same code as a reply of a store.

use aws_sdk_s3::operation::list_objects_v2::{ListObjectsV2, ListObjectsV2Output};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::runtime_plugin::RuntimePlugin as _;
use aws_smithy_runtime_api::client::ser_de::{DeserializeResponse as _, SharedResponseDeserializer};
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::config_bag::ConfigBag;
use longbow_core::failure::{StoreError, StoreErrorKind};
use longbow_core::object::Prefix;
use longbow_core::port::ListPage;

use crate::call::Call;
use crate::failure::About;
use crate::lean::read_listing;
use crate::s3::read_page;

const ABOUT: About<'static> = About {
    call: Call::ListObjects,
    bucket: "bucket",
    region: "region",
    place: "place",
    key: None,
    condition: None,
};

/// A page of a listing as the lean path reads the body of a reply.
///
/// # Errors
/// As for a reply of a store.
pub fn listing_by_the_lean_path(body: &[u8], prefix: &Prefix) -> Result<ListPage, StoreError> {
    read_page(&ABOUT, prefix, None, read_listing(&ABOUT, body)?)
}

/// The same as the SDK reads it.
///
/// # Errors
/// As for a reply of a store; what the SDK says is left out.
pub fn listing_by_the_sdk(body: &[u8], prefix: &Prefix) -> Result<ListPage, StoreError> {
    let unreadable = || ABOUT.fault(StoreErrorKind::Transient, "the 200 reply cannot be read");
    let layer = ListObjectsV2::new().config().ok_or_else(unreadable)?;
    let reader = layer.load::<SharedResponseDeserializer>().ok_or_else(unreadable)?;
    let status = StatusCode::try_from(200).map_err(|_| unreadable())?;
    let reply = HttpResponse::new(status, SdkBody::from(body.to_vec()));
    crate::replies::sound(body).map_err(|_| unreadable())?;
    let read =
        reader.deserialize_nonstreaming_with_config(&reply, &ConfigBag::base()).map_err(|_| unreadable())?;
    let answer: ListObjectsV2Output = read.downcast().map_err(|_| unreadable())?;
    read_page(&ABOUT, prefix, None, answer.into())
}
