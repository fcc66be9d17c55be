# The bucket that machines install the program from. A binary lies under its checksum: a new one is a new key, and what a
# machine was told to install cannot be exchanged.

locals {
  sha256 = { for architecture, path in var.binaries : architecture => filesha256(path) }
}

resource "aws_s3_bucket" "artifacts" {
  #checkov:skip=CKV2_AWS_62:nobody waits for a new binary; Terraform puts it there and rolls it out
  #checkov:skip=CKV_AWS_18:the binary is no secret, and its checksum is compared
  #checkov:skip=CKV2_AWS_61:some tens of megabytes, and an old binary is what a rollback needs
  #checkov:skip=CKV_AWS_145:the same: nothing in it is secret
  #checkov:skip=CKV_AWS_144:machines are in this region; Terraform can make the bucket anew elsewhere
  bucket        = var.bucket
  force_destroy = true
}

resource "aws_s3_bucket_versioning" "artifacts" {
  bucket = aws_s3_bucket.artifacts.id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "artifacts" {
  bucket = aws_s3_bucket.artifacts.id

  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm = "AES256"
    }
  }
}

resource "aws_s3_bucket_public_access_block" "artifacts" {
  bucket                  = aws_s3_bucket.artifacts.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

data "aws_iam_policy_document" "artifacts" {
  statement {
    sid       = "OnlyTls"
    effect    = "Deny"
    actions   = ["s3:*"]
    resources = [aws_s3_bucket.artifacts.arn, "${aws_s3_bucket.artifacts.arn}/*"]

    principals {
      type        = "AWS"
      identifiers = ["*"]
    }

    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }
}

resource "aws_s3_bucket_policy" "artifacts" {
  bucket     = aws_s3_bucket.artifacts.id
  policy     = data.aws_iam_policy_document.artifacts.json
  depends_on = [aws_s3_bucket_public_access_block.artifacts]
}

resource "aws_s3_object" "binary" {
  for_each = var.binaries

  bucket      = aws_s3_bucket.artifacts.id
  key         = "longbow/${local.sha256[each.key]}/${each.key}/longbow"
  source      = each.value
  source_hash = local.sha256[each.key]
}
