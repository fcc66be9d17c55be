output "queue_url" {
  description = "URL of the queue of jobs: --queue-url."
  value       = module.queue.url
}

output "queue_arn" {
  description = "ARN of the queue of jobs."
  value       = module.queue.arn
}

output "dead_letters_url" {
  description = "URL of the queue for dead letters: --dead-letter-queue-url."
  value       = module.queue.dead_letters_url
}

output "table" {
  description = "Name of the table of the state: --table."
  value       = module.state.name
}

output "routes_parameter" {
  description = "Name of the parameter with the routes: --routes-parameter."
  value       = module.parameters.routes_name
}

output "settings_parameter" {
  description = "Name of the parameter with the settings file of the machines: for operators' own machines."
  value       = module.parameters.settings_name
}

output "worker_role_arn" {
  description = "The role of the workers: let roles, buckets and keys of other accounts trust it."
  value       = module.iam.worker_role_arn
}

output "jobsender_role_arn" {
  description = "The role of the jobsender: let roles, buckets and keys of other accounts trust it."
  value       = module.iam.jobsender_role_arn
}

output "operator_policy_arn" {
  description = "The policy for people who look after the fleet."
  value       = module.iam.operator_policy_arn
}

output "worker_group" {
  description = "Name of the Auto Scaling group of the workers."
  value       = module.workers.group_name
}

output "jobsender_group" {
  description = "Name of the Auto Scaling group of the jobsender."
  value       = module.jobsender.group_name
}

output "run_now" {
  description = "The command that begins a comparison at once."
  value       = module.jobsender.run_now
}

output "topic_arn" {
  description = "Where alarms are told: subscribe what else should hear them."
  value       = module.observability.topic_arn
}

output "dashboard" {
  description = "Name of the dashboard in CloudWatch."
  value       = module.observability.dashboard_name
}

output "artifact_bucket" {
  description = "The bucket that machines install the program from."
  value       = module.artifacts.bucket
}

output "boot_scripts" {
  description = "What machines do at their first start, as text."
  value       = { for kind, boot in module.boot : kind => boot.script }
}
