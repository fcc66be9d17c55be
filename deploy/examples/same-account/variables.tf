variable "binary" {
  description = "The program for x86-64 on this machine."
  type        = string

  validation {
    condition     = fileexists(var.binary)
    error_message = "There is no such file: cargo build --release --locked."
  }
}

variable "alarm_emails" {
  description = "Who is told by e-mail."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for address in var.alarm_emails : can(regex("@", address))])
    error_message = "Give e-mail addresses."
  }
}
