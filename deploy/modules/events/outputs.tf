output "rule_arns" {
  description = "EventBridge rules that send to the queue."
  value       = [for rule in aws_cloudwatch_event_rule.objects : rule.arn]
}

output "bucket_arns" {
  description = "Buckets whose own notifications send to the queue."
  value       = local.notified
}
