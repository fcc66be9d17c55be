variable "binaries" {
  description = "The program on this machine, by architecture: x86_64, aarch64. Only architectures that are here get machines."
  type        = map(string)

  validation {
    condition     = length(var.binaries) > 0 && alltrue([for key in keys(var.binaries) : contains(["x86_64", "aarch64"], key)])
    error_message = "Give a file for x86_64, aarch64 or both."
  }
}

variable "artifact_bucket" {
  description = "Name of the bucket for the program; null for NAME-artifacts-ACCOUNT-REGION."
  type        = string
  default     = null

  validation {
    condition     = var.artifact_bucket == null || can(regex("^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$", var.artifact_bucket))
    error_message = "Give 3 to 63 small letters, digits and -, or null."
  }
}

variable "instance_types" {
  description = "Types of the workers' machines by architecture, best first. Many types find Spot capacity; the network is what counts."
  type        = map(list(string))
  default = {
    x86_64  = ["c6in.large", "c7i.large", "c6i.large", "m6i.large", "c5n.large"]
    aarch64 = ["c7gn.large", "c6gn.large", "c7g.large", "c6g.large", "m7g.large"]
  }

  validation {
    condition     = alltrue([for key, types in var.instance_types : contains(["x86_64", "aarch64"], key) && length(types) > 0 && alltrue([for type in types : can(regex("^[a-z0-9-]+\\.[a-z0-9-]+$", type))])])
    error_message = "Give types, as c6in.large, for x86_64, aarch64 or both."
  }

  validation {
    condition     = alltrue([for key in keys(var.binaries) : contains(keys(var.instance_types), key)])
    error_message = "Each architecture of binaries needs types."
  }
}

variable "images" {
  description = "The image of the machines by architecture: an id, or resolve:ssm:PARAMETER for the newest at each start. Amazon Linux 2023 or a descendant."
  type        = map(string)
  default = {
    x86_64  = "resolve:ssm:/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"
    aarch64 = "resolve:ssm:/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-arm64"
  }

  validation {
    condition     = alltrue([for image in values(var.images) : can(regex("^(ami-[0-9a-f]+|resolve:ssm:.+)$", image))]) && alltrue([for key in keys(var.binaries) : contains(keys(var.images), key)])
    error_message = "Give ami-... or resolve:ssm:PARAMETER for each architecture of binaries."
  }
}

variable "min_workers" {
  description = "Fewest workers. 0 costs nothing at rest; the first job then waits for a machine, some three minutes."
  type        = number
  default     = 0

  validation {
    condition     = var.min_workers >= 0 && var.min_workers <= 1000 && floor(var.min_workers) == var.min_workers
    error_message = "Give a whole number from 0 to 1000."
  }
}

variable "max_workers" {
  description = "Most workers: the bound of what the fleet costs."
  type        = number
  default     = 10

  validation {
    condition     = var.max_workers >= 1 && var.max_workers <= 1000 && floor(var.max_workers) == var.max_workers
    error_message = "Give a whole number from 1 to 1000."
  }

  validation {
    condition     = var.max_workers >= var.min_workers
    error_message = "Give at least min_workers."
  }
}

variable "on_demand_workers" {
  description = "How many of the workers are bought on demand; the others are Spot."
  type        = number
  default     = 0

  validation {
    condition     = var.on_demand_workers >= 0 && floor(var.on_demand_workers) == var.on_demand_workers
    error_message = "Give a whole number from 0."
  }
}

variable "spot_max_price" {
  description = "The most to pay for an hour of Spot, in USD; null for the on-demand price, which is AWS's advice."
  type        = string
  default     = null

  validation {
    condition     = var.spot_max_price == null || can(tonumber(var.spot_max_price))
    error_message = "Give a number, as \"0.5\", or null."
  }
}

variable "worker" {
  description = "Settings of the workers, as [worker] of config/default.toml has them; what is null is the program's default."
  type = object({
    memory       = optional(string, "1GiB")
    part_size    = optional(string)
    whole_up_to  = optional(string)
    max_objects  = optional(number)
    max_requests = optional(number)
    max_attempts = optional(number)
  })
  default = {}

  validation {
    condition     = alltrue([for text in [var.worker.memory, var.worker.part_size, var.worker.whole_up_to] : text == null || can(regex("^[0-9]+(KiB|MiB|GiB)$", text))])
    error_message = "Give sizes as 16MiB or 1GiB."
  }

  validation {
    condition     = alltrue([for number in [var.worker.max_objects, var.worker.max_requests, var.worker.max_attempts] : number == null || try(number >= 1 && floor(number) == number, false)])
    error_message = "Give whole numbers from 1."
  }
}

variable "visibility_seconds" {
  description = "For how long a job is hidden from other workers without a sign of life, in seconds (worker.visibility)."
  type        = number
  default     = 180

  validation {
    condition     = var.visibility_seconds >= 30 && var.visibility_seconds <= 43200 && floor(var.visibility_seconds) == var.visibility_seconds
    error_message = "Give a whole number from 30 to 43200."
  }
}

variable "max_receive_count" {
  description = "Receptions of a job before the queue itself moves it to the dead letters: the net below longbow's own five attempts. More let jobs outlast a longer refusal; see docs/decisions/0019-the-deployment.md."
  type        = number
  default     = 24

  validation {
    condition     = var.max_receive_count >= 24 && var.max_receive_count <= 1000 && floor(var.max_receive_count) == var.max_receive_count
    error_message = "Give a whole number from 24 to 1000 (the most that SQS takes)."
  }
}

variable "drain_seconds" {
  description = "For how long a worker that is told to stop goes on with what is in its hands, in seconds (cluster.drain_within)."
  type        = number
  default     = 90

  validation {
    condition     = var.drain_seconds >= 1 && var.drain_seconds <= 150 && floor(var.drain_seconds) == var.drain_seconds
    error_message = "Give a whole number from 1 to 150: the unit stops a worker by force after 180 seconds."
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

variable "deletion_protection" {
  description = "Whether the table refuses to be deleted. Set it to false, apply, then destroy."
  type        = bool
  default     = true
}

variable "scaling_mode" {
  description = "How the fleet grows: backlog (jobs for each worker), thresholds (jobs in all, as Longbow: from 100 one more, from 500 two)."
  type        = string
  default     = "backlog"

  validation {
    condition     = contains(["backlog", "thresholds"], var.scaling_mode)
    error_message = "Give backlog or thresholds."
  }
}

variable "jobs_per_worker" {
  description = "Jobs for each worker from which the fleet grows, with scaling_mode = backlog: fewer for large objects, more for small ones."
  type        = number
  default     = 100

  validation {
    condition     = var.jobs_per_worker >= 1 && var.jobs_per_worker <= 1000000 && floor(var.jobs_per_worker) == var.jobs_per_worker
    error_message = "Give a whole number from 1 to 1000000."
  }
}

variable "idle_minutes" {
  description = "Minutes without any job after which the fleet shrinks to min_workers."
  type        = number
  default     = 15

  validation {
    condition     = var.idle_minutes >= 5 && var.idle_minutes <= 60 && floor(var.idle_minutes) == var.idle_minutes
    error_message = "Give a whole number from 5 to 60."
  }
}
