//! Configurations of Longbow 0.98: the `.ini` file, the bucket pairs, the credentials, which are never repeated.

use longbow_core::legacy::{Pairs, known_keys, read_credentials, read_ini, read_pairs, translate};
use longbow_core::routes::KeyMapping;

use super::{Target, USUAL, bounds};
use crate::Form;

pub(super) const TARGET: Target = Target {
    name: "legacy",
    form: Form::Lines,
    tokens: &[
        "[Basic]",
        "[Mode]",
        "[Debug]",
        "JobType = PUT",
        "jobtype = GET",
        "Table_queue_name = q",
        "StorageClass = STANDARD",
        "MaxRetry = 20",
        "MaxThread = 5",
        "MaxParallelFile: 5",
        "JobTimeout = 3600",
        "ifVerifyMD5Twice = False",
        "ChunkSize = 5",
        "CleanUnfinishedUpload = True",
        "LocalProfileMode = False",
        "JobsenderCompareVersionId = True",
        "UpdateVersionId = False",
        "GetObjectWithVersionId = False",
        "=",
        ":",
        "#",
        ";",
        " ",
        "True",
        "true",
        "-1",
        "\u{feff}",
        "[",
        "]",
        "{",
        "}",
        "\"src_bucket\":\"src\"",
        "\"des_bucket\":\"dst\"",
        "\"src_prefix\":\"p\"",
        "\"des_prefix\":\"/\"",
        ",",
        "\"aws_access_key_id\":\"AKIA\"",
        "\"aws_secret_access_key\":\"CANARY\"",
        "\"aws_session_token\":\"CANARY\"",
        "\"region\":\"eu-west-1\"",
        "[{\"src_bucket\":\"My_Bucket\",\"des_bucket\":\"10.0.0.1\"}]",
    ],
    folders: &["crates/core/tests/corpus/legacy"],
    large,
    run,
    ..USUAL
};

fn large() -> Vec<Vec<u8>> {
    let keys: String = (0..4_000).map(|n| format!("key{n}=1\n")).collect();
    let pair = r#"{"src_bucket":"src","src_prefix":"p","des_bucket":"dst","des_prefix":"q"}"#;
    vec![
        format!("[Basic]\n{keys}").into_bytes(),
        // The name of a section is not kept once for each key.
        format!("[{}]\n{keys}", "x".repeat(10_000)).into_bytes(),
        "[Basic]\na=1\n".repeat(4_000).into_bytes(),
        format!("[{}]", vec![pair; 800].join(",")).into_bytes(),
        "[".repeat(100_000).into_bytes(),
    ]
}

fn run(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    ini(text);
    for mapping in [KeyMapping::FullKey, KeyMapping::Relative] {
        match read_pairs(text, mapping, false) {
            Ok(pairs) => {
                for (index, named) in pairs.routes.iter().enumerate() {
                    assert_eq!(named.name.as_str(), format!("pair-{}", index + 1));
                    assert!(!named.route.source.is_folder() && !named.route.destination.is_folder());
                }
                assert!(bounds::depth(text) <= 128);
            }
            Err(faults) => {
                assert!(!faults.is_empty(), "refused without a reason");
                faults.iter().for_each(|fault| bounds::showable(fault));
            }
        }
    }
    let _ = Pairs::recognise(text);
    match read_credentials(text) {
        Ok(keys) => {
            let shown = format!("{keys:?}");
            let secret = keys.secret_access_key.expose();
            assert!(secret.len() < 8 || !shown.contains(secret), "a secret is shown");
        }
        Err(faults) => {
            assert!(!faults.is_empty(), "refused without a reason");
            for fault in &faults {
                bounds::showable(fault);
                assert!(!fault.to_string().contains("CANARY"), "a value is repeated: {fault}");
            }
        }
    }
}

fn ini(text: &str) {
    let lines = text.lines().count();
    match read_ini(text) {
        Ok(entries) => {
            let all: Vec<&str> = text.lines().collect();
            for entry in &entries {
                assert!(
                    (1..=lines).contains(&entry.line) && !entry.key.is_empty() && !entry.section.is_empty()
                );
                let line = all[entry.line - 1];
                assert!(line.contains(&entry.value), "line {} does not hold {:?}", entry.line, entry.value);
            }
            let all = translate(&entries);
            all.faults.iter().for_each(|fault| bounds::showable(fault));
            let known: Vec<_> = known_keys().iter().map(|k| k.key.to_ascii_lowercase()).collect();
            let unknown = entries.iter().filter(|e| !known.contains(&e.key)).count();
            assert!(all.faults.len() >= unknown, "an unknown key is passed over in silence");
            assert!(
                all.settings.len() + all.special.len() + all.notes.len() + all.faults.len() <= entries.len()
            );
        }
        Err(faults) => {
            assert!(!faults.is_empty(), "refused without a reason");
            for fault in faults {
                assert!((1..=lines).contains(&fault.line));
                bounds::showable(&fault);
            }
        }
    }
}
