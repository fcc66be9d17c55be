variable "name" {
  description = "Name of the deployment, in the names of what is made."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,30}$", var.name))
    error_message = "Give 2 to 31 small letters, digits and -, beginning with a letter."
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

variable "alarm_emails" {
  description = "Who is told by e-mail; each has to confirm once."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for address in var.alarm_emails : can(regex("^[^@ ]+@[^@ ]+$", address))])
    error_message = "Give e-mail addresses."
  }
}

variable "queue_name" {
  description = "The queue of jobs."
  type        = string

  validation {
    condition     = length(var.queue_name) > 0
    error_message = "Give the name of a queue."
  }
}

variable "dead_letters_name" {
  description = "The queue for dead letters."
  type        = string

  validation {
    condition     = length(var.dead_letters_name) > 0
    error_message = "Give the name of a queue."
  }
}

variable "group_name" {
  description = "The Auto Scaling group of the workers."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9-]{1,255}$", var.group_name))
    error_message = "Give 1 to 255 letters, digits or -."
  }
}

variable "jobsender_group_name" {
  description = "The Auto Scaling group of the jobsender."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9-]{1,255}$", var.jobsender_group_name))
    error_message = "Give 1 to 255 letters, digits or -."
  }
}

variable "log_retention_days" {
  description = "Days that logs are kept."
  type        = number

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "Give a number of days that CloudWatch Logs has: 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, ..."
  }
}

variable "oldest_job_minutes" {
  description = "Minutes that the oldest job may wait before an alarm."
  type        = number

  validation {
    condition     = var.oldest_job_minutes >= 5 && var.oldest_job_minutes <= 20160 && floor(var.oldest_job_minutes) == var.oldest_job_minutes
    error_message = "Give a whole number from 5 to 20160."
  }
}

variable "silence_minutes" {
  description = "Minutes that jobs may wait without a sign of life of any worker before an alarm."
  type        = number

  validation {
    condition     = var.silence_minutes >= 5 && var.silence_minutes <= 60 && floor(var.silence_minutes) == var.silence_minutes
    error_message = "Give a whole number from 5 to 60."
  }
}

variable "batch_finished_minutes" {
  description = "Minutes that the queue has to be empty until a batch counts as finished."
  type        = number

  validation {
    condition     = var.batch_finished_minutes >= 1 && var.batch_finished_minutes <= 60 && floor(var.batch_finished_minutes) == var.batch_finished_minutes
    error_message = "Give a whole number from 1 to 60."
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

variable "account_id" {
  description = "The account of the deployment."
  type        = string

  validation {
    condition     = can(regex("^[0-9]{12}$", var.account_id))
    error_message = "Give the twelve digits of an account."
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
