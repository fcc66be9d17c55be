variable "name" {
  description = "Name of the deployment, in the names of what is made."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,30}$", var.name))
    error_message = "Give 2 to 31 small letters, digits and -, beginning with a letter."
  }
}

variable "group_name" {
  description = "Name of the Auto Scaling group."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9-]{1,255}$", var.group_name))
    error_message = "Give 1 to 255 letters, digits or -."
  }
}

variable "hook_name" {
  description = "Name of the lifecycle hook that waits for a drain."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9-]{1,255}$", var.hook_name))
    error_message = "Give 1 to 255 letters, digits or -."
  }
}

variable "subnet_ids" {
  description = "Subnets of the machines, in different zones."
  type        = list(string)

  validation {
    condition     = length(var.subnet_ids) >= 1
    error_message = "Give at least one subnet."
  }
}

variable "vpc_id" {
  description = "The network of the subnets."
  type        = string

  validation {
    condition     = startswith(var.vpc_id, "vpc-")
    error_message = "Give the id of a VPC."
  }
}

variable "public_ip" {
  description = "Whether machines get a public address: without one they need a NAT gateway or interface endpoints."
  type        = bool
}

variable "egress_ports" {
  description = "TCP ports that machines may reach; 443 is AWS."
  type        = set(number)
  default     = [443]

  validation {
    condition     = contains(var.egress_ports, 443) && alltrue([for port in var.egress_ports : port >= 1 && port <= 65535])
    error_message = "Give ports from 1 to 65535, 443 among them."
  }
}

variable "instance_types" {
  description = "Types of machines by architecture (x86_64, aarch64), best first: many types find Spot capacity."
  type        = map(list(string))

  validation {
    condition     = length(var.instance_types) > 0 && alltrue([for key, types in var.instance_types : contains(["x86_64", "aarch64"], key) && length(types) > 0]) && length(flatten(values(var.instance_types))) <= 40
    error_message = "Give at least one type for x86_64, aarch64 or both, 40 in all at most."
  }
}

variable "images" {
  description = "The image by architecture: an id (ami-...), or resolve:ssm:PARAMETER for the newest."
  type        = map(string)

  validation {
    condition     = alltrue([for image in values(var.images) : can(regex("^(ami-[0-9a-f]+|resolve:ssm:.+)$", image))])
    error_message = "Give ami-... or resolve:ssm:PARAMETER."
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

variable "max_size" {
  description = "Most machines."
  type        = number

  validation {
    condition     = var.max_size >= 1 && var.max_size <= 1000 && floor(var.max_size) == var.max_size
    error_message = "Give a whole number from 1 to 1000."
  }
}

variable "on_demand_base" {
  description = "Machines that are bought on demand before Spot is used."
  type        = number
  default     = 0

  validation {
    condition     = var.on_demand_base >= 0 && var.on_demand_base <= 1000 && floor(var.on_demand_base) == var.on_demand_base
    error_message = "Give a whole number from 0 to 1000."
  }
}

variable "spot_max_price" {
  description = "The most to pay for an hour of Spot, in USD; null for the on-demand price."
  type        = string
  default     = null

  validation {
    condition     = var.spot_max_price == null || can(tonumber(var.spot_max_price))
    error_message = "Give a number, as \"0.5\", or null."
  }
}

variable "instance_profile_arn" {
  description = "Who the machines are."
  type        = string

  validation {
    condition     = can(regex("^arn:[a-z-]+:iam:", var.instance_profile_arn))
    error_message = "Give the ARN of an instance profile."
  }
}

variable "user_data" {
  description = "What machines do when they start, as base64."
  type        = string

  validation {
    condition     = length(var.user_data) <= 21848
    error_message = "User data may have 16 KiB (21848 characters of base64)."
  }
}

variable "volume_gib" {
  description = "Size of the volume of a machine, in GiB."
  type        = number
  default     = 16

  validation {
    condition     = var.volume_gib >= 8 && var.volume_gib <= 16384 && floor(var.volume_gib) == var.volume_gib
    error_message = "Give a whole number from 8 to 16384."
  }
}

variable "drain_seconds" {
  description = "For how long a worker that is told to stop goes on, in seconds."
  type        = number

  validation {
    condition     = var.drain_seconds >= 1 && var.drain_seconds <= 3600 && floor(var.drain_seconds) == var.drain_seconds
    error_message = "Give a whole number from 1 to 3600."
  }
}

variable "max_lifetime_days" {
  description = "Days after which a machine is replaced by one with the newest image; 0 for never."
  type        = number
  default     = 30

  validation {
    condition     = var.max_lifetime_days >= 0 && var.max_lifetime_days <= 365 && floor(var.max_lifetime_days) == var.max_lifetime_days
    error_message = "Give a whole number from 0 to 365."
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
  description = "Tags of machines and volumes."
  type        = map(string)
  default     = {}

  validation {
    condition     = length(var.tags) <= 40
    error_message = "Give at most 40 tags."
  }
}
