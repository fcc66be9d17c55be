# The same for what the modules take of each other: whoever uses one alone is told as well.

mock_provider "aws" {
  mock_data "aws_iam_policy_document" {
    defaults = { json = "{}" }
  }
  mock_data "aws_availability_zones" {
    defaults = { names = ["us-east-1a", "us-east-1b", "us-east-1c"] }
  }
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
}

run "artifacts" {
  command = plan

  module {
    source = "./modules/artifacts"
  }

  variables {
    bucket   = "B_"
    binaries = { sparc = "x" }
  }

  expect_failures = [
    var.bucket,
    var.binaries,
  ]
}

run "boot" {
  command = plan

  module {
    source = "./modules/boot"
  }

  variables {
    name           = "No Name!"
    kind           = "cook"
    region         = "mars"
    bucket         = "B_"
    binaries       = { x86_64 = { key = "k", sha256 = "none" } }
    settings       = ""
    log_group      = "x"
    boot_log_group = "x"
    log_filter     = "Info!"
  }

  expect_failures = [
    var.name,
    var.kind,
    var.region,
    var.bucket,
    var.binaries,
    var.settings,
    var.log_group,
    var.boot_log_group,
    var.log_filter,
  ]
}

run "events" {
  command = plan

  module {
    source = "./modules/events"
  }

  variables {
    name             = "No Name!"
    delivery         = "pigeon"
    buckets          = { B = { prefixes = [], removals = false } }
    queue_arn        = "queue"
    ready_queue_arn  = "queue"
    dead_letters_arn = "queue"
    partition        = "azure"
  }

  expect_failures = [
    var.name,
    var.delivery,
    var.buckets,
    var.queue_arn,
    var.ready_queue_arn,
    var.dead_letters_arn,
    var.partition,
  ]
}

run "iam" {
  command = plan

  module {
    source = "./modules/iam"
  }

  variables {
    name                       = "No Name!"
    partition                  = "azure"
    region                     = "mars"
    account_id                 = "me"
    permissions_boundary_arn   = "boundary"
    ec2_service                = "lambda.amazonaws.com"
    worker_group_name          = "a b"
    jobsender_group_name       = "a b"
    queue_arn                  = "queue"
    dead_letters_arn           = "queue"
    table_arn                  = "table"
    parameter_arns             = ["p"]
    credentials_parameter_arns = ["p"]
    credentials_kms_key_arns   = ["k"]
    sources                    = [{ bucket = "B", prefix = "", partition = "aws", versions = false }]
    destinations               = [{ bucket = "B", prefix = "", partition = "aws", deletes = false }]
    read_kms_key_arns          = ["k"]
    write_kms_key_arns         = ["k"]
    assume_role_arns           = ["r"]
    binary_arns                = ["b"]
    worker_log_group_arns      = ["l"]
    jobsender_log_group_arns   = ["l"]
    kms_key_arn                = "alias/mine"
  }

  expect_failures = [
    var.name,
    var.partition,
    var.region,
    var.account_id,
    var.permissions_boundary_arn,
    var.ec2_service,
    var.worker_group_name,
    var.jobsender_group_name,
    var.queue_arn,
    var.dead_letters_arn,
    var.table_arn,
    var.parameter_arns,
    var.credentials_parameter_arns,
    var.credentials_kms_key_arns,
    var.sources,
    var.destinations,
    var.read_kms_key_arns,
    var.write_kms_key_arns,
    var.assume_role_arns,
    var.binary_arns,
    var.worker_log_group_arns,
    var.jobsender_log_group_arns,
    var.kms_key_arn,
  ]
}

run "jobsender" {
  command = plan

  module {
    source = "./modules/jobsender"
  }

  variables {
    name                 = "No Name!"
    group_name           = "a b"
    schedule             = "hourly"
    timezone             = "my zone"
    scheduler_role_arn   = "x"
    subnet_ids           = []
    security_group_id    = "x"
    public_ip            = true
    instance_type        = "small"
    image                = "newest"
    instance_profile_arn = "x"
    user_data            = format("%21849s", "x")
    volume_gib           = 1
    partition            = "azure"
    kms_key_arn          = "alias/mine"
    tags                 = { for n in range(41) : "t${n}" => "x" }
  }

  expect_failures = [
    var.name,
    var.group_name,
    var.schedule,
    var.timezone,
    var.scheduler_role_arn,
    var.subnet_ids,
    var.security_group_id,
    var.instance_type,
    var.image,
    var.instance_profile_arn,
    var.user_data,
    var.volume_gib,
    var.partition,
    var.kms_key_arn,
    var.tags,
  ]
}

run "network" {
  command = plan

  module {
    source = "./modules/network"
  }

  variables {
    name                     = "No Name!"
    cidr                     = "10.0.0.0/28"
    zones                    = 1
    interface_endpoints      = ["s3"]
    flow_logs                = true
    log_retention_days       = 31
    bucket_arns              = []
    table_arn                = "table"
    kms_key_arn              = "alias/mine"
    permissions_boundary_arn = "boundary"
    account_id               = "me"
    partition                = "azure"
    region                   = "mars"
  }

  expect_failures = [
    var.name,
    var.cidr,
    var.zones,
    var.interface_endpoints,
    var.log_retention_days,
    var.bucket_arns,
    var.table_arn,
    var.kms_key_arn,
    var.permissions_boundary_arn,
    var.account_id,
    var.partition,
    var.region,
  ]
}

