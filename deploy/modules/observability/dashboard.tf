# The dashboard: first what the user asks (how much is left, how long, what fails), then Longbow's widgets.

locals {
  # A metric of longbow for the whole fleet.
  own = { for name in [
    "BytesDownloaded", "BytesUploaded", "BytesCompleted", "BytesPlanned", "BytesSettled", "ObjectsCopied", "ObjectsSkipped",
    "ObjectsRemoved", "ObjectsFailed", "Errors", "Warnings", "Throttles", "PermitsInUse", "LagSeconds", "WorkersAlive"
  ] : name => ["Longbow", name, "Fleet", var.name] }

  queue   = { for name in ["Visible", "NotVisible", "Delayed"] : name => ["AWS/SQS", "ApproximateNumberOfMessages${name}", "QueueName", var.queue_name] }
  dead    = ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", var.dead_letters_name]
  oldest  = ["AWS/SQS", "ApproximateAgeOfOldestMessage", "QueueName", var.queue_name]
  group   = { for name in ["DesiredCapacity", "InServiceInstances", "MinSize", "MaxSize"] : name => ["AWS/AutoScaling", "Group${name}", "AutoScalingGroupName", var.group_name] }
  machine = { for name in ["cpu_usage_active", "mem_used_percent", "disk_used_percent", "net_bytes_recv", "net_bytes_sent", "netstat_tcp_established"] : name => ["longbow/machine", name, "Fleet", var.name, "Kind", "worker"] }

  widgets = [
    # What is asked first.
    { title = "Left to do", x = 0, y = 0, width = 6, height = 5, view = "singleValue", stat = "Maximum", metrics = [
      concat(local.queue["Visible"], [{ id = "v", visible = false }]),
      concat(local.queue["NotVisible"], [{ id = "f", visible = false }]),
      concat(local.queue["Delayed"], [{ id = "d", visible = false }]),
      concat(local.own["BytesPlanned"], [{ id = "planned", stat = "Sum", visible = false }]),
      concat(local.own["BytesSettled"], [{ id = "settled", stat = "Sum", visible = false }]),
      [{ expression = "v + f + d", label = "objects", id = "objects" }],
      [{ expression = "RUNNING_SUM(FILL(planned, 0)) - RUNNING_SUM(FILL(settled, 0))", label = "bytes, of batches sent within the time shown", id = "bytes" }],
    ] },
    { title = "Time left (minutes)", x = 6, y = 0, width = 6, height = 5, view = "singleValue", stat = "Sum", metrics = [
      concat(local.queue["Visible"], [{ id = "v", stat = "Maximum", visible = false }]),
      concat(local.queue["NotVisible"], [{ id = "f", stat = "Maximum", visible = false }]),
      concat(local.queue["Delayed"], [{ id = "d", stat = "Maximum", visible = false }]),
      concat(local.own["ObjectsCopied"], [{ id = "copied", visible = false }]),
      concat(local.own["ObjectsSkipped"], [{ id = "skipped", visible = false }]),
      concat(local.own["ObjectsFailed"], [{ id = "failed", visible = false }]),
      [{ expression = "FILL(copied, 0) + FILL(skipped, 0) + FILL(failed, 0)", id = "rate", visible = false }],
      [{ expression = "IF(rate > 0, (v + f + d) / rate)", label = "at the pace of the last minute", id = "eta" }],
    ] },
    { title = "Oldest job, lag", x = 12, y = 0, width = 6, height = 5, view = "timeSeries", stat = "Maximum", metrics = [
      concat(local.oldest, [{ label = "oldest job (s)" }]),
      concat(local.own["LagSeconds"], [{ label = "lag, median (s)", stat = "p50" }]),
      concat(local.own["LagSeconds"], [{ label = "lag, p99 (s)", stat = "p99" }]),
    ] },
    { title = "Failures by cause", x = 18, y = 0, width = 6, height = 5, view = "timeSeries", stat = "Sum", metrics = [
      [{ expression = "SEARCH('{Longbow,Fleet,Cause} MetricName=\"ObjectsFailed\" Fleet=\"${var.name}\"', 'Sum', 60)", label = "", id = "causes" }],
    ] },
    # Longbow's.
    { title = "Traffic (bytes a minute)", x = 0, y = 5, width = 12, height = 6, view = "timeSeries", stat = "Sum", metrics = [
      concat(local.own["BytesDownloaded"], [{ label = "downloaded" }]),
      concat(local.own["BytesUploaded"], [{ label = "uploaded" }]),
      concat(local.own["BytesCompleted"], [{ label = "completed" }]),
    ] },
    { title = "Objects a minute", x = 12, y = 5, width = 6, height = 6, view = "timeSeries", stat = "Sum", metrics = [
      concat(local.own["ObjectsCopied"], [{ label = "copied" }]),
      concat(local.own["ObjectsSkipped"], [{ label = "skipped" }]),
      concat(local.own["ObjectsRemoved"], [{ label = "removed" }]),
      concat(local.own["ObjectsFailed"], [{ label = "failed" }]),
    ] },
    { title = "Errors and warnings", x = 18, y = 5, width = 6, height = 6, view = "timeSeries", stat = "Sum", metrics = [
      concat(local.own["Errors"], [{ label = "errors" }]),
      concat(local.own["Warnings"], [{ label = "warnings", yAxis = "right" }]),
    ] },
    { title = "Jobs", x = 0, y = 11, width = 12, height = 6, view = "timeSeries", stat = "Maximum", metrics = [
      concat(local.queue["Visible"], [{ label = "waiting" }]),
      concat(local.queue["NotVisible"], [{ label = "running" }]),
      concat(local.queue["Delayed"], [{ label = "delayed" }]),
      concat(local.dead, [{ label = "given up" }]),
    ] },
    { title = "Running, waiting, given up", x = 12, y = 11, width = 6, height = 6, view = "singleValue", stat = "Maximum", metrics = [
      concat(local.queue["NotVisible"], [{ label = "running" }]),
      concat(local.queue["Visible"], [{ label = "waiting" }]),
      concat(local.dead, [{ label = "given up" }]),
    ] },
    { title = "Capacity", x = 18, y = 11, width = 6, height = 6, view = "timeSeries", stat = "Maximum", metrics = [
      concat(local.group["DesiredCapacity"], [{ label = "wanted" }]),
      concat(local.group["InServiceInstances"], [{ label = "in service" }]),
      concat(local.group["MinSize"], [{ label = "least" }]),
      concat(local.group["MaxSize"], [{ label = "most" }]),
      concat(local.own["WorkersAlive"], [{ label = "alive", stat = "Sum" }]),
      ["AWS/AutoScaling", "GroupInServiceInstances", "AutoScalingGroupName", var.jobsender_group_name, { label = "jobsender" }],
    ] },
    { title = "Requests in flight, throttles", x = 0, y = 17, width = 6, height = 6, view = "timeSeries", stat = "Sum", metrics = [
      concat(local.own["PermitsInUse"], [{ label = "in flight" }]),
      concat(local.own["Throttles"], [{ label = "throttled", yAxis = "right" }]),
    ] },
    { title = "CPU and memory (%)", x = 6, y = 17, width = 6, height = 6, view = "timeSeries", stat = "Average", metrics = [
      concat(local.machine["cpu_usage_active"], [{ label = "CPU" }]),
      concat(local.machine["mem_used_percent"], [{ label = "memory" }]),
      concat(local.machine["disk_used_percent"], [{ label = "disk", stat = "Maximum" }]),
    ] },
    { title = "Network (bytes a minute)", x = 12, y = 17, width = 6, height = 6, view = "timeSeries", stat = "Sum", metrics = [
      concat(local.machine["net_bytes_recv"], [{ label = "in" }]),
      concat(local.machine["net_bytes_sent"], [{ label = "out" }]),
      ["AWS/EC2", "NetworkOut", "AutoScalingGroupName", var.group_name, { label = "out, as EC2 sees it" }],
    ] },
    { title = "TCP connections", x = 18, y = 17, width = 6, height = 6, view = "timeSeries", stat = "Average", metrics = [
      concat(local.machine["netstat_tcp_established"], [{ label = "established, a machine" }]),
    ] },
  ]
}

resource "aws_cloudwatch_dashboard" "this" {
  dashboard_name = var.name

  dashboard_body = jsonencode({
    widgets = [for widget in local.widgets : {
      type   = "metric"
      x      = widget.x
      y      = widget.y
      width  = widget.width
      height = widget.height
      properties = {
        title   = widget.title
        view    = widget.view
        stat    = widget.stat
        period  = 60
        region  = var.region
        metrics = widget.metrics
      }
    }]
  })
}
