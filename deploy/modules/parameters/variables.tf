variable "name" {
  description = "Name of the deployment: the parameters lie below /NAME/."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,30}$", var.name))
    error_message = "Give 2 to 31 small letters, digits and -, beginning with a letter."
  }
}

variable "routes" {
  description = "The routes as JSON, as cluster.routes_parameter has them."
  type        = string

  validation {
    condition     = can(jsondecode(var.routes)) && length(var.routes) <= 8192
    error_message = "Give JSON of at most 8192 characters, which is what a parameter holds: more routes need a second deployment."
  }
}

variable "settings" {
  description = "The settings file, in TOML. No secrets: it can be read by whoever reads parameters."
  type        = string

  validation {
    condition     = length(var.settings) > 0 && length(var.settings) <= 8192 && !can(regex("secret_access_key", var.settings))
    error_message = "Give at most 8192 characters and no keys: those belong into a SecureString."
  }
}
