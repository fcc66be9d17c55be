# What the jobsender may do: compare, send jobs, remember where it was. And the scheduler, which wakes its machine.

data "aws_iam_policy_document" "jobsender" {
  statement {
    sid       = "SendJobs"
    actions   = ["sqs:SendMessage"]
    resources = [var.queue_arn]
  }

  # How much is left of the last batch, dead letters among it: both are asked in one go.
  statement {
    sid       = "SeeWhatIsLeft"
    actions   = ["sqs:GetQueueAttributes"]
    resources = [var.queue_arn, var.dead_letters_arn]
  }

  # Where few messages wait and none is taken, they are looked at: S3's trial messages are acknowledged, a job goes back.
  statement {
    sid       = "LookAtTheQueue"
    actions   = ["sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:ReceiveMessage"]
    resources = [var.queue_arn]
  }

  statement {
    sid = "Remember"
    actions = [
      "dynamodb:BatchGetItem",
      "dynamodb:BatchWriteItem",
      "dynamodb:DeleteItem",
      "dynamodb:DescribeTable",
      "dynamodb:GetItem",
      "dynamodb:PutItem",
      "dynamodb:Query",
      "dynamodb:UpdateItem",
    ]
    resources = [var.table_arn]
  }

  dynamic "statement" {
    for_each = length(local.source_buckets) + length(local.destination_buckets) > 0 ? [1] : []

    content {
      sid       = "ListBothSides"
      actions   = ["s3:ListBucket"]
      resources = distinct(concat(local.source_buckets, local.destination_buckets))
    }
  }

  dynamic "statement" {
    for_each = length(local.source_objects) + length(local.destination_objects) > 0 ? [1] : []

    content {
      sid       = "LookCloser"
      actions   = ["s3:GetObject"]
      resources = distinct(concat(local.source_objects, local.destination_objects))
    }
  }

  dynamic "statement" {
    for_each = length(local.versioned_buckets) > 0 ? [1] : []

    content {
      sid       = "ListVersions"
      actions   = ["s3:ListBucketVersions"]
      resources = local.versioned_buckets
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

  source_policy_documents = [data.aws_iam_policy_document.fleet.json]

  statement {
    sid       = "EndTheMachine"
    actions   = ["autoscaling:TerminateInstanceInAutoScalingGroup"]
    resources = [local.jobsender_group]
  }
}

data "aws_iam_policy_document" "scheduler_trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["scheduler.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [var.account_id]
    }
  }
}

data "aws_iam_policy_document" "scheduler" {
  statement {
    sid       = "WakeTheJobsender"
    actions   = ["autoscaling:SetDesiredCapacity"]
    resources = [local.jobsender_group]
  }
}

resource "aws_iam_role" "scheduler" {
  name                 = "${var.name}-scheduler"
  description          = "Wakes the jobsender of the longbow fleet ${var.name}."
  assume_role_policy   = data.aws_iam_policy_document.scheduler_trust.json
  permissions_boundary = var.permissions_boundary_arn
}

resource "aws_iam_role_policy" "scheduler" {
  name   = "scheduler"
  role   = aws_iam_role.scheduler.id
  policy = data.aws_iam_policy_document.scheduler.json
}
