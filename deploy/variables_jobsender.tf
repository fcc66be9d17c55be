variable "jobsender_schedule" {
  description = "When a comparison of all routes begins, as EventBridge Scheduler has it: cron(0 * * * ? *), rate(6 hours). null: only when you say so."
  type        = string
  default     = "cron(0 * * * ? *)"

  validation {
    condition     = var.jobsender_schedule == null || can(regex("^(cron|rate|at)\\(.+\\)$", var.jobsender_schedule))
    error_message = "Give cron(...), rate(...) or at(...), or null."
  }
}

variable "jobsender_timezone" {
  description = "The time zone of the schedule."
  type        = string
  default     = "UTC"

  validation {
    condition     = can(regex("^[A-Za-z_+/0-9-]+$", var.jobsender_timezone))
    error_message = "Give a name of the time zone database, as Europe/Vienna."
  }
}

variable "jobsender_instance_type" {
  description = "The type of the jobsender's machine by architecture: a comparison needs little memory, whatever the buckets hold."
  type        = map(string)
  default     = { x86_64 = "t3.small", aarch64 = "t4g.small" }

  validation {
    condition     = alltrue([for type in values(var.jobsender_instance_type) : can(regex("^[a-z0-9-]+\\.[a-z0-9-]+$", type))])
    error_message = "Give types, as t4g.small."
  }
}

variable "jobsender_volume_gib" {
  description = "Size of the jobsender's volume in GiB: a side that does not list in byte order is sorted there, some 100 bytes an object."
  type        = number
  default     = 16

  validation {
    condition     = var.jobsender_volume_gib >= 8 && var.jobsender_volume_gib <= 16384 && floor(var.jobsender_volume_gib) == var.jobsender_volume_gib
    error_message = "Give a whole number from 8 to 16384."
  }
}
