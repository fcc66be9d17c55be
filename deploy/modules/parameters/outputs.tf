output "routes_name" {
  description = "Name of the parameter with the routes."
  value       = aws_ssm_parameter.routes.name
}

output "routes_arn" {
  description = "ARN of the parameter with the routes."
  value       = aws_ssm_parameter.routes.arn
}

output "settings_name" {
  description = "Name of the parameter with the settings file."
  value       = aws_ssm_parameter.settings.name
}

output "settings_arn" {
  description = "ARN of the parameter with the settings file."
  value       = aws_ssm_parameter.settings.arn
}
