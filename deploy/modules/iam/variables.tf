variable "name" {
  description = "Name of the deployment, in the names of what is made."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,30}$", var.name))
    error_message = "Give 2 to 31 small letters, digits and -, beginning with a letter."
  }
}

variable "partition" {
  description = "The partition of the deployment, as aws or aws-cn."
  type        = string

  validation {
    condition     = can(regex("^aws[a-z-]*$", var.partition))
    error_message = "Give a partition, as aws or aws-cn."
  }
}

variable "region" {
  description = "The region of the deployment."
  type        = string

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "Give a region, as eu-west-1."
  }
}

variable "account_id" {
  description = "The account of the deployment."
  type        = string

  validation {
    condition     = can(regex("^[0-9]{12}$", var.account_id))
    error_message = "Give the twelve digits of an account."
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

variable "ec2_service" {
  description = "The service that machines are of, as ec2.amazonaws.com."
  type        = string
  default     = "ec2.amazonaws.com"

  validation {
    condition     = can(regex("^ec2\\.amazonaws\\.com(\\.cn)?$", var.ec2_service))
    error_message = "Give ec2.amazonaws.com or ec2.amazonaws.com.cn."
  }
}

variable "worker_group_name" {
  description = "Name of the Auto Scaling group of the workers."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9-]{1,255}$", var.worker_group_name))
    error_message = "Give 1 to 255 letters, digits or -."
  }
}

variable "jobsender_group_name" {
  description = "Name of the Auto Scaling group of the jobsender."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9-]{1,255}$", var.jobsender_group_name))
    error_message = "Give 1 to 255 letters, digits or -."
  }
}

variable "queue_arn" {
  description = "The queue of jobs."
  type        = string

  validation {
    condition     = can(regex("^arn:[a-z-]+:sqs:", var.queue_arn))
    error_message = "Give the ARN of a queue."
  }
}

variable "dead_letters_arn" {
  description = "The queue for dead letters."
  type        = string

  validation {
    condition     = can(regex("^arn:[a-z-]+:sqs:", var.dead_letters_arn))
    error_message = "Give the ARN of a queue."
  }
}

variable "table_arn" {
  description = "The table of the state."
  type        = string

  validation {
    condition     = can(regex("^arn:[a-z-]+:dynamodb:", var.table_arn))
    error_message = "Give the ARN of a table."
  }
}

variable "parameter_arns" {
  description = "The parameters of the deployment."
  type        = list(string)

  validation {
    condition     = alltrue([for arn in var.parameter_arns : can(regex("^arn:[a-z-]+:ssm:", arn))])
    error_message = "Give ARNs of parameters."
  }
}

variable "credentials_parameter_arns" {
  description = "SecureStrings with keys of other accounts."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for arn in var.credentials_parameter_arns : can(regex("^arn:[a-z-]+:ssm:", arn))])
    error_message = "Give ARNs of parameters."
  }
}

variable "credentials_kms_key_arns" {
  description = "The KMS keys of these SecureStrings."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for arn in var.credentials_kms_key_arns : can(regex("^arn:[a-z-]+:kms:", arn))])
    error_message = "Give ARNs of keys."
  }
}

variable "sources" {
  description = "What the roles themselves read; sides that are reached by another role or by stored keys are not here."
  type        = list(object({ bucket = string, prefix = string, partition = string, versions = bool }))

  validation {
    condition     = alltrue([for side in var.sources : can(regex("^[a-z0-9.-]{3,63}$", side.bucket))])
    error_message = "Give names of buckets."
  }
}

variable "destinations" {
  description = "What the roles themselves write."
  type        = list(object({ bucket = string, prefix = string, partition = string, deletes = bool }))

  validation {
    condition     = alltrue([for side in var.destinations : can(regex("^[a-z0-9.-]{3,63}$", side.bucket))])
    error_message = "Give names of buckets."
  }
}

variable "read_kms_key_arns" {
  description = "KMS keys that objects of the sources are encrypted with."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for arn in var.read_kms_key_arns : can(regex("^arn:[a-z-]+:kms:", arn))])
    error_message = "Give ARNs of keys."
  }
}

variable "write_kms_key_arns" {
  description = "KMS keys that objects of the destinations are encrypted with."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for arn in var.write_kms_key_arns : can(regex("^arn:[a-z-]+:kms:", arn))])
    error_message = "Give ARNs of keys."
  }
}

variable "assume_role_arns" {
  description = "Roles of other accounts."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for arn in var.assume_role_arns : can(regex("^arn:[a-z-]+:iam:", arn))])
    error_message = "Give ARNs of roles."
  }
}

variable "binary_arns" {
  description = "The objects that machines install."
  type        = list(string)

  validation {
    condition     = alltrue([for arn in var.binary_arns : can(regex("^arn:[a-z-]+:s3:", arn))])
    error_message = "Give ARNs of objects."
  }
}

variable "worker_log_group_arns" {
  description = "Log groups that workers write to."
  type        = list(string)

  validation {
    condition     = alltrue([for arn in var.worker_log_group_arns : can(regex("^arn:[a-z-]+:logs:", arn))])
    error_message = "Give ARNs of log groups."
  }
}

variable "jobsender_log_group_arns" {
  description = "Log groups that the jobsender writes to."
  type        = list(string)

  validation {
    condition     = alltrue([for arn in var.jobsender_log_group_arns : can(regex("^arn:[a-z-]+:logs:", arn))])
    error_message = "Give ARNs of log groups."
  }
}

variable "kms_key_arn" {
  description = "The KMS key of the deployment; null for keys that AWS manages."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_arn == null || can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/", var.kms_key_arn))
    error_message = "Give the ARN of a key, or null."
  }
}
