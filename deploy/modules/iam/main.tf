# One role a job, with exact actions on exact resources. docs/PERMISSIONS.md says for each action why it is here; a test
# compares the two. What each job may do stands in a file of its own name.

locals {
  group_arn_prefix = "arn:${var.partition}:autoscaling:${var.region}:${var.account_id}:autoScalingGroup:*:autoScalingGroupName"
  worker_group     = "${local.group_arn_prefix}/${var.worker_group_name}"
  jobsender_group  = "${local.group_arn_prefix}/${var.jobsender_group_name}"

  source_buckets      = distinct([for side in var.sources : "arn:${side.partition}:s3:::${side.bucket}"])
  source_objects      = distinct([for side in var.sources : "arn:${side.partition}:s3:::${side.bucket}/${side.prefix}*"])
  destination_buckets = distinct([for side in var.destinations : "arn:${side.partition}:s3:::${side.bucket}"])
  destination_objects = distinct([for side in var.destinations : "arn:${side.partition}:s3:::${side.bucket}/${side.prefix}*"])
  deletable_objects   = distinct([for side in var.destinations : "arn:${side.partition}:s3:::${side.bucket}/${side.prefix}*" if side.deletes])
  versioned_buckets   = distinct([for side in var.sources : "arn:${side.partition}:s3:::${side.bucket}" if side.versions])
}

data "aws_iam_policy_document" "machine_trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = [var.ec2_service]
    }
  }
}

resource "aws_iam_role" "worker" {
  name                 = "${var.name}-worker"
  description          = "Workers of the longbow fleet ${var.name}."
  assume_role_policy   = data.aws_iam_policy_document.machine_trust.json
  permissions_boundary = var.permissions_boundary_arn
}

resource "aws_iam_role" "jobsender" {
  name                 = "${var.name}-jobsender"
  description          = "The jobsender of the longbow fleet ${var.name}."
  assume_role_policy   = data.aws_iam_policy_document.machine_trust.json
  permissions_boundary = var.permissions_boundary_arn
}

resource "aws_iam_instance_profile" "worker" {
  name = "${var.name}-worker"
  role = aws_iam_role.worker.name
}

resource "aws_iam_instance_profile" "jobsender" {
  name = "${var.name}-jobsender"
  role = aws_iam_role.jobsender.name
}

resource "aws_iam_role_policy" "worker" {
  name   = "worker"
  role   = aws_iam_role.worker.id
  policy = data.aws_iam_policy_document.worker.json
}

resource "aws_iam_role_policy" "jobsender" {
  name   = "jobsender"
  role   = aws_iam_role.jobsender.id
  policy = data.aws_iam_policy_document.jobsender.json
}

resource "aws_iam_role_policy" "worker_machine" {
  name   = "machine"
  role   = aws_iam_role.worker.id
  policy = data.aws_iam_policy_document.machine["worker"].json
}

resource "aws_iam_role_policy" "jobsender_machine" {
  name   = "machine"
  role   = aws_iam_role.jobsender.id
  policy = data.aws_iam_policy_document.machine["jobsender"].json
}
