# Events of objects as jobs. By a rule of EventBridge, which adds to what a bucket tells already; or by the notifications of the
# bucket, of which there is one set only: Terraform replaces whatever else was there, so that has to be asked for.

locals {
  ruled    = var.delivery == "eventbridge" ? var.buckets : {}
  notified = var.delivery == "notification" ? [for name in keys(var.buckets) : "arn:${var.partition}:s3:::${name}"] : []
}

resource "aws_cloudwatch_event_rule" "objects" {
  for_each = local.ruled

  name        = "${var.name}-${substr(sha256(each.key), 0, 8)}"
  description = "What happens to objects in ${each.key} makes jobs for longbow."

  event_pattern = jsonencode({
    source      = ["aws.s3"]
    detail-type = concat(["Object Created"], each.value.removals ? ["Object Deleted"] : [])
    detail = {
      bucket = { name = [each.key] }
      object = { key = [for prefix in each.value.prefixes : { prefix = prefix }] }
    }
  })
}

resource "aws_cloudwatch_event_target" "jobs" {
  for_each = local.ruled

  rule      = aws_cloudwatch_event_rule.objects[each.key].name
  target_id = "jobs"
  arn       = var.queue_arn

  retry_policy {
    maximum_event_age_in_seconds = 86400
    maximum_retry_attempts       = 185
  }

  dead_letter_config {
    arn = var.dead_letters_arn
  }
}

resource "aws_s3_bucket_notification" "jobs" {
  for_each = var.delivery == "notification" ? var.buckets : {}

  bucket = each.key

  dynamic "queue" {
    for_each = { for index, prefix in each.value.prefixes : index => prefix }

    content {
      id            = "${var.name}-${queue.key}"
      queue_arn     = var.ready_queue_arn
      events        = concat(["s3:ObjectCreated:*"], each.value.removals ? ["s3:ObjectRemoved:*"] : [])
      filter_prefix = queue.value
    }
  }
}
