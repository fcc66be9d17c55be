output "topic_arn" {
  description = "Where alarms are told."
  value       = aws_sns_topic.alarms.arn
}

output "worker_log_group" {
  description = "Log group of the workers."
  value       = aws_cloudwatch_log_group.this["worker"].name
}

output "jobsender_log_group" {
  description = "Log group of the jobsender."
  value       = aws_cloudwatch_log_group.this["jobsender"].name
}

output "boot_log_group" {
  description = "Log group of installations."
  value       = aws_cloudwatch_log_group.this["boot"].name
}

output "log_group_arns" {
  description = "ARNs of the log groups, by name: worker, jobsender, boot."
  value       = { for name, group in aws_cloudwatch_log_group.this : name => group.arn }
}

output "dashboard_name" {
  description = "Name of the dashboard."
  value       = aws_cloudwatch_dashboard.this.dashboard_name
}
