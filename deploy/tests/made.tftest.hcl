# What the modules make of their inputs, with a provider that makes nothing.

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

run "queue" {
  module {
    source = "./modules/queue"
  }

  variables {
    name                         = "longbow-jobs"
    dead_letters_name            = "longbow-dead"
    max_receive_count            = 1000
    visibility_seconds           = 180
    sender_role_arns             = ["arn:aws:iam::123456789012:role/jobsender"]
    dead_letter_sender_role_arns = ["arn:aws:iam::123456789012:role/worker"]
  }

  assert {
    condition     = !coalesce(aws_sqs_queue.jobs.fifo_queue, false)
    error_message = "longbow refuses FIFO queues"
  }
  assert {
    condition     = aws_sqs_queue.jobs.message_retention_seconds == 14 * 86400 && aws_sqs_queue.dead_letters.message_retention_seconds == 14 * 86400
    error_message = "messages are kept for 14 days"
  }
  assert {
    condition     = aws_sqs_queue.jobs.visibility_timeout_seconds == 180
    error_message = "the queue hides messages for as long as workers do"
  }
  assert {
    condition     = jsondecode(aws_sqs_queue.jobs.redrive_policy).maxReceiveCount == 1000
    error_message = "workers decide what is given up, not the queue"
  }
  assert {
    condition     = jsondecode(aws_sqs_queue.jobs.redrive_policy).deadLetterTargetArn == aws_sqs_queue.dead_letters.arn
    error_message = "what is given up goes to the dead letters"
  }
  assert {
    condition     = jsondecode(aws_sqs_queue_redrive_allow_policy.dead_letters.redrive_allow_policy).redrivePermission == "byQueue"
    error_message = "no other queue may use the dead letters"
  }
  assert {
    condition     = aws_sqs_queue.jobs.sqs_managed_sse_enabled && aws_sqs_queue.dead_letters.sqs_managed_sse_enabled
    error_message = "messages are encrypted"
  }
  assert {
    condition     = length([for s in data.aws_iam_policy_document.jobs.statement : s if s.sid == "OnlyTls" && s.effect == "Deny"]) == 1
    error_message = "TLS only"
  }
  assert {
    condition     = length([for s in data.aws_iam_policy_document.jobs.statement : s if startswith(s.sid, "Events")]) == 0
    error_message = "without events no service may send"
  }
}

run "queue_with_a_key" {
  command = plan

  module {
    source = "./modules/queue"
  }

  variables {
    name                         = "longbow-jobs"
    dead_letters_name            = "longbow-dead"
    max_receive_count            = 24
    visibility_seconds           = 180
    kms_key_arn                  = "arn:aws:kms:us-east-1:123456789012:key/1"
    sender_role_arns             = ["arn:aws:iam::123456789012:role/jobsender"]
    dead_letter_sender_role_arns = ["arn:aws:iam::123456789012:role/worker"]
    event_rule_arns              = ["arn:aws:events:us-east-1:123456789012:rule/x"]
    event_bucket_arns            = ["arn:aws:s3:::photos"]
  }

  assert {
    condition     = aws_sqs_queue.jobs.kms_master_key_id == var.kms_key_arn && aws_sqs_queue.dead_letters.kms_master_key_id == var.kms_key_arn
    error_message = "a key of one's own takes the place of SQS's"
  }
  assert {
    condition = alltrue([for s in data.aws_iam_policy_document.jobs.statement :
      anytrue([for c in s.condition : c.variable == "aws:SourceAccount" && contains(c.values, "123456789012")])
    if startswith(s.sid, "Events")])
    error_message = "services may send for this account only"
  }
  assert {
    condition     = length([for s in data.aws_iam_policy_document.jobs.statement : s if startswith(s.sid, "Events")]) == 2
    error_message = "rule and bucket may send"
  }
}

run "state" {
  module {
    source = "./modules/state"
  }

  assert {
    condition     = aws_dynamodb_table.state.billing_mode == "PAY_PER_REQUEST"
    error_message = "on demand"
  }
  assert {
    condition     = aws_dynamodb_table.state.deletion_protection_enabled && aws_dynamodb_table.state.point_in_time_recovery[0].enabled
    error_message = "the state is not lost by mistake"
  }
  assert {
    condition     = one(aws_dynamodb_table.state.ttl).attribute_name == "expires" && one(aws_dynamodb_table.state.ttl).enabled
    error_message = "proofs of parts expire"
  }
  assert {
    condition     = one(aws_dynamodb_table.state.global_secondary_index).name == "failed"
    error_message = "the index of what failed"
  }
  assert {
    condition     = one(aws_dynamodb_table.state.server_side_encryption).enabled
    error_message = "the state is encrypted"
  }
}

