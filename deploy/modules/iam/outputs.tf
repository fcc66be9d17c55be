output "worker_role_arn" {
  description = "The role of the workers: let the other account trust it."
  value       = aws_iam_role.worker.arn
}

output "jobsender_role_arn" {
  description = "The role of the jobsender: let the other account trust it."
  value       = aws_iam_role.jobsender.arn
}

output "scheduler_role_arn" {
  description = "The role that wakes the jobsender."
  value       = aws_iam_role.scheduler.arn
}

output "worker_instance_profile_arn" {
  description = "The instance profile of the workers."
  value       = aws_iam_instance_profile.worker.arn
}

output "jobsender_instance_profile_arn" {
  description = "The instance profile of the jobsender."
  value       = aws_iam_instance_profile.jobsender.arn
}

output "operator_policy_arn" {
  description = "The policy for people who look after the fleet."
  value       = aws_iam_policy.operator.arn
}
