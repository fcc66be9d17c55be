variable "name" {
  description = "Name of the deployment, in names and tags."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,30}$", var.name))
    error_message = "Give 2 to 31 small letters, digits and -, beginning with a letter."
  }
}

variable "cidr" {
  description = "Addresses of the network; each zone takes a 256th of them."
  type        = string

  validation {
    condition     = can(cidrnetmask(var.cidr)) && can(regex("/1[6-9]$|/20$", var.cidr))
    error_message = "Give IPv4 addresses with a mask of /16 to /20, as 10.10.0.0/16."
  }
}

variable "zones" {
  description = "How many availability zones: more zones are more Spot capacity to choose from."
  type        = number

  validation {
    condition     = var.zones >= 2 && var.zones <= 6 && floor(var.zones) == var.zones
    error_message = "Give 2 to 6 zones."
  }
}

variable "interface_endpoints" {
  description = "Services that get an interface endpoint, which costs by the hour and zone."
  type        = set(string)
  default     = []

  validation {
    condition = alltrue([for name in var.interface_endpoints : contains([
      "autoscaling", "ec2messages", "kms", "logs", "monitoring", "sqs", "ssm", "ssmmessages", "sts"
    ], name)])
    error_message = "Give autoscaling, ec2messages, kms, logs, monitoring, sqs, ssm, ssmmessages or sts: longbow needs no others."
  }
}

variable "flow_logs" {
  description = "Whether the network's connections are logged."
  type        = bool
}

variable "log_retention_days" {
  description = "Days that flow logs are kept."
  type        = number

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "Give a number of days that CloudWatch Logs has: 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, ..."
  }
}

variable "bucket_arns" {
  description = "Buckets that are reached through the S3 endpoint."
  type        = list(string)

  validation {
    condition     = length(var.bucket_arns) > 0 && alltrue([for arn in var.bucket_arns : can(regex("^arn:[a-z-]+:s3:::", arn))])
    error_message = "Give ARNs of buckets."
  }
}

variable "table_arn" {
  description = "The table that is reached through the DynamoDB endpoint."
  type        = string

  validation {
    condition     = can(regex("^arn:[a-z-]+:dynamodb:", var.table_arn))
    error_message = "Give the ARN of a table."
  }
}

variable "kms_key_arn" {
  description = "The KMS key of the flow logs; null for CloudWatch's own encryption."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_arn == null || can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/", var.kms_key_arn))
    error_message = "Give the ARN of a key, or null."
  }
}

variable "permissions_boundary_arn" {
  description = "The boundary of the role of the flow logs; null for none."
  type        = string
  default     = null

  validation {
    condition     = var.permissions_boundary_arn == null || can(regex("^arn:[a-z-]+:iam::", var.permissions_boundary_arn))
    error_message = "Give the ARN of a policy, or null."
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

variable "region" {
  description = "The region of the deployment."
  type        = string

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "Give a region, as eu-west-1."
  }
}
