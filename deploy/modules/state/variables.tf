variable "name" {
  description = "Name of the table."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9_.-]{3,255}$", var.name))
    error_message = "Give 3 to 255 letters, digits, -, _ or dots."
  }
}

variable "deletion_protection" {
  description = "Whether the table refuses to be deleted: without it all copies have to be compared anew."
  type        = bool
  default     = true
}

variable "kms_key_arn" {
  description = "The KMS key of the table; null for the account's key of DynamoDB (aws/dynamodb)."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_arn == null || can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/", var.kms_key_arn))
    error_message = "Give the ARN of a key, or null."
  }
}
