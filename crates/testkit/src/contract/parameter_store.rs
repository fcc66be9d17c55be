//! The contract of [`ParameterStore`]: what operators keep is read as it is, all of it or with the names of what is missing.

use std::fmt;
use std::pin::Pin;

use longbow_core::failure::BackendErrorKind;
use longbow_core::port::{Parameter, ParameterStore};

use super::verdict::{Check, Verdict, Violation, checks, demand, judge};

/// What the checks run against.
pub type Parameters = dyn ParameterStore;

/// Keeps a value under a name: name, value, whether it is encrypted.
pub type Put = dyn Fn(String, String, bool) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync;

/// How values get into the store, and what it can do.
pub struct ParameterQuirks {
    /// All names begin with it; none may be known to the store.
    pub prefix: String,
    /// Keeps a value.
    pub put: Box<Put>,
    /// A name may end in `:` and the number of a version.
    pub versions: bool,
}

impl fmt::Debug for ParameterQuirks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ParameterQuirks").field("versions", &self.versions).finish_non_exhaustive()
    }
}

impl ParameterQuirks {
    fn name(&self, check: &str) -> String {
        format!("{}{check}", self.prefix)
    }

    async fn put(&self, name: &str, value: &str, secure: bool) {
        (self.put)(name.to_owned(), value.to_owned(), secure).await;
    }

    /// Keeps a value under a new name.
    async fn kept(&self, check: &str, value: &str, secure: bool) -> String {
        let name = self.name(check);
        self.put(&name, value, secure).await;
        name
    }
}

/// Runs every check and panics with those that failed.
pub async fn suite(parameters: &Parameters, quirks: &ParameterQuirks) {
    judge(parameters, quirks, "the parameters", checks()).await;
}

/// The checks by name.
pub fn checks() -> Vec<Check<Parameters, ParameterQuirks>> {
    checks![
        plain_and_encrypted_ones_are_told_apart,
        any_text_comes_back,
        they_come_in_the_order_asked_and_as_often,
        more_are_read_than_one_request_takes,
        what_is_missing_is_named_and_nothing_else,
        a_change_is_seen_and_grows_the_version,
        an_older_version_is_read_by_its_number,
        white_space_is_no_value,
        no_value_is_shown,
    ]
}

fn is(found: &Parameter, name: &str, value: &str, secure: bool) -> Verdict {
    demand!(
        (found.name.as_str(), found.value.expose(), found.secure) == (name, value, secure),
        "{name} is read as {} with {:?}, encrypted: {}",
        found.name,
        found.value.expose(),
        found.secure
    );
    Ok(())
}

async fn plain_and_encrypted_ones_are_told_apart(
    parameters: &Parameters,
    quirks: &ParameterQuirks,
) -> Verdict {
    for (check, secure) in [("plain", false), ("encrypted", true)] {
        let name = quirks.kept(check, "[{\"a\": 1}]", secure).await;
        is(&parameters.get(&name).await?, &name, "[{\"a\": 1}]", secure)?;
    }
    Ok(())
}

async fn any_text_comes_back(parameters: &Parameters, quirks: &ParameterQuirks) -> Verdict {
    let long = "x".repeat(4096);
    for (n, value) in ["é\u{1f3f9}\\\"'<&>\t\r\n end ", "%41+%20", "0", &long].into_iter().enumerate() {
        let name = quirks.kept(&format!("text-{n}"), value, n % 2 == 0).await;
        is(&parameters.get(&name).await?, &name, value, n % 2 == 0)?;
    }
    Ok(())
}

async fn they_come_in_the_order_asked_and_as_often(
    parameters: &Parameters,
    quirks: &ParameterQuirks,
) -> Verdict {
    let (a, b) = (quirks.kept("order-a", "1", false).await, quirks.kept("order-b", "2", false).await);
    let names = [b.as_str(), a.as_str(), b.as_str()];
    let found = parameters.get_many(&names).await?;
    demand!(found.len() == names.len(), "{} of {} are answered", found.len(), names.len());
    for ((found, name), value) in found.iter().zip(names).zip(["2", "1", "2"]) {
        is(found, name, value, false)?;
    }
    demand!(parameters.get_many(&[]).await?.is_empty(), "nothing is asked for, and something answered");
    Ok(())
}

