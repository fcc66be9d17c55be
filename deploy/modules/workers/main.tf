# The machines that copy: Spot machines of many types on both architectures. How many there are is decided in scaling.

resource "aws_security_group" "machines" {
  name        = "${var.name}-machines"
  description = "Machines of the longbow fleet: nothing comes in, https goes out."
  vpc_id      = var.vpc_id

  tags = { Name = "${var.name}-machines" }
}

resource "aws_vpc_security_group_egress_rule" "machines" {
  for_each = toset([for port in var.egress_ports : tostring(port)])

  security_group_id = aws_security_group.machines.id
  description       = "to AWS and to the stores"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = tonumber(each.key)
  to_port           = tonumber(each.key)
}

resource "aws_launch_template" "worker" {
  for_each = var.instance_types

  name                   = "${var.group_name}-${replace(each.key, "_", "-")}"
  description            = "A worker of longbow on ${each.key}."
  image_id               = var.images[each.key]
  instance_type          = each.value[0]
  user_data              = var.user_data
  update_default_version = true
  # The newest image is looked up at each start; a machine that is shut down is gone.
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
    security_groups             = [aws_security_group.machines.id]
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

resource "aws_autoscaling_group" "workers" {
  name                      = var.group_name
  min_size                  = var.min_size
  max_size                  = var.max_size
  desired_capacity          = var.min_size
  vpc_zone_identifier       = var.subnet_ids
  health_check_type         = "EC2"
  health_check_grace_period = 120
  default_instance_warmup   = 120
  capacity_rebalance        = true
  max_instance_lifetime     = var.max_lifetime_days * 86400
  termination_policies      = ["OldestLaunchTemplate", "NewestInstance"]
  wait_for_capacity_timeout = "0"
  enabled_metrics = [
    "GroupDesiredCapacity",
    "GroupInServiceInstances",
    "GroupMaxSize",
    "GroupMinSize",
    "GroupPendingInstances",
    "GroupTerminatingInstances",
  ]

  mixed_instances_policy {
    instances_distribution {
      on_demand_base_capacity                  = var.on_demand_base
      on_demand_percentage_above_base_capacity = 0
      spot_allocation_strategy                 = "price-capacity-optimized"
      spot_max_price                           = var.spot_max_price
    }

    launch_template {
      launch_template_specification {
        launch_template_id = aws_launch_template.worker[keys(var.instance_types)[0]].id
        version            = aws_launch_template.worker[keys(var.instance_types)[0]].latest_version
      }

      dynamic "override" {
        for_each = merge([
          for architecture, types in var.instance_types : { for type in types : type => architecture }
        ]...)

        content {
          instance_type = override.key

          launch_template_specification {
            launch_template_id = aws_launch_template.worker[override.value].id
            version            = aws_launch_template.worker[override.value].latest_version
          }
        }
      }
    }
  }

  # The versions of the launch templates are named: a new binary or setting makes new ones, and they make a refresh.
  instance_refresh {
    strategy = "Rolling"

    preferences {
      min_healthy_percentage = 50
      skip_matching          = true
    }
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
    # Moved by the alarms.
    ignore_changes = [desired_capacity]
  }
}

# A machine that is to end gets the time to hand its jobs back; longbow says when it has. A machine that says nothing is not
# waited for much longer than it may take.
resource "aws_autoscaling_lifecycle_hook" "drain" {
  name                   = var.hook_name
  autoscaling_group_name = aws_autoscaling_group.workers.name
  lifecycle_transition   = "autoscaling:EC2_INSTANCE_TERMINATING"
  heartbeat_timeout      = max(60, var.drain_seconds + 60)
  default_result         = "CONTINUE"
}
