# What jobsender and workers both need: the parameters, the roles and keys of other accounts, the fleet's own KMS key.

data "aws_iam_policy_document" "fleet" {
  statement {
    sid       = "ReadParameters"
    actions   = ["ssm:GetParameters"]
    resources = concat(var.parameter_arns, var.credentials_parameter_arns)
  }

  dynamic "statement" {
    for_each = length(var.credentials_kms_key_arns) > 0 ? [1] : []

    content {
      sid       = "OpenStoredKeys"
      actions   = ["kms:Decrypt"]
      resources = var.credentials_kms_key_arns

      condition {
        test     = "StringEquals"
        variable = "kms:EncryptionContext:PARAMETER_ARN"
        values   = var.credentials_parameter_arns
      }

      condition {
        test     = "StringLike"
        variable = "kms:ViaService"
        values   = ["ssm.*.amazonaws.com*"]
      }
    }
  }

  dynamic "statement" {
    for_each = length(var.assume_role_arns) > 0 ? [1] : []

    content {
      sid       = "TakeOnRolesOfOtherAccounts"
      actions   = ["sts:AssumeRole"]
      resources = var.assume_role_arns
    }
  }

  dynamic "statement" {
    for_each = var.kms_key_arn != null ? [1] : []

    content {
      sid       = "UseTheKeyOfTheFleet"
      actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
      resources = [var.kms_key_arn]

      # What the key is for: queues, table, parameters, the bucket of the binary. Never by the program itself.
      condition {
        test     = "StringLike"
        variable = "kms:ViaService"
        values   = [for service in ["sqs", "dynamodb", "ssm", "s3"] : "${service}.*.amazonaws.com*"]
      }
    }
  }
}
