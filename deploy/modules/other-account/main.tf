# The other side of a route by role: applied with the provider of the other account. It trusts the fleet's two roles, on condition of
# the external id, and gives what their side of the route needs and no more.

data "aws_partition" "current" {}

locals {
  bucket  = "arn:${data.aws_partition.current.partition}:s3:::${var.bucket}"
  objects = "${local.bucket}/${var.prefix}*"
}

data "aws_iam_policy_document" "trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "AWS"
      identifiers = var.trusted_role_arns
    }

    condition {
      test     = "StringEquals"
      variable = "sts:ExternalId"
      values   = [var.external_id]
    }
  }
}

data "aws_iam_policy_document" "source" {
  statement {
    sid       = "See"
    actions   = concat(["s3:ListBucket"], var.versions ? ["s3:ListBucketVersions"] : [])
    resources = [local.bucket]
  }

  statement {
    sid = "Read"
    actions = [
      "s3:GetObject",
      "s3:GetObjectTagging",
      "s3:GetObjectVersion",
      "s3:GetObjectVersionTagging",
    ]
    resources = [local.objects]
  }

  dynamic "statement" {
    for_each = var.kms_key_arn == null ? [] : [1]

    content {
      sid       = "ReadEncrypted"
      actions   = ["kms:Decrypt"]
      resources = [var.kms_key_arn]

      condition {
        test     = "StringLike"
        variable = "kms:ViaService"
        values   = ["s3.*.amazonaws.com*"]
      }
    }
  }
}

data "aws_iam_policy_document" "destination" {
  statement {
    sid       = "See"
    actions   = ["s3:ListBucket", "s3:ListBucketMultipartUploads"]
    resources = [local.bucket]
  }

  statement {
    sid = "Write"
    actions = concat([
      "s3:AbortMultipartUpload",
      "s3:GetObject",
      "s3:ListMultipartUploadParts",
      "s3:PutObject",
      "s3:PutObjectTagging",
    ], var.deletes ? ["s3:DeleteObject"] : [])
    resources = [local.objects]
  }

  dynamic "statement" {
    for_each = var.kms_key_arn == null ? [] : [1]

    content {
      sid       = "WriteEncrypted"
      actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
      resources = [var.kms_key_arn]

      condition {
        test     = "StringLike"
        variable = "kms:ViaService"
        values   = ["s3.*.amazonaws.com*"]
      }
    }
  }
}

resource "aws_iam_role" "side" {
  name                 = var.name
  description          = "The ${var.side} of a longbow fleet of another account."
  assume_role_policy   = data.aws_iam_policy_document.trust.json
  permissions_boundary = var.permissions_boundary_arn
}

resource "aws_iam_role_policy" "side" {
  name   = var.side
  role   = aws_iam_role.side.id
  policy = var.side == "source" ? data.aws_iam_policy_document.source.json : data.aws_iam_policy_document.destination.json
}
