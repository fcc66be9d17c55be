//! Flags about the stores of the two sides. Secrets are no flags: a command line is visible to everybody.

use clap::Args;

use super::Flags;
use super::hinted::Hinted;
use crate::settings::FlagLayer;

#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Stores")]
pub(crate) struct SideArgs {
    /// The S3 endpoint of both sides
    #[arg(long, value_name = "URL")]
    endpoint_url: Option<String>,
    /// The region of both sides
    #[arg(long, value_name = "REGION")]
    region: Option<String>,
    /// The profile of the AWS configuration files for both sides
    #[arg(long, value_name = "PROFILE")]
    profile: Option<String>,
    /// The source's endpoint
    #[arg(long, value_name = "URL")]
    source_endpoint_url: Option<String>,
    /// The source's region
    #[arg(long, value_name = "REGION")]
    source_region: Option<String>,
    /// The source's profile
    #[arg(long, value_name = "PROFILE")]
    source_profile: Option<String>,
    /// Bucket in the path (true) or in the host name (false); auto: in the path for addresses and localhost
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true",
          value_parser = Hinted(&["auto", "true", "false"]))]
    source_path_style: Option<String>,
    /// Reads the source without credentials: public buckets
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true",
          value_parser = Hinted(&["true", "false"]))]
    source_anonymous: Option<String>,
    /// Agrees to pay for requests to the source bucket
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true",
          value_parser = Hinted(&["true", "false"]))]
    source_requester_pays: Option<String>,
    /// The account that must own the source bucket
    #[arg(long, value_name = "ACCOUNT")]
    source_expected_bucket_owner: Option<String>,
    /// The destination's endpoint
    #[arg(long, value_name = "URL")]
    destination_endpoint_url: Option<String>,
    /// The destination's region
    #[arg(long, value_name = "REGION")]
    destination_region: Option<String>,
    /// The destination's profile
    #[arg(long, value_name = "PROFILE")]
    destination_profile: Option<String>,
    /// As --source-path-style, for the destination
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true",
          value_parser = Hinted(&["auto", "true", "false"]))]
    destination_path_style: Option<String>,
    /// The account that must own the destination bucket
    #[arg(long, value_name = "ACCOUNT")]
    destination_expected_bucket_owner: Option<String>,
    /// Allows plain http to other machines: credentials are signed, but the bytes can be read on the way
    #[arg(long)]
    allow_http: bool,
}

impl Flags for SideArgs {
    fn write_down(&self, layer: &mut FlagLayer) {
        // The flags for both sides come first: those of one side win.
        for key in ["source.endpoint_url", "destination.endpoint_url"] {
            layer.text(key, "--endpoint-url", self.endpoint_url.as_deref());
        }
        for key in ["source.region", "destination.region"] {
            layer.text(key, "--region", self.region.as_deref());
        }
        for key in ["source.profile", "destination.profile"] {
            layer.text(key, "--profile", self.profile.as_deref());
        }
        layer.text("source.endpoint_url", "--source-endpoint-url", self.source_endpoint_url.as_deref());
        layer.text("source.region", "--source-region", self.source_region.as_deref());
        layer.text("source.profile", "--source-profile", self.source_profile.as_deref());
        layer.text("source.path_style", "--source-path-style", self.source_path_style.as_deref());
        layer.text("source.anonymous", "--source-anonymous", self.source_anonymous.as_deref());
        layer.text("source.requester_pays", "--source-requester-pays", self.source_requester_pays.as_deref());
        layer.text(
            "source.expected_bucket_owner",
            "--source-expected-bucket-owner",
            self.source_expected_bucket_owner.as_deref(),
        );
        let url = self.destination_endpoint_url.as_deref();
        layer.text("destination.endpoint_url", "--destination-endpoint-url", url);
        layer.text("destination.region", "--destination-region", self.destination_region.as_deref());
        layer.text("destination.profile", "--destination-profile", self.destination_profile.as_deref());
        let style = self.destination_path_style.as_deref();
        layer.text("destination.path_style", "--destination-path-style", style);
        layer.text(
            "destination.expected_bucket_owner",
            "--destination-expected-bucket-owner",
            self.destination_expected_bucket_owner.as_deref(),
        );
        layer.text("network.allow_http", "--allow-http", self.allow_http.then_some("true"));
    }
}
