# One machine for one comparison: the schedule sets the capacity to one, the machine compares, sends, and takes itself away. While
# one runs, the next call of the schedule changes nothing. Why a machine and no container: docs/decisions/0019-the-deployment.md.

resource "aws_launch_template" "jobsender" {
  name                                 = var.group_name
  description                          = "The jobsender of longbow."
  image_id                             = var.image
  instance_type                        = var.instance_type
  user_data                            = var.user_data
  update_default_version               = true
  instance_initiated_shutdown_behavior = "terminate"

  iam_instance_profile {
    arn = var.instance_profile_arn
  }

  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "required"
    http_put_response_hop_limit = 1
  }

  monitoring {
    enabled = true
  }

  network_interfaces {
    associate_public_ip_address = var.public_ip
    delete_on_termination       = true
    security_groups             = [var.security_group_id]
  }

  block_device_mappings {
    device_name = "/dev/xvda"

    ebs {
      volume_type           = "gp3"
      volume_size           = var.volume_gib
      encrypted             = true
      kms_key_id            = var.kms_key_arn
      delete_on_termination = true
    }
  }

  dynamic "tag_specifications" {
    for_each = toset(["instance", "volume"])

    content {
      resource_type = tag_specifications.value
      tags          = merge(var.tags, { Name = var.group_name })
    }
  }
}

resource "aws_autoscaling_group" "jobsender" {
  name                      = var.group_name
  min_size                  = 0
  max_size                  = 1
  desired_capacity          = 0
  vpc_zone_identifier       = var.subnet_ids
  health_check_type         = "EC2"
  health_check_grace_period = 120
  wait_for_capacity_timeout = "0"
  enabled_metrics           = ["GroupDesiredCapacity", "GroupInServiceInstances"]

  launch_template {
    id      = aws_launch_template.jobsender.id
    version = aws_launch_template.jobsender.latest_version
  }

  dynamic "tag" {
    for_each = merge(var.tags, { Name = var.group_name })

    content {
      key                 = tag.key
      value               = tag.value
      propagate_at_launch = true
    }
  }

  lifecycle {
    # Moved by the schedule and by the machine itself.
    ignore_changes = [desired_capacity]
  }
}
