//! The bucket pairs of SSM's `s3_migration_bucket_para` (LB-03).

use serde_json::Value;

use crate::excerpt::excerpt;
use crate::json::{JsonFault, Node, read_strict};
use crate::object::{Location, Prefix};
use crate::route::Route;
use crate::routes::{KeyMapping, NamedRoute, RouteName};

const FIELDS: [&str; 4] = ["src_bucket", "src_prefix", "des_bucket", "des_prefix"];

/// The routes of a list of pairs.
#[derive(Debug, Clone)]
pub struct Pairs {
    /// One a pair, named `pair-1`, `pair-2`, … in the order of the list.
    pub routes: Vec<NamedRoute>,
    /// What is done differently from Longbow, in words, to be logged once.
    pub notes: Vec<String>,
}

/// Reads `[{"src_bucket", "src_prefix", "des_bucket", "des_prefix"}, …]`; reports every fault with its place.
///
/// A prefix may be missing, empty or `/`, which all mean the whole bucket. With `raw_prefix` the source prefix is taken
/// as S3 takes it, as Longbow did: `p` then takes `pp/x` too (LBB-25). `mapping` is [`KeyMapping::FullKey`] for what
/// Longbow does (LB-24).
pub fn read_pairs(text: &str, mapping: KeyMapping, raw_prefix: bool) -> Result<Pairs, Vec<JsonFault>> {
    let value = read_strict(text).map_err(|fault| vec![fault])?;
    let items = Node::root(&value).items().map_err(|fault| vec![fault])?;
    let (mut routes, mut notes, mut faults) = (Vec::new(), Vec::new(), Vec::new());
    for (index, pair) in items.iter().enumerate() {
        let name = RouteName::of_pair(index);
        let Some(fields) = pair.value.as_object() else {
            faults.push(pair.fault("is no object with src_bucket, src_prefix, des_bucket and des_prefix"));
            continue;
        };
        for unknown in fields.keys().filter(|key| !FIELDS.contains(&key.as_str())) {
            let unknown = excerpt(unknown, 60);
            let what =
                format!("has the field {unknown:?}, which is not known; known are {}", FIELDS.join(", "));
            faults.push(pair.fault(what));
        }
        let source = bucket(pair, "src_bucket", &mut faults);
        let destination = bucket(pair, "des_bucket", &mut faults);
        let from = prefix(pair, "src_prefix", &mut faults, &mut notes);
        let to = prefix(pair, "des_prefix", &mut faults, &mut notes);
        let (Some(source), Some(destination)) = (source, destination) else { continue };
        if !raw_prefix && !from.is_empty() && !from.ends_with('/') {
            notes.push(format!(
                "{}.src_prefix: {from:?} means what lies under {from:?}/; Longbow would also take every other key that \
                 begins with it (for that, match prefixes raw)",
                pair.path
            ));
        }
        let from = if raw_prefix { Prefix::raw(&from) } else { Prefix::folder(&from) };
        let route = Route {
            source: Location::S3 { bucket: source, prefix: from },
            destination: Location::S3 { bucket: destination, prefix: Prefix::folder(&to) },
        };
        routes.push(NamedRoute::new(name, route, mapping));
    }
    if faults.is_empty() { Ok(Pairs { routes, notes }) } else { Err(faults) }
}

fn bucket(pair: &Node<'_>, name: &str, faults: &mut Vec<JsonFault>) -> Option<String> {
    let read = || -> Result<String, JsonFault> {
        let node = pair.need(name)?;
        let text = node.text()?;
        if text.contains('/') && !text.starts_with("arn:") {
            return Err(node.fault("names the bucket alone: put the rest into the prefix"));
        }
        match Location::parse(&format!("s3://{text}"), false) {
            Ok(Location::S3 { bucket, .. }) => Ok(bucket),
            Ok(Location::Folder(_)) => Err(node.fault("is no bucket name")),
            Err(error) => Err(node.fault(error.to_string())),
        }
    };
    read().map_err(|fault| faults.push(fault)).ok()
}

fn prefix(pair: &Node<'_>, name: &str, faults: &mut Vec<JsonFault>, notes: &mut Vec<String>) -> String {
    let text = match pair.optional_text(name) {
        Ok(text) => text.unwrap_or_default(),
        Err(fault) => {
            faults.push(fault);
            return String::new();
        }
    };
    // Longbow reads `/` as "everything".
    if text == "/" {
        return String::new();
    }
    if text.starts_with('/') || text.contains("//") {
        notes.push(format!(
            "{}.{name}: the prefix {text:?} holds an empty name between slashes; it is taken as it is, where Longbow \
             would have shortened it",
            pair.path
        ));
    }
    text.to_owned()
}

