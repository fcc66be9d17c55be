# What a fleet reads from Systems Manager: the routes, and the settings file as the machines have it. The keys of another account
# are a SecureString that somebody else makes: they are named in a route and never pass through Terraform.

resource "aws_ssm_parameter" "routes" {
  #checkov:skip=CKV2_AWS_34:names of buckets and queues; keys are in a SecureString that is not made here
  name        = "/${var.name}/routes"
  description = "Routes of the longbow fleet ${var.name}: {NAME: {from, to, ...}}."
  type        = "String"
  tier        = "Intelligent-Tiering"
  value       = var.routes
}

resource "aws_ssm_parameter" "settings" {
  #checkov:skip=CKV2_AWS_34:names of buckets and queues; keys are in a SecureString that is not made here
  name        = "/${var.name}/settings"
  description = "The settings file of the fleet ${var.name}, for the commands of operators (longbow --config)."
  type        = "String"
  tier        = "Intelligent-Tiering"
  value       = var.settings
}
