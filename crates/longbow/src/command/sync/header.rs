//! What a run tells before it begins: what goes where, how it is compared and why, and what it goes on with.

use std::path::Path;

use longbow_core::transfer::MethodPolicy;
use serde_json::json;

use super::state::Memory;
use crate::amounts::{count, objects};
use crate::command::route::{Asked, Sides};
use crate::progress::Voice;

/// Tells it.
pub(super) fn tell(voice: &Voice, asked: &Asked, sides: &Sides, memory: &Memory, file: &Path) {
    let source = sides.source.full_name(&asked.route.source);
    let destination = sides.destination.full_name(&asked.route.destination);
    let (method, why) = method(asked, sides);
    let resumes = memory.jobs > 0 || memory.interrupted.is_some();
    voice.event(&json!({
        "event": "started",
        "source": source,
        "destination": destination,
        "comparison": asked.comparison.to_string(),
        "comparison_because": asked.because,
        "method": method,
        "state": file.to_string_lossy(),
        "resumes": resumes,
        "jobs_left_over": memory.jobs,
    }));
    voice.chatter(&format!("From    {source}\nTo      {destination}"));
    voice.chatter(&format!("Compare {}: {}", asked.comparison, asked.because));
    voice.chatter(&format!("Method  {method}: {why}"));
    voice.chatter(&format!("State   {}", file.display()));
    if resumes {
        let when = memory.interrupted.map(|t| format!(" of {t}")).unwrap_or_default();
        voice.chatter(&format!(
            "Resuming an interrupted transfer{when}: {} jobs are left of it",
            count(memory.jobs)
        ));
    }
    if asked.settings.delete {
        let most = objects(asked.settings.max_delete);
        voice.chatter(&format!("Delete  what only the destination has, at most {most}, after the copies"));
    }
}

fn method(asked: &Asked, sides: &Sides) -> (&'static str, &'static str) {
    let (source, destination) = (&sides.source.traits.copy_domain, &sides.destination.traits.copy_domain);
    match asked.settings.method {
        MethodPolicy::Stream => ("stream", "as asked for"),
        MethodPolicy::ServerSide => ("server-side", "as asked for"),
        MethodPolicy::Auto if source.is_some() && source == destination => {
            ("server-side", "one store and one identity for both sides")
        }
        MethodPolicy::Auto => {
            ("stream", "two stores, identities or folders: the bytes go through this machine")
        }
    }
}
