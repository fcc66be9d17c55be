output "url" {
  description = "URL of the queue of jobs."
  value       = aws_sqs_queue.jobs.url
}

output "arn" {
  description = "ARN of the queue of jobs."
  value       = aws_sqs_queue.jobs.arn
}

output "name" {
  description = "Name of the queue of jobs, as metrics have it."
  value       = aws_sqs_queue.jobs.name
}

output "dead_letters_url" {
  description = "URL of the queue for dead letters."
  value       = aws_sqs_queue.dead_letters.url
}

output "dead_letters_arn" {
  description = "ARN of the queue for dead letters."
  value       = aws_sqs_queue.dead_letters.arn
}

output "dead_letters_name" {
  description = "Name of the queue for dead letters, as metrics have it."
  value       = aws_sqs_queue.dead_letters.name
}

output "ready_arn" {
  description = "ARN of the queue of jobs, known once its policy lets services in: S3 tries a queue before it takes it."
  value       = aws_sqs_queue.jobs.arn
  depends_on  = [aws_sqs_queue_policy.jobs]
}
