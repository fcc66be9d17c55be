variable "bucket" {
  description = "Name of the bucket."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$", var.bucket))
    error_message = "Give 3 to 63 small letters, digits and -."
  }
}

variable "binaries" {
  description = "Where the program lies on this machine, by architecture: x86_64, aarch64."
  type        = map(string)

  validation {
    condition     = length(var.binaries) > 0 && alltrue([for key in keys(var.binaries) : contains(["x86_64", "aarch64"], key)])
    error_message = "Give a file for x86_64, aarch64 or both."
  }

  validation {
    condition     = alltrue([for path in values(var.binaries) : fileexists(path)])
    error_message = "There is no such file: build the program first (cargo build --release --locked)."
  }
}