run "network" {
  module {
    source = "./modules/network"
  }

  variables {
    cidr                = "10.10.0.0/16"
    zones               = 3
    interface_endpoints = ["sqs", "kms"]
    flow_logs           = true
    log_retention_days  = 30
    bucket_arns         = ["arn:aws:s3:::photos"]
    table_arn           = "arn:aws:dynamodb:us-east-1:123456789012:table/longbow"
  }

  assert {
    condition     = length(aws_subnet.public) == 3 && length(distinct([for s in aws_subnet.public : s.cidr_block])) == 3
    error_message = "a subnet a zone"
  }
  assert {
    condition     = alltrue([for s in aws_subnet.public : !s.map_public_ip_on_launch])
    error_message = "only longbow's own machines get addresses"
  }
  assert {
    condition     = aws_vpc_endpoint.s3.vpc_endpoint_type == "Gateway" && aws_vpc_endpoint.dynamodb.vpc_endpoint_type == "Gateway"
    error_message = "bytes of this region do not leave the network"
  }
  assert {
    condition     = contains(flatten([for s in data.aws_iam_policy_document.s3.statement : s.resources]), "arn:aws:s3:::photos/*")
    error_message = "the endpoint lets the buckets of the routes through"
  }
  assert {
    condition     = !contains(flatten([for s in data.aws_iam_policy_document.s3.statement : s.resources]), "*")
    error_message = "and no others"
  }
  assert {
    condition     = toset(keys(aws_vpc_endpoint.interface)) == toset(["sqs", "kms"])
    error_message = "interface endpoints as asked"
  }
  assert {
    condition     = length(aws_flow_log.this) == 1
    error_message = "connections are logged"
  }
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

run "events_by_rule" {
  command = plan

  module {
    source = "./modules/events"
  }

  variables {
    delivery = "eventbridge"
    buckets  = { photos = { prefixes = ["originals/"], removals = true }, papers = { prefixes = [""], removals = false } }
  }

  assert {
    condition     = length(aws_s3_bucket_notification.jobs) == 0
    error_message = "notifications that are there are left alone"
  }
  assert {
    condition     = jsondecode(aws_cloudwatch_event_rule.objects["photos"].event_pattern).detail-type == ["Object Created", "Object Deleted"]
    error_message = "removals as asked"
  }
  assert {
    condition     = jsondecode(aws_cloudwatch_event_rule.objects["papers"].event_pattern).detail-type == ["Object Created"]
    error_message = "no removals as not asked"
  }
  assert {
    condition     = jsondecode(aws_cloudwatch_event_rule.objects["photos"].event_pattern).detail.object.key == [{ prefix = "originals/" }]
    error_message = "only what a route takes"
  }
  assert {
    condition     = aws_cloudwatch_event_target.jobs["photos"].dead_letter_config[0].arn == var.dead_letters_arn
    error_message = "an event that cannot be delivered is not lost"
  }
}

run "events_by_notification" {
  command = plan

  module {
    source = "./modules/events"
  }

  variables {
    delivery = "notification"
    buckets  = { photos = { prefixes = ["originals/"], removals = true } }
  }

  assert {
    condition     = length(aws_cloudwatch_event_rule.objects) == 0 && one(output.bucket_arns) == "arn:aws:s3:::photos"
    error_message = "one way, not two"
  }
  assert {
    condition     = one(aws_s3_bucket_notification.jobs["photos"].queue).filter_prefix == "originals/"
    error_message = "only what a route takes"
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

run "other_account" {
  module {
    source = "./modules/other-account"
  }

  variables {
    side              = "destination"
    bucket            = "papers-elsewhere"
    prefix            = "in/"
    external_id       = "papers"
    trusted_role_arns = ["arn:aws:iam::123456789012:role/longbow-worker"]
  }

  assert {
    condition     = one(one(data.aws_iam_policy_document.trust.statement).condition).variable == "sts:ExternalId"
    error_message = "nobody comes in without the external id"
  }
  assert {
    condition     = !contains(flatten([for s in data.aws_iam_policy_document.destination.statement : s.actions]), "s3:DeleteObject")
    error_message = "nothing is removed that was not asked for"
  }
  assert {
    condition     = contains(flatten([for s in data.aws_iam_policy_document.destination.statement : s.resources]), "arn:aws:s3:::papers-elsewhere/in/*")
    error_message = "only below the prefix"
  }
}
