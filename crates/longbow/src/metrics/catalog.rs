//! The names of all metrics, with their units: the only place in the program that has them.
//!
//! What each means is told in `docs/METRICS.md`.

/// CloudWatch's namespace.
pub(super) const NAMESPACE: &str = "Longbow";

/// Declares metrics that are counters: an enum, and for each its names and its unit.
macro_rules! counters {
    ($(#[$doc:meta])* $name:ident { $($variant:ident $unit:ident $prometheus:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(super) enum $name { $($variant,)+ }

        impl $name {
            /// All, in the order of their numbers.
            pub(super) const ALL: [Self; [$(Self::$variant),+].len()] = [$(Self::$variant),+];

            /// CloudWatch's name.
            pub(super) fn name(self) -> &'static str {
                match self { $(Self::$variant => stringify!($variant),)+ }
            }

            /// CloudWatch's unit.
            pub(super) fn unit(self) -> &'static str {
                match self { $(Self::$variant => stringify!($unit),)+ }
            }

            /// The name for Prometheus.
            #[allow(dead_code, reason = "a jobsender has no such names")]
            pub(super) fn prometheus(self) -> &'static str {
                match self { $(Self::$variant => $prometheus,)+ }
            }
        }
    };
}

counters! {
    /// What is counted for each route, and of which the sum is the fleet's.
    RouteCounter {
        BytesDownloaded Bytes "longbow_bytes_downloaded_total",
        BytesUploaded Bytes "longbow_bytes_uploaded_total",
        BytesCompleted Bytes "longbow_bytes_completed_total",
        BytesSettled Bytes "longbow_bytes_settled_total",
        ObjectsCopied Count "longbow_objects_copied_total",
        ObjectsSkipped Count "longbow_objects_skipped_total",
        ObjectsRemoved Count "longbow_objects_removed_total",
        ObjectsFailed Count "longbow_objects_failed_total",
    }
}

counters! {
    /// What is counted for the whole worker.
    FleetCounter {
        JobsReceived Count "longbow_jobs_received_total",
        JobsReturned Count "longbow_jobs_returned_total",
        JobsRefused Count "longbow_jobs_refused_total",
        Throttles Count "longbow_throttles_total",
        QueueFailures Count "longbow_queue_failures_total",
        StateFailures Count "longbow_state_failures_total",
        Warnings Count "longbow_warnings_total",
        Errors Count "longbow_errors_total",
    }
}

counters! {
    /// What is read, not counted.
    Gauge {
        PermitsInUse Count "longbow_permits_in_use",
        PermitsLimit Count "longbow_permits_limit",
        ObjectsInWork Count "longbow_objects_in_work",
        MemoryInUse Bytes "longbow_memory_in_use_bytes",
        WorkersAlive Count "longbow_workers_alive",
    }
}

counters! {
    /// What a jobsender tells of each route. The names for Prometheus are not used: it does not live long enough.
    RunCounter {
        ObjectsListed Count "",
        ObjectsToCopy Count "",
        BytesPlanned Bytes "",
        JobsSent Count "",
        JobsMissing Count "",
        ObjectsRemoved Count "",
    }
}

counters! {
    /// What a jobsender tells of the whole run.
    RunFigure {
        RunSeconds Seconds "",
        RunFailed Count "",
        RunRefused Count "",
        Warnings Count "",
        Errors Count "",
    }
}

/// The age of jobs when they are taken: CloudWatch's name and Prometheus' (of the sum and the count).
pub(super) const LAG: (&str, &str) = ("LagSeconds", "longbow_lag_seconds");

/// Failures by cause, for Prometheus; CloudWatch has them as `ObjectsFailed` by `Cause`.
pub(super) const FAILED_BY_CAUSE: &str = "longbow_objects_failed_by_cause_total";

/// The causes of failures for good.
pub(super) const CAUSES: [&str; 5] = ["transient", "throttled", "corrupt", "denied", "permanent"];
