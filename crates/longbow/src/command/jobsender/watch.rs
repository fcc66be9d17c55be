//! What a jobsender's user hears, and its report: a line for each source object, with the decision.

use std::sync::Arc;

use longbow_core::diff::Decision;
use longbow_core::job::Report;
use longbow_core::object::ObjectMeta;
use longbow_core::port::Observer;
use longbow_core::routes::RouteName;
use serde_json::json;

use crate::progress::Voice;
use crate::report::ReportFile;

pub(super) struct Watch {
    route: RouteName,
    voice: Voice,
    report: Option<Arc<ReportFile>>,
}

impl Watch {
    pub(super) fn new(route: RouteName, voice: Voice, report: Option<Arc<ReportFile>>) -> Self {
        Self { route, voice, report }
    }
}

impl Observer for Watch {
    fn notice(&self, text: &str) {
        self.voice.notice(text);
    }

    fn decided(&self, decision: Decision, source: &ObjectMeta, _: Option<&ObjectMeta>) {
        let Some(report) = &self.report else { return };
        let (word, reason) = match decision {
            Decision::Copy(reason) => ("copy", reason.to_string()),
            Decision::Skip(reason) => ("skip", reason.to_string()),
        };
        report.write(&json!({
            "route": self.route.as_str(),
            "key": source.key,
            "size": source.size,
            "etag": source.etag,
            "decision": word,
            "reason": reason,
        }));
    }

    fn comparison_restarted(&self) {
        if let Some(report) = &self.report {
            report.restart();
        }
    }

    // A jobsender copies nothing.
    fn finished(&self, _: &Report) {}
}
