# The settings file of the machines. Only what differs from config/default.toml of the program stands here.

locals {
  settings = {
    cluster = {
      queue_url             = module.queue.url
      dead_letter_queue_url = module.queue.dead_letters_url
      table                 = module.state.name
      region                = local.region
      routes_parameter      = "/${var.name}/routes"
      drain_within          = "${var.drain_seconds}s"
      auto_scaling_group    = local.worker_group
      lifecycle_hook        = local.hook
    }
    # CloudWatch makes metrics of the lines on standard output (docs/METRICS.md); /healthz, /readyz and /metrics are for the machine alone.
    metrics = {
      emf    = true
      fleet  = var.name
      listen = "127.0.0.1:9600"
    }
    worker = merge(
      { visibility = "${var.visibility_seconds}s" },
      { for key, value in var.worker : key => value if value != null },
    )
  }

  # The jobsender's machine has no hook: it takes itself away.
  settings_toml = {
    for kind in ["worker", "jobsender"] : kind => join("\n", flatten([
      "# The settings of the longbow fleet ${var.name}, made by Terraform: change them there.",
      # Workers read the routes when they start: other routes make another file, and that makes other machines.
      "# The routes are in /${var.name}/routes: ${sha256(local.routes_json)}.",
      [for section, values in local.settings : concat(["", "[${section}]"], [
        for key, value in values : "${key} = ${jsonencode(value)}"
        if !(kind == "jobsender" && contains(["auto_scaling_group", "lifecycle_hook", "listen"], key))
      ])],
      "",
    ]))
  }
}