async fn more_are_read_than_one_request_takes(parameters: &Parameters, quirks: &ParameterQuirks) -> Verdict {
    let mut names = Vec::new();
    for n in 0..23 {
        names.push(quirks.kept(&format!("many-{n}"), &n.to_string(), false).await);
    }
    let asked: Vec<&str> = names.iter().map(String::as_str).collect();
    let found = parameters.get_many(&asked).await?;
    demand!(found.len() == names.len(), "{} of {} are answered", found.len(), names.len());
    for (n, found) in found.iter().enumerate() {
        is(found, &names[n], &n.to_string(), false)?;
    }
    Ok(())
}

async fn what_is_missing_is_named_and_nothing_else(
    parameters: &Parameters,
    quirks: &ParameterQuirks,
) -> Verdict {
    let there = quirks.kept("there", "x", false).await;
    let mut names = vec![there.clone()];
    names.extend((0..12).map(|n| quirks.name(&format!("gone-{n}-"))));
    let asked: Vec<&str> = names.iter().map(String::as_str).collect();
    match parameters.get_many(&asked).await {
        Err(error) => {
            demand!(error.kind == BackendErrorKind::Missing, "what is not there is told as {:?}", error.kind);
            for name in &names[1..] {
                demand!(error.message.contains(name), "{name} is not named: {}", error.message);
            }
            demand!(!error.message.contains(&there), "{there} is there: {}", error.message);
            // Names tell letters apart.
            let other = there.to_ascii_uppercase();
            let found = parameters.get(&other).await;
            demand!(found.is_err(), "{other} is taken for {there}");
            Ok(())
        }
        Ok(found) => Err(Violation(format!("{} of {} are there", found.len(), names.len()))),
    }
}

async fn a_change_is_seen_and_grows_the_version(
    parameters: &Parameters,
    quirks: &ParameterQuirks,
) -> Verdict {
    let name = quirks.kept("changed", "first", true).await;
    let first = parameters.get(&name).await?;
    demand!(parameters.get(&name).await?.version == first.version, "a version grows by being read");
    quirks.put(&name, "second", true).await;
    let second = parameters.get(&name).await?;
    is(&second, &name, "second", true)?;
    demand!(second.version > first.version, "version {} follows {}", second.version, first.version);
    demand!(second.modified >= first.modified, "{:?} follows {:?}", second.modified, first.modified);
    Ok(())
}

async fn an_older_version_is_read_by_its_number(
    parameters: &Parameters,
    quirks: &ParameterQuirks,
) -> Verdict {
    if !quirks.versions {
        return Ok(());
    }
    let name = quirks.kept("versions", "first", false).await;
    let first = parameters.get(&name).await?.version;
    quirks.put(&name, "second", false).await;
    let asked = format!("{name}:{first}");
    is(&parameters.get(&asked).await?, &asked, "first", false)?;
    is(&parameters.get(&name).await?, &name, "second", false)
}

async fn white_space_is_no_value(parameters: &Parameters, quirks: &ParameterQuirks) -> Verdict {
    let name = quirks.kept("blank", " \n", false).await;
    match parameters.get(&name).await {
        Err(error) if error.message.contains(&name) && !error.transient => Ok(()),
        other => Err(Violation(format!("of a parameter without a value is said {other:?}"))),
    }
}

async fn no_value_is_shown(parameters: &Parameters, quirks: &ParameterQuirks) -> Verdict {
    let name = quirks.kept("secret", "hush-hush", true).await;
    let found = parameters.get(&name).await?;
    let error = parameters.get_many(&[&name, &quirks.name("nowhere")]).await.err();
    let shown = format!("{parameters:?} {found:?} {error:?}");
    demand!(!shown.contains("hush"), "a value is shown: {shown}");
    Ok(())
}
