# What a worker may do: take jobs, copy, remember.

data "aws_iam_policy_document" "worker" {
  statement {
    sid = "TakeJobs"
    actions = [
      "sqs:ChangeMessageVisibility",
      "sqs:DeleteMessage",
      "sqs:GetQueueAttributes",
      "sqs:ReceiveMessage",
    ]
    resources = [var.queue_arn]
  }

  statement {
    sid       = "PutAside"
    actions   = ["sqs:GetQueueAttributes", "sqs:SendMessage"]
    resources = [var.dead_letters_arn]
  }

  statement {
    sid = "Remember"
    actions = [
      "dynamodb:BatchGetItem",
      "dynamodb:BatchWriteItem",
      "dynamodb:DescribeTable",
      "dynamodb:GetItem",
      "dynamodb:PutItem",
      "dynamodb:Query",
      "dynamodb:UpdateItem",
    ]
    resources = [var.table_arn]
  }

  dynamic "statement" {
    for_each = length(local.source_buckets) > 0 ? [1] : []

    content {
      sid       = "SeeSources"
      actions   = ["s3:ListBucket"]
      resources = local.source_buckets
    }
  }

  dynamic "statement" {
    for_each = length(local.source_objects) > 0 ? [1] : []

    content {
      sid = "ReadSources"
      actions = [
        "s3:GetObject",
        "s3:GetObjectTagging",
        "s3:GetObjectVersion",
        "s3:GetObjectVersionTagging",
      ]
      resources = local.source_objects
    }
  }

  dynamic "statement" {
    for_each = length(local.destination_buckets) > 0 ? [1] : []

    content {
      sid       = "SeeDestinations"
      actions   = ["s3:ListBucket", "s3:ListBucketMultipartUploads"]
      resources = local.destination_buckets
    }
  }

  dynamic "statement" {
    for_each = length(local.destination_objects) > 0 ? [1] : []

    content {
      sid = "WriteDestinations"
      actions = [
        "s3:AbortMultipartUpload",
        "s3:GetObject",
        "s3:ListMultipartUploadParts",
        "s3:PutObject",
        "s3:PutObjectTagging",
      ]
      resources = local.destination_objects
    }
  }

  dynamic "statement" {
    for_each = length(local.deletable_objects) > 0 ? [1] : []

    content {
      sid       = "RemoveFromDestinations"
      actions   = ["s3:DeleteObject"]
      resources = local.deletable_objects
    }
  }

  dynamic "statement" {
    for_each = length(var.read_kms_key_arns) > 0 ? [1] : []

    content {
      sid       = "ReadEncrypted"
      actions   = ["kms:Decrypt"]
      resources = var.read_kms_key_arns

      condition {
        test     = "StringLike"
        variable = "kms:ViaService"
        values   = ["s3.*.amazonaws.com*"]
      }
    }
  }

  dynamic "statement" {
    for_each = length(var.write_kms_key_arns) > 0 ? [1] : []

    content {
      sid = "WriteEncrypted"
      # Decrypt: S3 opens the key of a multipart upload for each part.
      actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
      resources = var.write_kms_key_arns

      condition {
        test     = "StringLike"
        variable = "kms:ViaService"
        values   = ["s3.*.amazonaws.com*"]
      }
    }
  }

  source_policy_documents = [data.aws_iam_policy_document.fleet.json]

  statement {
    sid = "TellTheGroup"
    actions = [
      "autoscaling:CompleteLifecycleAction",
      "autoscaling:RecordLifecycleActionHeartbeat",
      "autoscaling:SetInstanceHealth",
    ]
    resources = [local.worker_group]
  }
}
