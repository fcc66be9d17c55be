variable "name" {
  description = "Name of the deployment, in the names of what is made."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,30}$", var.name))
    error_message = "Give 2 to 31 small letters, digits and -, beginning with a letter."
  }
}

variable "group_name" {
  description = "Name of the Auto Scaling group of one machine."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9-]{1,255}$", var.group_name))
    error_message = "Give 1 to 255 letters, digits or -."
  }
}

variable "schedule" {
  description = "When a comparison begins, as EventBridge Scheduler has it: cron(0 * * * ? *), rate(6 hours); null for never by itself."
  type        = string

  validation {
    condition     = var.schedule == null || can(regex("^(cron|rate|at)\\(.+\\)$", var.schedule))
    error_message = "Give cron(...), rate(...) or at(...), or null."
  }
}

variable "timezone" {
  description = "The time zone of the schedule."
  type        = string
  default     = "UTC"

  validation {
    condition     = can(regex("^[A-Za-z_+/0-9-]+$", var.timezone))
    error_message = "Give a name of the time zone database, as Europe/Vienna."
  }
}

variable "scheduler_role_arn" {
  description = "Who sets the capacity."
  type        = string

  validation {
    condition     = can(regex("^arn:[a-z-]+:iam:", var.scheduler_role_arn))
    error_message = "Give the ARN of a role."
  }
}

variable "subnet_ids" {
  description = "Subnets of the machine."
  type        = list(string)

  validation {
    condition     = length(var.subnet_ids) >= 1
    error_message = "Give at least one subnet."
  }
}

variable "security_group_id" {
  description = "The security group of the machine."
  type        = string

  validation {
    condition     = startswith(var.security_group_id, "sg-")
    error_message = "Give the id of a security group."
  }
}

variable "public_ip" {
  description = "Whether the machine gets a public address."
  type        = bool
}

variable "instance_type" {
  description = "The type of the machine: a comparison needs little memory, whatever the buckets hold."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9-]+\\.[a-z0-9-]+$", var.instance_type))
    error_message = "Give a type, as t4g.small."
  }
}

variable "image" {
  description = "The image: an id (ami-...), or resolve:ssm:PARAMETER for the newest."
  type        = string

  validation {
    condition     = can(regex("^(ami-[0-9a-f]+|resolve:ssm:.+)$", var.image))
    error_message = "Give ami-... or resolve:ssm:PARAMETER."
  }
}

variable "instance_profile_arn" {
  description = "Who the machine is."
  type        = string

  validation {
    condition     = can(regex("^arn:[a-z-]+:iam:", var.instance_profile_arn))
    error_message = "Give the ARN of an instance profile."
  }
}

variable "user_data" {
  description = "What the machine does when it starts, as base64."
  type        = string

  validation {
    condition     = length(var.user_data) <= 21848
    error_message = "User data may have 16 KiB (21848 characters of base64)."
  }
}

variable "volume_gib" {
  description = "Size of the volume, in GiB: a side that does not list in byte order is sorted there."
  type        = number
  default     = 16

  validation {
    condition     = var.volume_gib >= 8 && var.volume_gib <= 16384 && floor(var.volume_gib) == var.volume_gib
    error_message = "Give a whole number from 8 to 16384."
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

variable "kms_key_arn" {
  description = "The KMS key of the deployment; null for keys that AWS manages."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_arn == null || can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/", var.kms_key_arn))
    error_message = "Give the ARN of a key, or null."
  }
}

variable "tags" {
  description = "Tags of machine and volume."
  type        = map(string)
  default     = {}

  validation {
    condition     = length(var.tags) <= 40
    error_message = "Give at most 40 tags."
  }
}
