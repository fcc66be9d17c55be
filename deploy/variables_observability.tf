variable "alarm_emails" {
  description = "Who is told by e-mail; each has to confirm once."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for address in var.alarm_emails : can(regex("^[^@ ]+@[^@ ]+$", address))])
    error_message = "Give e-mail addresses."
  }
}

variable "log_retention_days" {
  description = "Days that logs are kept."
  type        = number
  default     = 30

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "Give a number of days that CloudWatch Logs has: 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, ..."
  }
}

variable "oldest_job_minutes" {
  description = "Minutes that the oldest job may wait before an alarm."
  type        = number
  default     = 360

  validation {
    condition     = var.oldest_job_minutes >= 5 && var.oldest_job_minutes <= 20160
    error_message = "Give 5 to 20160 minutes (14 days)."
  }
}

variable "silence_minutes" {
  description = "Minutes that jobs may wait without a sign of life of any worker before an alarm."
  type        = number
  default     = 15

  validation {
    condition     = var.silence_minutes >= 5 && var.silence_minutes <= 60 && floor(var.silence_minutes) == var.silence_minutes
    error_message = "Give a whole number from 5 to 60."
  }
}

variable "batch_finished_minutes" {
  description = "Minutes that the queue has to be empty until a batch counts as finished."
  type        = number
  default     = 5

  validation {
    condition     = var.batch_finished_minutes >= 1 && var.batch_finished_minutes <= 60 && floor(var.batch_finished_minutes) == var.batch_finished_minutes
    error_message = "Give a whole number from 1 to 60."
  }
}
