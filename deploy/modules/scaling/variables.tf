variable "name" {
  description = "Name of the deployment, in the names of what is made."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,30}$", var.name))
    error_message = "Give 2 to 31 small letters, digits and -, beginning with a letter."
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

variable "queue_name" {
  description = "The queue of jobs."
  type        = string

  validation {
    condition     = length(var.queue_name) > 0
    error_message = "Give the name of a queue."
  }
}

variable "min_size" {
  description = "Fewest machines."
  type        = number

  validation {
    condition     = var.min_size >= 0 && var.min_size <= 1000 && floor(var.min_size) == var.min_size
    error_message = "Give a whole number from 0 to 1000."
  }
}

variable "mode" {
  description = "How the fleet grows: backlog (jobs for each worker), thresholds (jobs in all, as Longbow: from 100 one more, from 500 two)."
  type        = string

  validation {
    condition     = contains(["backlog", "thresholds"], var.mode)
    error_message = "Give backlog or thresholds."
  }
}

variable "jobs_per_worker" {
  description = "Jobs for each worker above which the fleet grows, with mode backlog."
  type        = number

  validation {
    condition     = var.jobs_per_worker >= 1 && var.jobs_per_worker <= 1000000 && floor(var.jobs_per_worker) == var.jobs_per_worker
    error_message = "Give a whole number from 1 to 1000000."
  }
}

variable "idle_minutes" {
  description = "Minutes without any job, visible, in flight or delayed, after which the fleet shrinks to its least."
  type        = number

  validation {
    condition     = var.idle_minutes >= 5 && var.idle_minutes <= 60 && floor(var.idle_minutes) == var.idle_minutes
    error_message = "Give a whole number from 5 to 60."
  }
}

variable "warmup_seconds" {
  description = "Seconds that a new machine takes until it works; it is not ordered twice meanwhile."
  type        = number

  validation {
    condition     = var.warmup_seconds >= 30 && var.warmup_seconds <= 900 && floor(var.warmup_seconds) == var.warmup_seconds
    error_message = "Give a whole number from 30 to 900."
  }
}
