variable "name" {
  description = "Name of the deployment, in the names of what is made."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,30}$", var.name))
    error_message = "Give 2 to 31 small letters, digits and -, beginning with a letter."
  }
}

variable "delivery" {
  description = "How events of objects come: eventbridge (a rule; the buckets send to EventBridge), notification (the notifications of the buckets, all of which Terraform then owns), none."
  type        = string

  validation {
    condition     = contains(["eventbridge", "notification", "none"], var.delivery)
    error_message = "Give eventbridge, notification or none."
  }
}

variable "buckets" {
  description = "Buckets whose events make jobs, with the prefixes below which they do."
  type        = map(object({ prefixes = list(string), removals = bool }))

  validation {
    condition     = alltrue([for name in keys(var.buckets) : can(regex("^[a-z0-9.-]{3,63}$", name))])
    error_message = "Give names of buckets."
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

variable "ready_queue_arn" {
  description = "The same, known once the queue lets buckets in."
  type        = string

  validation {
    condition     = can(regex("^arn:[a-z-]+:sqs:", var.ready_queue_arn))
    error_message = "Give the ARN of a queue."
  }
}

variable "dead_letters_arn" {
  description = "Where events go that could not be delivered."
  type        = string

  validation {
    condition     = can(regex("^arn:[a-z-]+:sqs:", var.dead_letters_arn))
    error_message = "Give the ARN of a queue."
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
