//! Parameters on a server that nobody here wrote: the same suite as the fake's, and what Longbow keeps there.

mod servers;

use std::sync::Arc;

use longbow_aws::Parameters;
use longbow_core::port::ParameterStore as _;
use longbow_core::secret::Secret;
use longbow_testkit::contract::parameter_store::{self, ParameterQuirks};

#[tokio::test]
async fn the_parameters_of_systems_manager_are_parameters() {
    let Some(server) = servers::ministack() else { return };
    let parameters = Arc::new(Parameters::open(&server.session().await).unwrap());
    let kept = Arc::clone(&parameters);
    let quirks = ParameterQuirks {
        prefix: format!("/{}/", servers::cluster::fresh("contract")),
        put: Box::new(move |name, value, secure| {
            let kept = Arc::clone(&kept);
            Box::pin(async move { kept.put(&name, &Secret::new(value), secure).await.unwrap() })
        }),
        versions: true,
    };
    parameter_store::suite(&*parameters, &quirks).await;
}

/// LB-03, LB-04: Longbow keeps its bucket pairs in a String and the other account's keys in a SecureString.
#[tokio::test]
async fn lb_04_parameters_are_read_as_longbow_keeps_them() {
    let Some(server) = servers::ministack() else { return };
    let parameters = Parameters::open(&server.session().await).unwrap();
    let (pairs, keys) = (servers::cluster::fresh("pairs"), format!("/{}/keys", servers::cluster::fresh("s")));
    let secret =
        Secret::new("{\"aws_access_key_id\": \"a\", \"aws_secret_access_key\": \"hush\", \"region\": \"x\"}");
    parameters.put(&pairs, &Secret::new("[{\"src_bucket\": \"s\"}]"), false).await.unwrap();
    parameters.put(&keys, &secret, true).await.unwrap();

    let found = parameters.get_many(&[&keys, &pairs]).await.unwrap();
    assert_eq!((&found[0].value, found[0].secure), (&secret, true));
    assert_eq!((found[1].value.expose(), found[1].secure), ("[{\"src_bucket\": \"s\"}]", false));
    assert!(!format!("{found:?} {parameters:?}").contains("hush"));

    // LBB-44: rotated keys are seen by reading again; the version tells.
    let before = parameters.get(&keys).await.unwrap().version;
    parameters.put(&keys, &Secret::new("rotated"), true).await.unwrap();
    let after = parameters.get(&keys).await.unwrap();
    assert_eq!(after.value.expose(), "rotated");
    assert!(after.version > before);
}
