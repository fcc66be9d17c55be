# How many workers there are. What happens here is played through by a test (tests/deploy/scaling.py): every alarm reads one-minute
# figures, out goes it by steps, in only to the least and only when there is no job at all.
#
# Jobs are visible, in flight and delayed ones. Workers are those that are wanted: counting those that run would order the same
# machine again each minute until it has started.

locals {
  thresholds = {
    backlog = {
      more = { from = var.jobs_per_worker, steps = [
        { from = 0, to = 4 * var.jobs_per_worker, add = 1 },
        { from = 4 * var.jobs_per_worker, to = 19 * var.jobs_per_worker, add = 2 },
        { from = 19 * var.jobs_per_worker, to = null, add = 4 },
      ] }
    }
    # Longbow: from 100 one more, from 500 two.
    thresholds = {
      more = { from = 100, steps = [
        { from = 0, to = 400, add = 1 },
        { from = 400, to = null, add = 2 },
      ] }
    }
  }

  grow = local.thresholds[var.mode]

  figures = {
    visible  = { namespace = "AWS/SQS", name = "ApproximateNumberOfMessagesVisible", stat = "Maximum", dimensions = { QueueName = var.queue_name } }
    inflight = { namespace = "AWS/SQS", name = "ApproximateNumberOfMessagesNotVisible", stat = "Maximum", dimensions = { QueueName = var.queue_name } }
    delayed  = { namespace = "AWS/SQS", name = "ApproximateNumberOfMessagesDelayed", stat = "Maximum", dimensions = { QueueName = var.queue_name } }
    wanted   = { namespace = "AWS/AutoScaling", name = "GroupDesiredCapacity", stat = "Maximum", dimensions = { AutoScalingGroupName = var.group_name } }
  }
}

# ------------------------------------------------------------------------------------------------------------ out

resource "aws_autoscaling_policy" "grow" {
  for_each = local.grow

  name                      = "${var.name}-${each.key}"
  autoscaling_group_name    = var.group_name
  policy_type               = "StepScaling"
  adjustment_type           = "ChangeInCapacity"
  metric_aggregation_type   = "Maximum"
  estimated_instance_warmup = var.warmup_seconds

  dynamic "step_adjustment" {
    for_each = each.value.steps

    content {
      metric_interval_lower_bound = step_adjustment.value.from
      metric_interval_upper_bound = step_adjustment.value.to
      scaling_adjustment          = step_adjustment.value.add
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "grow" {
  for_each = local.grow

  alarm_name          = "${var.name}-${each.key}-workers"
  alarm_description   = "Jobs wait: the fleet ${var.name} grows."
  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = each.value.from
  evaluation_periods  = 1
  datapoints_to_alarm = 1
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_autoscaling_policy.grow[each.key].arn]

  metric_query {
    id          = "backlog"
    label       = var.mode == "backlog" ? "jobs for each worker" : "jobs that wait"
    expression  = var.mode == "backlog" ? "(visible + inflight) / IF(wanted < 1, 1, wanted)" : "visible"
    return_data = true
  }

  dynamic "metric_query" {
    for_each = { for id, figure in local.figures : id => figure if contains(var.mode == "backlog" ? ["visible", "inflight", "wanted"] : ["visible"], id) }

    content {
      id = metric_query.key

      metric {
        namespace   = metric_query.value.namespace
        metric_name = metric_query.value.name
        dimensions  = metric_query.value.dimensions
        stat        = metric_query.value.stat
        period      = 60
      }
    }
  }
}

# ------------------------------------------------------------------------------------------------------------ the first one

resource "aws_autoscaling_policy" "wake" {
  name                      = "${var.name}-first"
  autoscaling_group_name    = var.group_name
  policy_type               = "StepScaling"
  adjustment_type           = "ChangeInCapacity"
  metric_aggregation_type   = "Maximum"
  estimated_instance_warmup = var.warmup_seconds

  step_adjustment {
    metric_interval_lower_bound = 0
    scaling_adjustment          = 1
  }
}

resource "aws_cloudwatch_metric_alarm" "wake" {
  alarm_name          = "${var.name}-first-worker"
  alarm_description   = "There are jobs and no worker: the fleet ${var.name} wakes."
  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = 1
  evaluation_periods  = 1
  datapoints_to_alarm = 1
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_autoscaling_policy.wake.arn]

  metric_query {
    id          = "asleep"
    label       = "jobs and no worker"
    expression  = "IF(visible + inflight > 0 AND wanted < 1, 1, 0)"
    return_data = true
  }

  dynamic "metric_query" {
    for_each = { for id, figure in local.figures : id => figure if id != "delayed" }

    content {
      id = metric_query.key

      metric {
        namespace   = metric_query.value.namespace
        metric_name = metric_query.value.name
        dimensions  = metric_query.value.dimensions
        stat        = metric_query.value.stat
        period      = 60
      }
    }
  }
}

# ------------------------------------------------------------------------------------------------------------ in

resource "aws_autoscaling_policy" "rest" {
  name                    = "${var.name}-rest"
  autoscaling_group_name  = var.group_name
  policy_type             = "StepScaling"
  adjustment_type         = "ExactCapacity"
  metric_aggregation_type = "Minimum"

  step_adjustment {
    metric_interval_lower_bound = 0
    scaling_adjustment          = var.min_size
  }
}

resource "aws_cloudwatch_metric_alarm" "rest" {
  alarm_name          = "${var.name}-rest"
  alarm_description   = "No job is left, visible, in flight or delayed: the fleet ${var.name} shrinks to its least."
  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = 1
  evaluation_periods  = var.idle_minutes
  datapoints_to_alarm = var.idle_minutes
  # A figure that is missing is no proof that nothing runs.
  treat_missing_data = "notBreaching"
  alarm_actions      = [aws_autoscaling_policy.rest.arn]

  metric_query {
    id          = "idle"
    label       = "no job, and more workers than the least"
    expression  = "IF(visible + inflight + delayed < 1 AND wanted > ${var.min_size}, 1, 0)"
    return_data = true
  }

  dynamic "metric_query" {
    for_each = local.figures

    content {
      id = metric_query.key

      metric {
        namespace   = metric_query.value.namespace
        metric_name = metric_query.value.name
        dimensions  = metric_query.value.dimensions
        stat        = metric_query.value.stat
        period      = 60
      }
    }
  }
}
