//! Runs the embedded S3 server until it is interrupted: `cargo run --release -p longbow-testkit --example serve`.
//!
//! Prints the endpoint. The bucket `world` holds the demo's data, the bucket `empty` nothing.

use longbow_testkit::fake::{FakeClock, FakeS3};
use longbow_testkit::generate;
use longbow_testkit::server::{ServerOptions, serve};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let fake = FakeS3::with_clock(FakeClock::from_system());
    generate::fill(&fake.create_bucket("world"), &generate::small_world(1))?;
    fake.create_bucket("empty");
    let options = ServerOptions { access_key: "longbow".to_owned(), secret_key: "longbow-secret".to_owned() };
    let server = serve(fake, options).await?;
    println!("{}", server.url());
    tokio::signal::ctrl_c().await?;
    Ok(())
}
