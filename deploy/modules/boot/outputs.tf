output "user_data" {
  description = "The script, compressed, as base64: what a launch template takes."
  value       = base64gzip(local.script)
}

output "script" {
  description = "The script as text."
  value       = local.script
}
