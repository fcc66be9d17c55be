//! Replies to ListObjectsV2: what both readers take for a page is the same page.

use longbow_aws::readers::{listing_by_the_lean_path, listing_by_the_sdk};
use longbow_core::object::Prefix;

use super::{Target, USUAL, bounds};
use crate::Form;

pub(super) const TARGET: Target = Target {
    name: "listing",
    form: Form::Xml,
    tokens: &[
        "<ListBucketResult>",
        "</ListBucketResult>",
        "<Contents>",
        "</Contents>",
        "<Key>",
        "</Key>",
        "<Size>",
        "<ETag>",
        "<LastModified>",
        "<StorageClass>",
        "<IsTruncated>",
        "<NextContinuationToken>",
        "<EncodingType>url</EncodingType>",
        "<EncodingType>",
        "<Error>",
        "<Code>",
        "<Message>",
        "url",
        "true",
        "false",
        "1",
        "p/x",
        "p/%41",
        "%2",
        "+",
        "&quot;d41d8cd98f00b204e9800998ecf8427e&quot;",
        "2026-11-22T01:02:03.000Z",
        "Thu, 01 Jan 1970 00:00:00 GMT",
        "STANDARD",
        "GLACIER",
        "InternalError",
        "SlowDown",
        "<![CDATA[",
        "]]>",
        "<!--",
        "-->",
        "<?xml version=\"1.0\"?>",
        "<!DOCTYPE a [<!ENTITY x \"y\">]>",
        "&x;",
        "&#0;",
        "&#x10FFFF;",
        "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"",
        "s3:",
        "a/b",
        "\u{feff}",
        "<Contents/>",
        "<Key/>",
    ],
    large,
    memory: 2 * 1024 * 1024,
    memory_a_byte: 400,
    run,
    ..USUAL
};

fn page(entries: &str) -> Vec<u8> {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Name>bucket</Name>\
         <EncodingType>url</EncodingType><IsTruncated>false</IsTruncated>{entries}</ListBucketResult>"
    )
    .into_bytes()
}

fn large() -> Vec<Vec<u8>> {
    let entry = |n| {
        format!(
            "<Contents><Key>p/{n:05}</Key><LastModified>2026-11-22T01:02:03.000Z</LastModified><ETag>&quot;d41d8cd98f00b204e9800998ecf8427e&quot;\
             </ETag><Size>7</Size><StorageClass>STANDARD</StorageClass></Contents>"
        )
    };
    vec![
        page(&(0..1000).map(entry).collect::<String>()),
        page(&"<a>".repeat(30_000)),
        page(&"&amp;".repeat(30_000)),
        page(&format!("<Contents><Key>{}</Key><Size>1</Size></Contents>", "x".repeat(100_000))),
        page(&format!("<{0}></{0}>", "n".repeat(50_000))),
        b"<".repeat(60_000),
    ]
}

fn run(input: &[u8]) {
    for prefix in ["", "p/"] {
        let prefix = Prefix::raw(prefix);
        let lean = listing_by_the_lean_path(input, &prefix);
        let sdk = listing_by_the_sdk(input, &prefix);
        // The SDK takes the text of an element to end at the first comment, instruction or CDATA section, none of
        // which S3 sends.
        let odd = input.get(1..).unwrap_or_default().windows(2).any(|w| w == b"<!" || w == b"<?");
        if let (Ok(lean), Ok(sdk), false) = (&lean, &sdk, odd) {
            assert_eq!(lean.objects, sdk.objects, "the two readers differ");
            assert_eq!(lean.next, sdk.next, "the two readers differ");
        }
        match lean {
            Ok(page) => {
                // Whatever the namespace is called, an entry ends with its tag.
                let entries = input.windows(8).filter(|w| *w == b"Contents").count();
                assert!(page.objects.len() <= entries, "{} objects of {entries} entries", page.objects.len());
                assert!(
                    page.objects.iter().all(|o| o.key.strip(&prefix).is_some()),
                    "a key outside the prefix"
                );
                assert!(page.next.as_ref().is_none_or(|token| !token.is_empty()));
            }
            Err(error) => bounds::showable_with(&error, input.len()),
        }
    }
}
