output "alarm_names" {
  description = "The alarms that change the fleet."
  value       = [for alarm in concat(values(aws_cloudwatch_metric_alarm.grow), [aws_cloudwatch_metric_alarm.wake, aws_cloudwatch_metric_alarm.rest]) : alarm.alarm_name]
}
