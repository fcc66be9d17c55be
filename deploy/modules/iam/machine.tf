# What the machine itself needs beside longbow: its binary, its logs, its figures, and a door for Session Manager (no SSH).

data "aws_iam_policy_document" "machine" {
  #checkov:skip=CKV_AWS_111:PutMetricData is bound to a namespace, the actions of Session Manager know no resources
  #checkov:skip=CKV_AWS_356:the same
  for_each = { worker = var.worker_log_group_arns, jobsender = var.jobsender_log_group_arns }

  statement {
    sid       = "FetchTheBinary"
    actions   = ["s3:GetObject"]
    resources = var.binary_arns
  }

  statement {
    sid = "ShipLogs"
    actions = [
      "logs:CreateLogStream",
      "logs:DescribeLogStreams",
      "logs:PutLogEvents",
    ]
    resources = [for arn in each.value : "${arn}:*"]
  }

  statement {
    sid     = "TellFiguresOfTheMachine"
    actions = ["cloudwatch:PutMetricData"]
    # The action knows no resources, only a namespace.
    resources = ["*"]

    condition {
      test     = "StringEquals"
      variable = "cloudwatch:namespace"
      values   = ["longbow/machine"]
    }
  }

  statement {
    sid = "SessionManager"
    # Of these none knows resources that could be named beforehand.
    actions = [
      "ssm:UpdateInstanceInformation",
      "ssmmessages:CreateControlChannel",
      "ssmmessages:CreateDataChannel",
      "ssmmessages:OpenControlChannel",
      "ssmmessages:OpenDataChannel",
    ]
    resources = ["*"]
  }
}
