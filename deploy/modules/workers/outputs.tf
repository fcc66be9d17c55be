output "group_name" {
  description = "Name of the Auto Scaling group."
  value       = aws_autoscaling_group.workers.name
}

output "group_arn" {
  description = "ARN of the Auto Scaling group."
  value       = aws_autoscaling_group.workers.arn
}

output "security_group_id" {
  description = "The security group of the machines."
  value       = aws_security_group.machines.id
}

output "launch_template_ids" {
  description = "The launch templates, by architecture."
  value       = { for architecture, template in aws_launch_template.worker : architecture => template.id }
}
