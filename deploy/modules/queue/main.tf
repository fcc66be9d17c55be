# The queue of jobs and the queue for dead letters. Which messages end there is longbow's decision, not the queue's: see
# docs/decisions/0019-the-deployment.md.

resource "aws_sqs_queue" "dead_letters" {
  name                       = var.dead_letters_name
  message_retention_seconds  = var.retention_seconds
  visibility_timeout_seconds = var.visibility_seconds
  sqs_managed_sse_enabled    = var.kms_key_arn == null ? true : null
  kms_master_key_id          = var.kms_key_arn
}

resource "aws_sqs_queue" "jobs" {
  name                       = var.name
  message_retention_seconds  = var.retention_seconds
  visibility_timeout_seconds = var.visibility_seconds
  # Workers wait for messages by long polls; whoever asks otherwise is answered as they are.
  receive_wait_time_seconds = 20
  sqs_managed_sse_enabled   = var.kms_key_arn == null ? true : null
  kms_master_key_id         = var.kms_key_arn

  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.dead_letters.arn
    maxReceiveCount     = var.max_receive_count
  })
}

resource "aws_sqs_queue_redrive_allow_policy" "dead_letters" {
  queue_url = aws_sqs_queue.dead_letters.id

  redrive_allow_policy = jsonencode({
    redrivePermission = "byQueue"
    sourceQueueArns   = [aws_sqs_queue.jobs.arn]
  })
}