run "observability" {
  command = plan

  module {
    source = "./modules/observability"
  }

  variables {
    name                   = "No Name!"
    region                 = "mars"
    alarm_emails           = ["nobody"]
    queue_name             = ""
    dead_letters_name      = ""
    group_name             = "a b"
    jobsender_group_name   = "a b"
    log_retention_days     = 31
    oldest_job_minutes     = 1
    silence_minutes        = 1
    batch_finished_minutes = 0
    kms_key_arn            = "alias/mine"
    account_id             = "me"
    partition              = "azure"
  }

  expect_failures = [
    var.name,
    var.region,
    var.alarm_emails,
    var.queue_name,
    var.dead_letters_name,
    var.group_name,
    var.jobsender_group_name,
    var.log_retention_days,
    var.oldest_job_minutes,
    var.silence_minutes,
    var.batch_finished_minutes,
    var.kms_key_arn,
    var.account_id,
    var.partition,
  ]
}

run "other-account" {
  command = plan

  module {
    source = "./modules/other-account"
  }

  variables {
    name                     = "No Name!"
    side                     = "middle"
    bucket                   = "B_"
    prefix                   = "in"
    trusted_role_arns        = []
    external_id              = "x y"
    deletes                  = true
    versions                 = true
    kms_key_arn              = "alias/mine"
    permissions_boundary_arn = "boundary"
  }

  expect_failures = [
    var.name,
    var.side,
    var.bucket,
    var.prefix,
    var.trusted_role_arns,
    var.external_id,
    var.kms_key_arn,
    var.permissions_boundary_arn,
  ]
}

run "parameters" {
  command = plan

  module {
    source = "./modules/parameters"
  }

  variables {
    name     = "No Name!"
    routes   = "{"
    settings = "secret_access_key = 1"
  }

  expect_failures = [
    var.name,
    var.routes,
    var.settings,
  ]
}

run "queue" {
  command = plan

  module {
    source = "./modules/queue"
  }

  variables {
    name                         = "No Name!"
    dead_letters_name            = "dead.fifo"
    max_receive_count            = 5
    retention_seconds            = 60
    visibility_seconds           = 1
    kms_key_arn                  = "alias/mine"
    account_id                   = "me"
    sender_role_arns             = []
    dead_letter_sender_role_arns = ["role"]
    event_rule_arns              = ["rule"]
    event_bucket_arns            = ["bucket"]
  }

  expect_failures = [
    var.name,
    var.dead_letters_name,
    var.max_receive_count,
    var.retention_seconds,
    var.visibility_seconds,
    var.kms_key_arn,
    var.account_id,
    var.sender_role_arns,
    var.dead_letter_sender_role_arns,
    var.event_rule_arns,
    var.event_bucket_arns,
  ]
}

run "scaling" {
  command = plan

  module {
    source = "./modules/scaling"
  }

  variables {
    name            = "No Name!"
    group_name      = "a b"
    queue_name      = ""
    min_size        = -1
    mode            = "weather"
    jobs_per_worker = 0
    idle_minutes    = 1
    warmup_seconds  = 1
  }

  expect_failures = [
    var.name,
    var.group_name,
    var.queue_name,
    var.min_size,
    var.mode,
    var.jobs_per_worker,
    var.idle_minutes,
    var.warmup_seconds,
  ]
}

run "state" {
  command = plan

  module {
    source = "./modules/state"
  }

  variables {
    name                = "No Name!"
    deletion_protection = true
    kms_key_arn         = "alias/mine"
  }

  expect_failures = [
    var.name,
    var.kms_key_arn,
  ]
}

run "workers" {
  command = plan

  module {
    source = "./modules/workers"
  }

  variables {
    name                 = "No Name!"
    group_name           = "a b"
    hook_name            = "a b"
    subnet_ids           = []
    vpc_id               = "mine"
    public_ip            = true
    egress_ports         = [80]
    instance_types       = {}
    images               = { x86_64 = "newest" }
    min_size             = -1
    max_size             = 0
    on_demand_base       = -1
    spot_max_price       = "cheap"
    instance_profile_arn = "x"
    user_data            = format("%21849s", "x")
    volume_gib           = 1
    drain_seconds        = 0
    max_lifetime_days    = -1
    kms_key_arn          = "alias/mine"
    tags                 = { for n in range(41) : "t${n}" => "x" }
  }

  expect_failures = [
    var.name,
    var.group_name,
    var.hook_name,
    var.subnet_ids,
    var.vpc_id,
    var.egress_ports,
    var.instance_types,
    var.images,
    var.min_size,
    var.max_size,
    var.on_demand_base,
    var.spot_max_price,
    var.instance_profile_arn,
    var.user_data,
    var.volume_gib,
    var.drain_seconds,
    var.max_lifetime_days,
    var.kms_key_arn,
    var.tags,
  ]
}
