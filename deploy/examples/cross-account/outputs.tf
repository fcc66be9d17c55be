output "run_now" {
  description = "The command that begins a comparison at once."
  value       = module.longbow.run_now
}
