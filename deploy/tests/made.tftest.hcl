# What the modules make of their inputs, with a provider that makes nothing: queue, state, network, events, the other account.

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
    max_receive_count            = 24
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
    condition     = jsondecode(aws_sqs_queue.jobs.redrive_policy).maxReceiveCount == 24
    error_message = "the queue gives up what kills its worker again and again"
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
    max_receive_count            = 1000
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
