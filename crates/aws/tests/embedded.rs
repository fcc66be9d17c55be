//! The contract suites of both ports against the embedded server, with nothing left out: it is Amazon S3 in full.

use longbow_aws::{SideOptions, connect};
use longbow_testkit::contract::{Quirks, multipart, object_store};
use longbow_testkit::fake::{FakeClock, FakeS3};
use longbow_testkit::server::{ServerOptions, serve};

#[tokio::test]
async fn the_embedded_server_is_amazon_s3() {
    let fake = FakeS3::with_clock(FakeClock::from_system());
    for (bucket, versioned) in [("plain", false), ("versioned", true)] {
        fake.create_bucket(bucket).configure(|settings| settings.versioned = versioned);
    }
    let keys = ServerOptions { access_key: "key".into(), secret_key: "secret".into() };
    let server = serve(fake, keys).await.expect("a free port");
    let options = SideOptions {
        endpoint_url: Some(server.url()),
        access_key: Some("key".into()),
        secret_key: Some("secret".into()),
        ..SideOptions::default()
    };
    for bucket in ["plain", "versioned"] {
        let store = connect(bucket, &options).await.expect("keys are given");
        object_store::suite(&store, &Quirks { listed_objects: 1_100, ..Quirks::default() }).await;
        multipart::suite(&store, &Quirks::default()).await;
    }
}
