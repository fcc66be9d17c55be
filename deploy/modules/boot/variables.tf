variable "name" {
  description = "Name of the deployment, in the names of what is made."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,30}$", var.name))
    error_message = "Give 2 to 31 small letters, digits and -, beginning with a letter."
  }
}

variable "kind" {
  description = "What the machine does: worker or jobsender."
  type        = string

  validation {
    condition     = contains(["worker", "jobsender"], var.kind)
    error_message = "Give worker or jobsender."
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

variable "bucket" {
  description = "The bucket with the binaries."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", var.bucket))
    error_message = "Give the name of a bucket."
  }
}

variable "binaries" {
  description = "Key and checksum of the program, by architecture."
  type        = map(object({ key = string, sha256 = string }))

  validation {
    condition     = length(var.binaries) > 0 && alltrue([for binary in values(var.binaries) : can(regex("^[0-9a-f]{64}$", binary.sha256))])
    error_message = "Give a key and a SHA-256 in hexadecimal digits for each architecture."
  }
}

variable "settings" {
  description = "The settings file, in TOML."
  type        = string

  validation {
    condition     = length(var.settings) > 0
    error_message = "Give the text of the file."
  }
}

variable "log_group" {
  description = "The log group of the program."
  type        = string

  validation {
    condition     = startswith(var.log_group, "/")
    error_message = "Give the name of a log group, beginning with /."
  }
}

variable "boot_log_group" {
  description = "The log group of the installation."
  type        = string

  validation {
    condition     = startswith(var.boot_log_group, "/")
    error_message = "Give the name of a log group, beginning with /."
  }
}

variable "log_filter" {
  description = "What the program logs, as LONGBOW_LOG has it."
  type        = string
  default     = "info"

  validation {
    condition     = can(regex("^[a-z0-9_=,:]+$", var.log_filter))
    error_message = "Give a level, as info, or a filter, as info,longbow_worker=debug."
  }
}
