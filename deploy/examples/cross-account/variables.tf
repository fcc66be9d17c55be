variable "binary" {
  description = "The program for x86-64 on this machine."
  type        = string

  validation {
    condition     = fileexists(var.binary)
    error_message = "There is no such file: cargo build --release --locked."
  }
}
