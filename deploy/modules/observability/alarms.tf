# What somebody has to know. deploy/README.md says for each what to do.

resource "aws_cloudwatch_metric_alarm" "dead_letters" {
  alarm_name          = "${var.name}-dead-letters"
  alarm_description   = "Jobs were given up: longbow dlq list says which and why."
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateNumberOfMessagesVisible"
  dimensions          = { QueueName = var.dead_letters_name }
  statistic           = "Maximum"
  period              = 60
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  # A queue that nobody touches has no figures: it stays as it was.
  treat_missing_data = "ignore"
  alarm_actions      = [aws_sns_topic.alarms.arn]
  ok_actions         = [aws_sns_topic.alarms.arn]
}

resource "aws_cloudwatch_metric_alarm" "oldest_job" {
  alarm_name          = "${var.name}-oldest-job"
  alarm_description   = "The oldest job waits for more than ${var.oldest_job_minutes} minutes."
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateAgeOfOldestMessage"
  dimensions          = { QueueName = var.queue_name }
  statistic           = "Maximum"
  period              = 300
  evaluation_periods  = 3
  datapoints_to_alarm = 3
  comparison_operator = "GreaterThanThreshold"
  threshold           = var.oldest_job_minutes * 60
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.alarms.arn]
  ok_actions          = [aws_sns_topic.alarms.arn]
}

resource "aws_cloudwatch_metric_alarm" "failures" {
  alarm_name          = "${var.name}-failures"
  alarm_description   = "Objects could not be copied and were given up: longbow status groups them by cause."
  namespace           = "Longbow"
  metric_name         = "ObjectsFailed"
  dimensions          = { Fleet = var.name }
  statistic           = "Sum"
  period              = 300
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.alarms.arn]
}

# Before anything is given up: a refused bucket or a queue that cannot be reached holds the backlog for hours without one failed object.
resource "aws_cloudwatch_metric_alarm" "errors" {
  alarm_name          = "${var.name}-errors"
  alarm_description   = "The program logs errors, as of a wrong policy, or of a queue or table that cannot be reached: ERROR lines in its log groups."
  namespace           = "Longbow"
  metric_name         = "Errors"
  dimensions          = { Fleet = var.name }
  statistic           = "Sum"
  period              = 300
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.alarms.arn]
}

resource "aws_cloudwatch_metric_alarm" "jobsender" {
  alarm_name          = "${var.name}-jobsender-failed"
  alarm_description   = "A comparison did not come to its end: see the log group of the jobsender."
  namespace           = "Longbow"
  metric_name         = "RunFailed"
  dimensions          = { Fleet = var.name }
  statistic           = "Sum"
  period              = 300
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.alarms.arn]
}

resource "aws_cloudwatch_metric_alarm" "silence" {
  alarm_name          = "${var.name}-silence"
  alarm_description   = "Jobs wait, and no worker has given a sign of life for ${var.silence_minutes} minutes."
  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = 1
  evaluation_periods  = var.silence_minutes
  datapoints_to_alarm = var.silence_minutes
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.alarms.arn]
  ok_actions          = [aws_sns_topic.alarms.arn]

  metric_query {
    id          = "silent"
    label       = "jobs and no sign of life"
    expression  = "IF(visible > 0 AND FILL(alive, 0) < 1, 1, 0)"
    return_data = true
  }

  metric_query {
    id = "visible"

    metric {
      namespace   = "AWS/SQS"
      metric_name = "ApproximateNumberOfMessagesVisible"
      dimensions  = { QueueName = var.queue_name }
      stat        = "Maximum"
      period      = 60
    }
  }

  metric_query {
    id = "alive"

    metric {
      namespace   = "Longbow"
      metric_name = "WorkersAlive"
      dimensions  = { Fleet = var.name }
      stat        = "Sum"
      period      = 60
    }
  }
}

# Told once for each batch: when the last job is gone. The first job of the next one makes it ready again.
resource "aws_cloudwatch_metric_alarm" "batch_finished" {
  alarm_name          = "${var.name}-batch-finished"
  alarm_description   = "The batch is finished: no job is left, visible, in flight or delayed."
  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = 1
  evaluation_periods  = var.batch_finished_minutes
  datapoints_to_alarm = var.batch_finished_minutes
  # A queue that nobody touches has no figures after some hours: nothing new happened.
  treat_missing_data = "ignore"
  alarm_actions      = [aws_sns_topic.alarms.arn]

  metric_query {
    id          = "finished"
    label       = "no job is left"
    expression  = "IF(visible + inflight + delayed < 1, 1, 0)"
    return_data = true
  }

  dynamic "metric_query" {
    for_each = {
      visible  = "ApproximateNumberOfMessagesVisible"
      inflight = "ApproximateNumberOfMessagesNotVisible"
      delayed  = "ApproximateNumberOfMessagesDelayed"
    }

    content {
      id = metric_query.key

      metric {
        namespace   = "AWS/SQS"
        metric_name = metric_query.value
        dimensions  = { QueueName = var.queue_name }
        stat        = "Maximum"
        period      = 60
      }
    }
  }
}
