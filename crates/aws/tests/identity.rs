//! Roles and stored keys against a server that nobody here wrote.

mod servers;

use std::sync::Arc;

use longbow_aws::{Parameters, RoleOptions, SideOptions, StoredKeys, connect};
use longbow_core::object::Prefix;
use longbow_core::port::ObjectStore as _;
use longbow_core::secret::Secret;

/// Lists a bucket by both ways to S3, and gives who the store says that it is.
async fn list_by_both(bucket: &str, options: &SideOptions) -> Vec<String> {
    let mut domains = Vec::new();
    for sdk_only in [false, true] {
        let options = SideOptions { sdk_only, ..options.clone() };
        let store = connect(bucket, &options).await.unwrap();
        let page = store.list(&Prefix::default(), None).await.unwrap();
        assert!(page.objects.is_empty());
        domains.push(store.traits().copy_domain.unwrap());
    }
    domains
}

#[tokio::test]
async fn a_bucket_is_listed_with_a_role() {
    let Some(server) = servers::ministack() else { return };
    let bucket = server.bucket("role").await.traits().container;
    let arn = "arn:aws:iam::000000000000:role/copy";
    let role = RoleOptions { arn: arn.into(), external_id: Some("x".into()), session_name: "tests".into() };
    let options = SideOptions { role: Some(role), ..server.options() };
    for domain in list_by_both(&bucket, &options).await {
        assert!(domain.ends_with(arn), "{domain}");
    }
}

/// LB-04: the other account's keys lie in a SecureString.
#[tokio::test]
async fn lb_04_a_bucket_is_listed_with_stored_keys() {
    let Some(server) = servers::ministack() else { return };
    let bucket = server.bucket("stored").await.traits().container;
    let parameters = Parameters::open(&server.session().await).unwrap();
    let (name, side) = (servers::cluster::fresh("keys"), server.options());
    let keys = format!(
        r#"{{"aws_access_key_id": "{}", "aws_secret_access_key": "{}", "region": "us-east-1"}}"#,
        side.access_key.unwrap_or_default(),
        side.secret_key.unwrap_or_default(),
    );
    parameters.put(&name, &Secret::new(keys), true).await.unwrap();
    let stored = StoredKeys { parameters: Arc::new(parameters), name: name.clone() };
    let options = SideOptions {
        stored_keys: Some(stored),
        endpoint_url: server.options().endpoint_url,
        ..SideOptions::default()
    };
    for domain in list_by_both(&bucket, &options).await {
        assert!(domain.contains(&format!("the parameter {name}, the key ")), "{domain}");
    }
}
