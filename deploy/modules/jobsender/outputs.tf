output "group_name" {
  description = "Name of the Auto Scaling group."
  value       = aws_autoscaling_group.jobsender.name
}

output "run_now" {
  description = "The command that begins a comparison at once; while one runs it changes nothing."
  value       = "aws autoscaling set-desired-capacity --auto-scaling-group-name ${aws_autoscaling_group.jobsender.name} --desired-capacity 1"
}
