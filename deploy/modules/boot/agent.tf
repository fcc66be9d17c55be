# The configuration of the CloudWatch agent: which files are shipped, which figures of the machine are told. longbow's own figures
# come in the lines of its log (embedded metric format), see docs/METRICS.md.

locals {
  agent = {
    agent = { metrics_collection_interval = 60, run_as_user = "root" }
    logs = {
      logs_collected = {
        files = {
          collect_list = [
            { file_path = "/var/log/longbow/${var.kind}.jsonl", log_group_name = var.log_group, log_stream_name = "{instance_id}" },
            { file_path = "/var/log/longbow/${var.kind}.log", log_group_name = var.log_group, log_stream_name = "{instance_id}-log" },
            { file_path = "/var/log/cloud-init-output.log", log_group_name = var.boot_log_group, log_stream_name = "{instance_id}" },
          ]
        }
      }
    }
    metrics = {
      namespace              = "longbow/machine"
      aggregation_dimensions = [["Fleet", "Kind"]]
      metrics_collected = {
        cpu     = { totalcpu = true, measurement = ["usage_active"], append_dimensions = local.dimensions }
        mem     = { measurement = ["used_percent"], append_dimensions = local.dimensions }
        disk    = { resources = ["/"], drop_device = true, measurement = ["used_percent"], append_dimensions = local.dimensions }
        net     = { resources = ["*"], measurement = ["bytes_recv", "bytes_sent"], append_dimensions = local.dimensions }
        netstat = { measurement = ["tcp_established"], append_dimensions = local.dimensions }
      }
    }
  }

  dimensions = { Fleet = var.name, Kind = var.kind }
}
