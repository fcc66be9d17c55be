# When comparisons begin.

resource "aws_scheduler_schedule" "compare" {
  count = var.schedule == null ? 0 : 1

  name                         = "${var.name}-compare"
  description                  = "Begins a comparison of the longbow fleet ${var.name}."
  schedule_expression          = var.schedule
  schedule_expression_timezone = var.timezone
  kms_key_arn                  = var.kms_key_arn

  flexible_time_window {
    mode = "OFF"
  }

  target {
    arn      = "arn:${var.partition}:scheduler:::aws-sdk:autoscaling:setDesiredCapacity"
    role_arn = var.scheduler_role_arn

    input = jsonencode({
      AutoScalingGroupName = aws_autoscaling_group.jobsender.name
      DesiredCapacity      = 1
      HonorCooldown        = false
    })

    retry_policy {
      maximum_event_age_in_seconds = 3600
      maximum_retry_attempts       = 10
    }
  }
}
