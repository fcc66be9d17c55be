//! The calls of the S3 API that longbow makes, and what each needs.
//!
//! Apart, because both the messages and the classification of failures are made from it.

use longbow_core::failure::Feature;

/// One kind of request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Call {
    HeadBucket,
    CreateBucket,
    ListObjects,
    ListObjectVersions,
    HeadObject,
    GetObject,
    PutObject,
    CopyObject,
    DeleteObject,
    GetObjectTagging,
    CreateMultipartUpload,
    UploadPart,
    UploadPartCopy,
    ListParts,
    ListMultipartUploads,
    CompleteMultipartUpload,
    AbortMultipartUpload,
}

impl Call {
    /// The name in the API reference.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::HeadBucket => "HeadBucket",
            Self::CreateBucket => "CreateBucket",
            Self::ListObjects => "ListObjectsV2",
            Self::ListObjectVersions => "ListObjectVersions",
            Self::HeadObject => "HeadObject",
            Self::GetObject => "GetObject",
            Self::PutObject => "PutObject",
            Self::CopyObject => "CopyObject",
            Self::DeleteObject => "DeleteObject",
            Self::GetObjectTagging => "GetObjectTagging",
            Self::CreateMultipartUpload => "CreateMultipartUpload",
            Self::UploadPart => "UploadPart",
            Self::UploadPartCopy => "UploadPartCopy",
            Self::ListParts => "ListParts",
            Self::ListMultipartUploads => "ListMultipartUploads",
            Self::CompleteMultipartUpload => "CompleteMultipartUpload",
            Self::AbortMultipartUpload => "AbortMultipartUpload",
        }
    }

    /// The permission that an IAM policy grants it by (Service Authorization Reference, "Amazon S3").
    pub(crate) fn right(self) -> &'static str {
        match self {
            Self::HeadBucket | Self::ListObjects => "s3:ListBucket",
            Self::ListObjectVersions => "s3:ListBucketVersions",
            Self::CreateBucket => "s3:CreateBucket",
            Self::HeadObject | Self::GetObject => "s3:GetObject",
            Self::CopyObject | Self::UploadPartCopy => "s3:GetObject on the source or s3:PutObject here",
            Self::DeleteObject => "s3:DeleteObject",
            Self::GetObjectTagging => "s3:GetObjectTagging",
            Self::PutObject
            | Self::CreateMultipartUpload
            | Self::UploadPart
            | Self::CompleteMultipartUpload => "s3:PutObject (s3:PutObjectTagging if the object has tags)",
            Self::ListParts => "s3:ListMultipartUploadParts",
            Self::ListMultipartUploads => "s3:ListBucketMultipartUploads",
            Self::AbortMultipartUpload => "s3:AbortMultipartUpload",
        }
    }

    /// What a store lacks that does not know this call.
    pub(crate) fn feature(self) -> Feature {
        match self {
            Self::GetObjectTagging => Feature::Tags,
            Self::CopyObject | Self::UploadPartCopy => Feature::ServerSideCopy,
            Self::CreateMultipartUpload
            | Self::UploadPart
            | Self::ListParts
            | Self::ListMultipartUploads
            | Self::CompleteMultipartUpload
            | Self::AbortMultipartUpload => Feature::Multipart,
            _ => Feature::Other,
        }
    }

    /// Whether the reply has no body, so that a failure has no code.
    pub(crate) fn is_head(self) -> bool {
        matches!(self, Self::HeadBucket | Self::HeadObject)
    }

    /// Whether 404 without a code means the bucket.
    pub(crate) fn is_about_bucket(self) -> bool {
        matches!(
            self,
            Self::HeadBucket
                | Self::CreateBucket
                | Self::ListObjects
                | Self::ListObjectVersions
                | Self::ListMultipartUploads
        )
    }

    /// Whether 404 without a code means the upload.
    pub(crate) fn names_upload(self) -> bool {
        matches!(
            self,
            Self::UploadPart | Self::ListParts | Self::CompleteMultipartUpload | Self::AbortMultipartUpload
        )
    }
}
