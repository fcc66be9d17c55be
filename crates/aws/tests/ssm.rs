//! Parameters on a server that nobody here wrote.

mod servers;

use longbow_aws::Parameters;
use longbow_core::secret::Secret;

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

#[tokio::test]
async fn many_are_read_and_the_missing_are_named() {
    let Some(server) = servers::ministack() else { return };
    let parameters = Parameters::open(&server.session().await).unwrap();
    let names: Vec<String> = (0..12).map(|n| servers::cluster::fresh(&format!("p{n}"))).collect();
    for name in &names[..11] {
        parameters.put(name, &Secret::new(name.as_str()), false).await.unwrap();
    }
    let asked: Vec<&str> = names.iter().map(String::as_str).collect();
    let found = parameters.get_many(&asked[..11]).await.unwrap();
    assert!(found.iter().zip(&names).all(|(parameter, name)| parameter.value.expose() == name));
    let error = parameters.get_many(&asked).await.unwrap_err();
    assert!(error.message.contains(&names[11]) && !error.message.contains(&names[0]), "{error}");
}
