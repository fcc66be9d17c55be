variable "name" {
  description = "Name of the role."
  type        = string
  default     = "longbow"

  validation {
    condition     = can(regex("^[A-Za-z0-9+=,.@_-]{1,64}$", var.name))
    error_message = "Give 1 to 64 letters, digits or +=,.@_-."
  }
}

variable "side" {
  description = "Which side of the route is in this account: source or destination."
  type        = string

  validation {
    condition     = contains(["source", "destination"], var.side)
    error_message = "Give source or destination."
  }
}

variable "bucket" {
  description = "The bucket."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9.-]{3,63}$", var.bucket))
    error_message = "Give the name of a bucket."
  }
}

variable "prefix" {
  description = "The prefix of the route with its last /; empty for the whole bucket."
  type        = string
  default     = ""

  validation {
    condition     = var.prefix == "" || endswith(var.prefix, "/")
    error_message = "A prefix ends in /."
  }
}

variable "trusted_role_arns" {
  description = "The roles of the fleet: worker_role_arn and jobsender_role_arn of its outputs."
  type        = list(string)

  validation {
    condition     = length(var.trusted_role_arns) > 0 && alltrue([for arn in var.trusted_role_arns : can(regex("^arn:[a-z-]+:iam::[0-9]{12}:role/", arn))])
    error_message = "Give ARNs of roles."
  }
}

variable "external_id" {
  description = "What the fleet has to say to be let in: the external_id of the route."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9+=,.@:/_-]+$", var.external_id)) && length(var.external_id) >= 2 && length(var.external_id) <= 1224
    error_message = "Give 2 to 1224 letters, digits or +=,.@:/_-."
  }
}

variable "deletes" {
  description = "Whether the route carries removals on."
  type        = bool
  default     = false
}

variable "versions" {
  description = "Whether the route compares versions."
  type        = bool
  default     = false
}

variable "kms_key_arn" {
  description = "The KMS key of the objects; null for none."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_arn == null || can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/", var.kms_key_arn))
    error_message = "Give the ARN of a key, or null."
  }
}

variable "permissions_boundary_arn" {
  description = "The boundary of the role; null for none."
  type        = string
  default     = null

  validation {
    condition     = var.permissions_boundary_arn == null || can(regex("^arn:[a-z-]+:iam::", var.permissions_boundary_arn))
    error_message = "Give the ARN of a policy, or null."
  }
}