/// Whether a text has the form of a list of pairs, so that a parameter can be told from one of another kind.
impl Pairs {
    /// Whether the text is a JSON array whose first entry has `src_bucket`.
    pub fn recognise(text: &str) -> bool {
        let first = |value: &Value| value.get(0).is_some_and(|pair| pair.get("src_bucket").is_some());
        read_strict(text).is_ok_and(|value| first(&value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::ObjectKey;

    const TWO: &str = include_str!("../../tests/corpus/legacy/bucket-para.json");

    fn faults(text: &str) -> Vec<String> {
        let faults = read_pairs(text, KeyMapping::FullKey, false).map(|_| ()).unwrap_err();
        faults.iter().map(ToString::to_string).collect()
    }

    /// LB-03: several pairs, in order.
    #[test]
    fn lb_03_two_pairs_are_two_routes() {
        let pairs = read_pairs(TWO, KeyMapping::FullKey, false).unwrap();
        assert!(Pairs::recognise(TWO) && !Pairs::recognise("{}"));
        let names: Vec<&str> = pairs.routes.iter().map(|r| r.name.as_str()).collect();
        assert_eq!(names, ["pair-1", "pair-2"]);
        let map = |i: usize, key: &str| pairs.routes[i].route.map(&ObjectKey::from(key));
        assert_eq!(map(0, "raw/2024/x.bin"), Some("backup/raw/2024/x.bin".into()));
        assert_eq!(map(0, "rawer/x.bin"), None);
        assert_eq!(map(1, "any/x"), Some("any/x".into()));
        assert_eq!(pairs.notes.len(), 1, "{:?}", pairs.notes);
    }

    /// LBB-25: prefix `p` also took `pp/…`.
    #[test]
    fn lbb_25_siblings_of_a_prefix_are_taken_only_when_asked() {
        let text = r#"[{"src_bucket":"aaa","src_prefix":"p","des_bucket":"bbb","des_prefix":""}]"#;
        let takes = |raw| {
            let pairs = read_pairs(text, KeyMapping::FullKey, raw).unwrap();
            pairs.routes[0].route.map(&"pp/x".into()).is_some()
        };
        assert!(!takes(false));
        assert!(takes(true));
    }

    #[test]
    fn slash_and_nothing_mean_the_whole_bucket() {
        for text in [
            r#"[{"src_bucket":"aaa","src_prefix":"/","des_bucket":"bbb","des_prefix":"/"}]"#,
            r#"[{"src_bucket":"aaa","src_prefix":"","des_bucket":"bbb","des_prefix":null}]"#,
            "\u{feff}[{\"src_bucket\":\"aaa\",\"des_bucket\":\"bbb\"}]",
        ] {
            let pairs = read_pairs(text, KeyMapping::FullKey, false).unwrap();
            assert_eq!(pairs.routes[0].route.map(&"x".into()), Some("x".into()), "{text}");
        }
        assert!(read_pairs("[]", KeyMapping::FullKey, false).unwrap().routes.is_empty());
    }

    #[test]
    fn every_fault_is_named_with_its_place() {
        let all = faults(
            r#"[{"src_bucket":"s3://aaa/p","des_bucket":7,"src_prefix":[]},
                {"src_bucket":"a b","des_bucket":"x/y","src_prefx":"p"}, 3, {"des_bucket":"bbb"}]"#,
        );
        let expected = [
            "$[0].src_bucket: names",
            "$[0].des_bucket: is a number",
            "$[0].src_prefix: is an array",
            "$[1]: has the field \"src_prefx\"",
            "$[1].src_bucket: \"a b\" is no bucket name",
            "$[1].des_bucket: names",
            "$[2]: is no object",
            "$[3].src_bucket: is missing",
        ];
        assert_eq!(all.len(), expected.len(), "{all:#?}");
        for (found, expected) in all.iter().zip(expected) {
            assert!(found.starts_with(expected), "{found}");
        }
        for wrong in ["", "{}", "[{},]", r#"[{"src_bucket":"aaa","src_bucket":"bbb"}]"#, "\"x\""] {
            assert_eq!(faults(wrong).len(), 1, "{wrong}");
        }
    }
}
