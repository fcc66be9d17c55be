# The same for machines, and for what moves and watches them.

mock_provider "aws" {
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
  mock_data "aws_iam_policy_document" {
    defaults = { json = "{}" }
  }
  mock_data "aws_availability_zones" {
    defaults = { names = ["us-east-1a", "us-east-1b", "us-east-1c"] }
  }
  mock_resource "aws_sqs_queue" {
    defaults = {
      arn = "arn:aws:sqs:us-east-1:123456789012:mocked"
      url = "https://sqs.us-east-1.amazonaws.com/123456789012/mocked"
    }
  }
  mock_resource "aws_launch_template" {
    defaults = { id = "lt-0123456789abcdef0", latest_version = 7 }
  }
  mock_resource "aws_autoscaling_policy" {
    defaults = { arn = "arn:aws:autoscaling:us-east-1:123456789012:scalingPolicy:x:policy" }
  }
  mock_resource "aws_sns_topic" {
    defaults = { arn = "arn:aws:sns:us-east-1:123456789012:mocked" }
  }
  mock_resource "aws_cloudwatch_log_group" {
    defaults = { arn = "arn:aws:logs:us-east-1:123456789012:log-group:mocked" }
  }
  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::123456789012:role/mocked" }
  }
}

variables {
  name             = "longbow"
  account_id       = "123456789012"
  partition        = "aws"
  region           = "us-east-1"
  queue_name       = "longbow-jobs"
  queue_arn        = "arn:aws:sqs:us-east-1:123456789012:longbow-jobs"
  ready_queue_arn  = "arn:aws:sqs:us-east-1:123456789012:longbow-jobs"
  dead_letters_arn = "arn:aws:sqs:us-east-1:123456789012:longbow-dead"
}

run "workers" {
  module {
    source = "./modules/workers"
  }

  variables {
    group_name           = "longbow-workers"
    hook_name            = "longbow-drain"
    subnet_ids           = ["subnet-1", "subnet-2"]
    vpc_id               = "vpc-1"
    public_ip            = true
    instance_types       = { x86_64 = ["c7i.large", "c6i.large"], aarch64 = ["c7g.large"] }
    images               = { x86_64 = "ami-1", aarch64 = "ami-2" }
    min_size             = 0
    max_size             = 10
    instance_profile_arn = "arn:aws:iam::123456789012:instance-profile/longbow-worker"
    user_data            = "IyEvYmluL3No"
    drain_seconds        = 90
  }

  assert {
    condition     = alltrue([for t in aws_launch_template.worker : t.metadata_options[0].http_tokens == "required" && t.metadata_options[0].http_put_response_hop_limit == 1])
    error_message = "IMDSv2 only"
  }
  assert {
    condition     = alltrue([for t in aws_launch_template.worker : tobool(t.block_device_mappings[0].ebs[0].encrypted) && t.block_device_mappings[0].ebs[0].volume_type == "gp3"])
    error_message = "volumes are encrypted gp3"
  }
  assert {
    condition     = alltrue([for t in aws_launch_template.worker : t.key_name == null])
    error_message = "no SSH key"
  }
  assert {
    condition     = aws_launch_template.worker["aarch64"].image_id == "ami-2" && aws_launch_template.worker["x86_64"].image_id == "ami-1"
    error_message = "each architecture has its image"
  }
  assert {
    condition     = aws_autoscaling_group.workers.capacity_rebalance && aws_autoscaling_group.workers.min_size == 0 && aws_autoscaling_group.workers.max_size == 10
    error_message = "the group is bounded and moves from Spot machines in danger"
  }
  assert {
    condition     = aws_autoscaling_group.workers.mixed_instances_policy[0].instances_distribution[0].on_demand_percentage_above_base_capacity == 0
    error_message = "Spot"
  }
  assert {
    condition     = length(aws_autoscaling_group.workers.mixed_instances_policy[0].launch_template[0].override) == 3
    error_message = "all types are offered"
  }
  assert {
    condition     = alltrue([for o in aws_autoscaling_group.workers.mixed_instances_policy[0].launch_template[0].override : o.launch_template_specification[0].version == "7"])
    error_message = "versions are named, so that a new one makes a refresh"
  }
  assert {
    condition     = aws_autoscaling_group.workers.instance_refresh[0].strategy == "Rolling"
    error_message = "a new binary rolls through the fleet"
  }
  assert {
    condition     = aws_autoscaling_lifecycle_hook.drain.lifecycle_transition == "autoscaling:EC2_INSTANCE_TERMINATING" && aws_autoscaling_lifecycle_hook.drain.heartbeat_timeout > 90
    error_message = "the end of a machine waits for its drain"
  }
  assert {
    condition     = toset([for r in aws_vpc_security_group_egress_rule.machines : r.from_port]) == toset([443])
    error_message = "https goes out, nothing else"
  }
  assert {
    condition     = contains(aws_autoscaling_group.workers.enabled_metrics, "GroupDesiredCapacity")
    error_message = "the alarms need the group's figures"
  }
}

