# What a person needs who looks after the fleet with `longbow status`, `jobs`, `report`, `dlq` and `doctor`: attach it to whoever that
# is. The rights on buckets are the jobsender's; take on its role's policy for `doctor` of the routes.

data "aws_iam_policy_document" "operator" {
  statement {
    sid = "LookAfterQueues"
    actions = [
      "sqs:ChangeMessageVisibility",
      "sqs:DeleteMessage",
      "sqs:GetQueueAttributes",
      "sqs:GetQueueUrl",
      "sqs:PurgeQueue",
      "sqs:ReceiveMessage",
      "sqs:SendMessage",
    ]
    resources = [var.queue_arn, var.dead_letters_arn]
  }

  statement {
    sid = "ReadTheState"
    actions = [
      "dynamodb:BatchGetItem",
      "dynamodb:DescribeTable",
      "dynamodb:GetItem",
      "dynamodb:Query",
    ]
    resources = [var.table_arn, "${var.table_arn}/index/failed"]
  }

  statement {
    sid       = "ReadParameters"
    actions   = ["ssm:GetParameter", "ssm:GetParameters"]
    resources = var.parameter_arns
  }

  statement {
    sid       = "RunNow"
    actions   = ["autoscaling:SetDesiredCapacity"]
    resources = [local.worker_group, local.jobsender_group]
  }
}

resource "aws_iam_policy" "operator" {
  name        = "${var.name}-operator"
  description = "Looks after the longbow fleet ${var.name}."
  policy      = data.aws_iam_policy_document.operator.json
}
