variable "existing_network" {
  description = "A network that is there already; null makes one. Its machines must reach S3, SQS, DynamoDB, Systems Manager and CloudWatch: by public addresses, a NAT gateway, or endpoints."
  type = object({
    vpc_id     = string
    subnet_ids = list(string)
    public_ip  = optional(bool, false)
  })
  default = null

  validation {
    condition     = var.existing_network == null || (can(regex("^vpc-", var.existing_network.vpc_id)) && try(length(var.existing_network.subnet_ids) > 0, false))
    error_message = "Give the id of a VPC and at least one subnet of it."
  }
}

variable "vpc_cidr" {
  description = "Addresses of the network that is made."
  type        = string
  default     = "10.10.0.0/16"

  validation {
    condition     = can(cidrnetmask(var.vpc_cidr)) && can(regex("/1[6-9]$|/20$", var.vpc_cidr))
    error_message = "Give IPv4 addresses with a mask of /16 to /20, as 10.10.0.0/16."
  }
}

variable "zones" {
  description = "Availability zones of the network that is made."
  type        = number
  default     = 2

  validation {
    condition     = var.zones >= 2 && var.zones <= 6 && floor(var.zones) == var.zones
    error_message = "Give 2 to 6 zones."
  }
}

variable "interface_endpoints" {
  description = "Services that get an interface endpoint in the network that is made: sqs, ssm, ... Each costs by the hour and zone; none is needed."
  type        = set(string)
  default     = []

  validation {
    condition = alltrue([for name in var.interface_endpoints : contains([
      "autoscaling", "ec2messages", "kms", "logs", "monitoring", "sqs", "ssm", "ssmmessages", "sts"
    ], name)])
    error_message = "Give autoscaling, ec2messages, kms, logs, monitoring, sqs, ssm, ssmmessages or sts: longbow needs no others."
  }
}

variable "egress_ports" {
  description = "TCP ports that machines may reach: 443 is AWS; add the port of a store that has another."
  type        = set(number)
  default     = [443]

  validation {
    condition     = contains(var.egress_ports, 443) && alltrue([for port in var.egress_ports : port >= 1 && port <= 65535])
    error_message = "Give ports from 1 to 65535, 443 among them."
  }
}

variable "flow_logs" {
  description = "Whether connections of the network that is made are logged."
  type        = bool
  default     = true
}
