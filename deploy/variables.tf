variable "name" {
  description = "Name of the deployment; everything that is made has it in its name. Several may live in one account."
  type        = string
  default     = "longbow"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,30}$", var.name))
    error_message = "Give 2 to 31 small letters, digits and -, beginning with a letter."
  }
}

variable "tags" {
  description = "Tags of the machines and their volumes. Tags of everything else: default_tags of the provider."
  type        = map(string)
  default     = {}

  validation {
    condition     = length(var.tags) <= 40 && !contains(keys(var.tags), "Name")
    error_message = "Give at most 40 tags, and no Name: that one is set here."
  }
}

variable "permissions_boundary_arn" {
  description = "The boundary of all roles; null for none."
  type        = string
  default     = null

  validation {
    condition     = var.permissions_boundary_arn == null || can(regex("^arn:[a-z-]+:iam::", var.permissions_boundary_arn))
    error_message = "Give the ARN of a policy, or null."
  }
}

variable "kms_key_arn" {
  description = "A KMS key for queues, table, logs, topic, schedule and volumes; null for keys that AWS manages. Its policy must admit SQS, EventBridge, CloudWatch, SNS and Auto Scaling."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_arn == null || can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/", var.kms_key_arn))
    error_message = "Give the ARN of a key, or null."
  }
}

variable "operator_arns" {
  description = "Roles or users besides the fleet's own that may send to the queues: who runs `longbow dlq redrive`."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for arn in var.operator_arns : can(regex("^arn:[a-z-]+:iam::[0-9]{12}:(role|user)/", arn))])
    error_message = "Give ARNs of roles or users."
  }
}
