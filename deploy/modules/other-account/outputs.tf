output "role_arn" {
  description = "The role: role_arn of the route's side."
  value       = aws_iam_role.side.arn
}