run "jobsender" {
  module {
    source = "./modules/jobsender"
  }

  variables {
    group_name           = "longbow-jobsender"
    schedule             = "cron(0 * * * ? *)"
    scheduler_role_arn   = "arn:aws:iam::123456789012:role/longbow-scheduler"
    subnet_ids           = ["subnet-1"]
    security_group_id    = "sg-1"
    public_ip            = true
    instance_type        = "t4g.small"
    image                = "ami-2"
    instance_profile_arn = "arn:aws:iam::123456789012:instance-profile/longbow-jobsender"
    user_data            = "IyEvYmluL3No"
  }

  assert {
    condition     = aws_autoscaling_group.jobsender.max_size == 1 && aws_autoscaling_group.jobsender.min_size == 0
    error_message = "one machine at most, none at rest"
  }
  assert {
    condition     = aws_scheduler_schedule.compare[0].target[0].arn == "arn:aws:scheduler:::aws-sdk:autoscaling:setDesiredCapacity"
    error_message = "the schedule wakes the machine"
  }
  assert {
    condition     = jsondecode(aws_scheduler_schedule.compare[0].target[0].input) == { AutoScalingGroupName = "longbow-jobsender", DesiredCapacity = 1, HonorCooldown = false }
    error_message = "and that machine only"
  }
  assert {
    condition     = aws_launch_template.jobsender.metadata_options[0].http_tokens == "required"
    error_message = "IMDSv2 only"
  }
}

run "jobsender_without_a_schedule" {
  command = plan

  module {
    source = "./modules/jobsender"
  }

  variables {
    group_name           = "longbow-jobsender"
    schedule             = null
    scheduler_role_arn   = "arn:aws:iam::123456789012:role/longbow-scheduler"
    subnet_ids           = ["subnet-1"]
    security_group_id    = "sg-1"
    public_ip            = false
    instance_type        = "t4g.small"
    image                = "ami-2"
    instance_profile_arn = "arn:aws:iam::123456789012:instance-profile/longbow-jobsender"
    user_data            = "IyEvYmluL3No"
  }

  assert {
    condition     = length(aws_scheduler_schedule.compare) == 0
    error_message = "nothing runs by itself"
  }
}

run "scaling" {
  module {
    source = "./modules/scaling"
  }

  variables {
    group_name      = "longbow-workers"
    min_size        = 0
    mode            = "backlog"
    jobs_per_worker = 100
    idle_minutes    = 15
    warmup_seconds  = 180
  }

  assert {
    condition     = aws_autoscaling_policy.rest.adjustment_type == "ExactCapacity" && one(aws_autoscaling_policy.rest.step_adjustment).scaling_adjustment == 0
    error_message = "at rest there are as few as may be"
  }
  assert {
    condition     = strcontains(one([for q in aws_cloudwatch_metric_alarm.rest.metric_query : q.expression if q.return_data == true]), "delayed")
    error_message = "a delayed job is a job"
  }
  assert {
    condition     = alltrue([for q in aws_cloudwatch_metric_alarm.rest.metric_query : q.metric[0].period == 60 if length(q.metric) > 0])
    error_message = "figures of one minute"
  }
  assert {
    condition     = aws_cloudwatch_metric_alarm.rest.treat_missing_data == "notBreaching"
    error_message = "what is not known is no rest"
  }
}

run "scaling_as_longbow" {
  module {
    source = "./modules/scaling"
  }

  variables {
    group_name      = "longbow-workers"
    min_size        = 1
    mode            = "thresholds"
    jobs_per_worker = 100
    idle_minutes    = 15
    warmup_seconds  = 180
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.grow["more"].threshold == 100
    error_message = "from 100 jobs"
  }
  assert {
    condition     = toset([for s in aws_autoscaling_policy.grow["more"].step_adjustment : s.scaling_adjustment]) == toset([1, 2])
    error_message = "one more, then two"
  }
}

run "observability" {
  module {
    source = "./modules/observability"
  }

  variables {
    alarm_emails           = ["somebody@example.org"]
    dead_letters_name      = "longbow-dead"
    group_name             = "longbow-workers"
    jobsender_group_name   = "longbow-jobsender"
    log_retention_days     = 30
    oldest_job_minutes     = 360
    silence_minutes        = 15
    batch_finished_minutes = 5
  }

  assert {
    condition     = alltrue([for g in aws_cloudwatch_log_group.this : g.retention_in_days == 30])
    error_message = "logs end"
  }
  assert {
    condition     = one([for s in aws_sns_topic_subscription.email : s.endpoint]) == "somebody@example.org"
    error_message = "somebody is told"
  }
  assert {
    condition     = aws_cloudwatch_metric_alarm.dead_letters.threshold == 0 && aws_cloudwatch_metric_alarm.dead_letters.comparison_operator == "GreaterThanThreshold"
    error_message = "one dead letter is enough"
  }
  assert {
    condition     = length(aws_cloudwatch_metric_alarm.batch_finished.ok_actions == null ? [] : aws_cloudwatch_metric_alarm.batch_finished.ok_actions) == 0
    error_message = "the end of a batch is told once, its beginning never"
  }
  assert {
    condition     = length(jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets) >= 12
    error_message = "the dashboard has Longbow's widgets and the user's"
  }
}
