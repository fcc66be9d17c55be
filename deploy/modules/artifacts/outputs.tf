output "bucket" {
  description = "Name of the bucket."
  value       = aws_s3_bucket.artifacts.id
}

output "bucket_arn" {
  description = "ARN of the bucket."
  value       = aws_s3_bucket.artifacts.arn
}

output "binaries" {
  description = "Key and checksum of the program, by architecture."
  value = {
    for architecture, object in aws_s3_object.binary :
    architecture => { key = object.key, sha256 = local.sha256[architecture] }
  }
}

output "object_arns" {
  description = "ARNs of the binaries: what a machine may read."
  value       = [for object in aws_s3_object.binary : "${aws_s3_bucket.artifacts.arn}/${object.key}"]
}
