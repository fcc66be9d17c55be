variable "routes" {
  description = <<-EOT
    From where to where, by name. `from` and `to` are s3://BUCKET/PREFIX. `events`: whether what happens to objects of the source makes
    jobs at once. `propagate_deletes`: removals are carried on. A side's `role_arn` (with `external_id`) or `credentials_parameter` (a
    SecureString that you make) reaches another account; without them the fleet's own roles get the rights. `kms_key_arn` is the
    key that objects of this side are encrypted with, `sse` and `sse_kms_key_id` ask for one. The rest is as in config/default.toml.
  EOT
  type = map(object({
    from              = string
    to                = string
    events            = optional(bool, false)
    propagate_deletes = optional(bool, false)
    key_mapping       = optional(string)
    compare           = optional(string)
    include           = optional(list(string), [])
    exclude           = optional(list(string), [])
    source = optional(object({
      region                = optional(string)
      endpoint_url          = optional(string)
      role_arn              = optional(string)
      external_id           = optional(string)
      credentials_parameter = optional(string)
      anonymous             = optional(bool)
      requester_pays        = optional(bool)
      expected_bucket_owner = optional(string)
      kms_key_arn           = optional(string)
    }), {})
    destination = optional(object({
      region                = optional(string)
      endpoint_url          = optional(string)
      role_arn              = optional(string)
      external_id           = optional(string)
      credentials_parameter = optional(string)
      expected_bucket_owner = optional(string)
      storage_class         = optional(string)
      sse                   = optional(string)
      sse_kms_key_id        = optional(string)
      kms_key_arn           = optional(string)
    }), {})
  }))

  validation {
    condition     = length(var.routes) > 0
    error_message = "Give at least one route: { photos = { from = \"s3://photos\", to = \"s3://photos-copy\" } }."
  }

  validation {
    condition     = alltrue([for name, route in var.routes : can(regex("^[A-Za-z0-9_-]{1,64}$", name))])
    error_message = "A route's name has 1 to 64 letters, digits, - or _."
  }

  validation {
    condition     = alltrue(flatten([for route in var.routes : [for place in [route.from, route.to] : can(regex("^s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/.*)?$", place))]]))
    error_message = "Each from and to is s3://BUCKET or s3://BUCKET/PREFIX."
  }

  validation {
    condition     = alltrue([for route in var.routes : trimsuffix(route.from, "/") != trimsuffix(route.to, "/") || route.source.endpoint_url != route.destination.endpoint_url])
    error_message = "A route leads somewhere else than it comes from."
  }

  validation {
    condition     = alltrue([for route in var.routes : route.key_mapping == null || contains(["auto", "relative", "full-key"], coalesce(route.key_mapping, "auto"))])
    error_message = "A route's key_mapping is auto, relative or full-key."
  }

  validation {
    condition     = alltrue([for route in var.routes : contains(["auto", "size", "size-mtime", "etag", "checksum", "version"], coalesce(route.compare, "auto"))])
    error_message = "A route's compare is auto, size, size-mtime, etag, checksum or version."
  }

  validation {
    condition     = alltrue(flatten([for route in var.routes : [for side in [route.source, route.destination] : side.role_arn == null || side.credentials_parameter == null]]))
    error_message = "A side has a role_arn or a credentials_parameter, not both."
  }

  validation {
    condition     = alltrue(flatten([for route in var.routes : [for side in [route.source, route.destination] : side.external_id == null || side.role_arn != null]]))
    error_message = "An external_id belongs to a role_arn."
  }

  validation {
    condition     = alltrue(flatten([for route in var.routes : [for arn in [route.source.role_arn, route.destination.role_arn] : arn == null || can(regex("^arn:[a-z-]+:iam::[0-9]{12}:role/", arn))]]))
    error_message = "A role_arn is the ARN of a role."
  }

  validation {
    condition     = alltrue(flatten([for route in var.routes : [for url in [route.source.endpoint_url, route.destination.endpoint_url] : url == null || can(regex("^https://", url))]]))
    error_message = "An endpoint_url begins with https://: longbow sends nothing in the clear to other machines."
  }
}

variable "credentials_kms_key_arns" {
  description = "The customer-managed KMS keys of the SecureStrings that routes name; the account's own key (aws/ssm) need not be named."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for arn in var.credentials_kms_key_arns : can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/", arn))])
    error_message = "Give ARNs of keys."
  }
}

variable "event_delivery" {
  description = "How events of routes with events = true come: eventbridge (you switch EventBridge on for the bucket; what it tells already stays), notification (Terraform owns all notifications of the bucket), none."
  type        = string
  default     = "eventbridge"

  validation {
    condition     = contains(["eventbridge", "notification", "none"], var.event_delivery)
    error_message = "Give eventbridge, notification or none."
  }
}
