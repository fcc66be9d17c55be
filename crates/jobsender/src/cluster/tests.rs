//! Runs of the cluster's jobsender from end to end, over fakes.

mod manifests;
mod removals;
mod resume;
mod routes;
mod scale;
mod versions;
