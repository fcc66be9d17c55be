variable "name" {
  description = "Name of the queue of jobs: a standard queue."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]{1,80}$", var.name))
    error_message = "Give 1 to 80 letters, digits, - or _, and no .fifo: longbow refuses FIFO queues."
  }
}

variable "dead_letters_name" {
  description = "Name of the queue for dead letters."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]{1,80}$", var.dead_letters_name))
    error_message = "Give 1 to 80 letters, digits, - or _."
  }
}

variable "max_receive_count" {
  description = "Receptions of a message before the queue itself moves it to the dead letters, whatever the worker says."
  type        = number

  validation {
    condition     = var.max_receive_count >= 24 && var.max_receive_count <= 1000 && floor(var.max_receive_count) == var.max_receive_count
    error_message = "Give a whole number from 24 to 1000 (the most that SQS takes)."
  }
}

variable "retention_seconds" {
  description = "How long messages are kept, in seconds."
  type        = number
  default     = 1209600

  validation {
    condition     = var.retention_seconds >= 345600 && var.retention_seconds <= 1209600
    error_message = "Give 345600 to 1209600 seconds (4 to 14 days): refused jobs wait for days."
  }
}

variable "visibility_seconds" {
  description = "For how long a received message is hidden, in seconds; workers say their own time with each call."
  type        = number

  validation {
    condition     = var.visibility_seconds >= 5 && var.visibility_seconds <= 43200
    error_message = "Give 5 to 43200 seconds."
  }
}

variable "kms_key_arn" {
  description = "The KMS key of both queues; null for keys that SQS manages."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_arn == null || can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/", var.kms_key_arn))
    error_message = "Give the ARN of a key, or null."
  }
}

variable "account_id" {
  description = "The account whose rules and buckets may send events."
  type        = string

  validation {
    condition     = can(regex("^[0-9]{12}$", var.account_id))
    error_message = "Give the twelve digits of an account."
  }
}

variable "sender_role_arns" {
  description = "The roles that may send jobs: the jobsender's and the operators'."
  type        = list(string)

  validation {
    condition     = length(var.sender_role_arns) > 0 && alltrue([for arn in var.sender_role_arns : can(regex("^arn:[a-z-]+:iam::[0-9]{12}:", arn))])
    error_message = "Give at least one ARN of a role."
  }
}

variable "dead_letter_sender_role_arns" {
  description = "The roles that may put messages aside: the workers'."
  type        = list(string)

  validation {
    condition     = length(var.dead_letter_sender_role_arns) > 0 && alltrue([for arn in var.dead_letter_sender_role_arns : can(regex("^arn:[a-z-]+:iam::[0-9]{12}:", arn))])
    error_message = "Give at least one ARN of a role."
  }
}

variable "event_rule_arns" {
  description = "EventBridge rules that may send events of objects."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for arn in var.event_rule_arns : can(regex("^arn:[a-z-]+:events:", arn))])
    error_message = "Give ARNs of EventBridge rules."
  }
}

variable "event_bucket_arns" {
  description = "Buckets whose own notifications may send events of objects."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for arn in var.event_bucket_arns : can(regex("^arn:[a-z-]+:s3:::", arn))])
    error_message = "Give ARNs of buckets."
  }
}
