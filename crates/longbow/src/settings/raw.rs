//! Every setting as it was written. The shape of `config/default.toml`, and nothing more is accepted.

use serde::Deserialize;

use super::written::Written;

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawSettings {
    pub(crate) selection: RawSelection,
    pub(crate) sync: RawSync,
    pub(crate) worker: RawWorker,
    pub(crate) cluster: RawCluster,
    pub(crate) state: RawState,
    pub(crate) metrics: RawMetrics,
    pub(crate) network: RawNetwork,
    pub(crate) source: RawSource,
    pub(crate) destination: RawDestination,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawSelection {
    pub(crate) include: Written,
    pub(crate) exclude: Written,
    pub(crate) ignore_file: Written,
    pub(crate) ignore_parameter: Written,
    pub(crate) prefix_match: Written,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawSync {
    pub(crate) compare: Written,
    pub(crate) delete: Written,
    pub(crate) max_delete: Written,
    pub(crate) method: Written,
    pub(crate) tags: Written,
    pub(crate) state_dir: Written,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawWorker {
    pub(crate) part_size: Written,
    pub(crate) whole_up_to: Written,
    pub(crate) max_objects: Written,
    pub(crate) max_requests: Written,
    pub(crate) memory: Written,
    pub(crate) max_attempts: Written,
    pub(crate) max_denied: Written,
    pub(crate) retry_first: Written,
    pub(crate) retry_most: Written,
    pub(crate) visibility: Written,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawCluster {
    pub(crate) queue_url: Written,
    pub(crate) dead_letter_queue_url: Written,
    pub(crate) table: Written,
    pub(crate) region: Written,
    pub(crate) profile: Written,
    pub(crate) endpoint_url: Written,
    pub(crate) when_busy: Written,
    pub(crate) retry_most: Written,
    pub(crate) propagate_deletes: Written,
    pub(crate) drain_within: Written,
    pub(crate) settings_parameter: Written,
    pub(crate) reload_every: Written,
    pub(crate) routes_parameter: Written,
    pub(crate) credentials_parameter: Written,
    pub(crate) job_type: Written,
    pub(crate) key_mapping: Written,
    pub(crate) listing_requests: Written,
    pub(crate) routes_at_once: Written,
    pub(crate) sweep_uploads_after: Written,
    pub(crate) auto_scaling_group: Written,
    pub(crate) lifecycle_hook: Written,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawState {
    pub(crate) record: Written,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawMetrics {
    pub(crate) emf: Written,
    pub(crate) interval: Written,
    pub(crate) fleet: Written,
    pub(crate) listen: Written,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawNetwork {
    pub(crate) allow_http: Written,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawSource {
    pub(crate) endpoint_url: Written,
    pub(crate) region: Written,
    pub(crate) profile: Written,
    pub(crate) path_style: Written,
    pub(crate) access_key_id: Written,
    pub(crate) secret_access_key: Written,
    pub(crate) session_token: Written,
    pub(crate) role_arn: Written,
    pub(crate) external_id: Written,
    pub(crate) credentials_parameter: Written,
    pub(crate) anonymous: Written,
    pub(crate) requester_pays: Written,
    pub(crate) expected_bucket_owner: Written,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawDestination {
    pub(crate) endpoint_url: Written,
    pub(crate) region: Written,
    pub(crate) profile: Written,
    pub(crate) path_style: Written,
    pub(crate) access_key_id: Written,
    pub(crate) secret_access_key: Written,
    pub(crate) session_token: Written,
    pub(crate) role_arn: Written,
    pub(crate) external_id: Written,
    pub(crate) credentials_parameter: Written,
    pub(crate) expected_bucket_owner: Written,
    pub(crate) storage_class: Written,
    pub(crate) sse: Written,
    pub(crate) sse_kms_key_id: Written,
}
