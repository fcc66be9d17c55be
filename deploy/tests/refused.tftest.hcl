# Every input that cannot work is refused before anything is planned. Each run gives wrong values and names the inputs that must
# complain; one that does not is a failed test.

mock_provider "aws" {
  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
  mock_data "aws_region" {
    defaults = { name = "us-east-1" }
  }
  mock_data "aws_iam_policy_document" {
    defaults = { json = "{}" }
  }
  mock_data "aws_availability_zones" {
    defaults = { names = ["us-east-1a", "us-east-1b", "us-east-1c"] }
  }
}

run "everything_wrong" {
  command = plan

  variables {
    name                     = "Longbow"
    tags                     = { Name = "mine" }
    permissions_boundary_arn = "boundary"
    kms_key_arn              = "alias/mine"
    operator_arns            = ["arn:aws:s3:::bucket"]
    routes                   = {}
    credentials_kms_key_arns = ["key"]
    event_delivery           = "pigeon"
    binaries                 = { sparc = "x" }
    artifact_bucket          = "No_Bucket"
    min_workers              = -1
    on_demand_workers        = -1
    spot_max_price           = "cheap"
    worker                   = { memory = "much" }
    visibility_seconds       = 1
    max_receive_count        = 5
    drain_seconds            = 600
    log_filter               = "Info!"
    scaling_mode             = "weather"
    jobs_per_worker          = 0
    idle_minutes             = 1
    jobsender_schedule       = "hourly"
    jobsender_timezone       = "my zone"
    jobsender_instance_type  = { x86_64 = "small" }
    jobsender_volume_gib     = 1
    existing_network         = { vpc_id = "mine", subnet_ids = [] }
    vpc_cidr                 = "10.10.0.0/28"
    zones                    = 1
    interface_endpoints      = ["s3"]
    egress_ports             = [80]
    alarm_emails             = ["nobody"]
    log_retention_days       = 31
    oldest_job_minutes       = 1
    silence_minutes          = 1
    batch_finished_minutes   = 0
  }

  expect_failures = [
    var.name,
    var.tags,
    var.permissions_boundary_arn,
    var.kms_key_arn,
    var.operator_arns,
    var.routes,
    var.credentials_kms_key_arns,
    var.event_delivery,
    var.binaries,
    var.artifact_bucket,
    var.min_workers,
    var.on_demand_workers,
    var.spot_max_price,
    var.worker,
    var.visibility_seconds,
    var.max_receive_count,
    var.drain_seconds,
    var.log_filter,
    var.scaling_mode,
    var.jobs_per_worker,
    var.idle_minutes,
    var.jobsender_schedule,
    var.jobsender_timezone,
    var.jobsender_instance_type,
    var.jobsender_volume_gib,
    var.existing_network,
    var.vpc_cidr,
    var.zones,
    var.interface_endpoints,
    var.egress_ports,
    var.alarm_emails,
    var.log_retention_days,
    var.oldest_job_minutes,
    var.silence_minutes,
    var.batch_finished_minutes,
  ]
}

run "a_route_without_a_proper_name" {
  command = plan

  variables {
    binaries = { x86_64 = "main.tf" }
    routes   = { "my route" = { from = "s3://aaa", to = "s3://bbb" } }
  }

  expect_failures = [var.routes]
}

run "a_route_from_nowhere" {
  command = plan

  variables {
    binaries = { x86_64 = "main.tf" }
    routes   = { a = { from = "aaa", to = "s3://bbb" } }
  }

  expect_failures = [var.routes]
}

run "a_route_to_where_it_comes_from" {
  command = plan

  variables {
    binaries = { x86_64 = "main.tf" }
    routes   = { a = { from = "s3://aaa/p", to = "s3://aaa/p/" } }
  }

  expect_failures = [var.routes]
}

run "a_route_with_an_unknown_mapping" {
  command = plan

  variables {
    binaries = { x86_64 = "main.tf" }
    routes   = { a = { from = "s3://aaa", to = "s3://bbb", key_mapping = "upper" } }
  }

  expect_failures = [var.routes]
}

run "a_route_with_an_unknown_comparison" {
  command = plan

  variables {
    binaries = { x86_64 = "main.tf" }
    routes   = { a = { from = "s3://aaa", to = "s3://bbb", compare = "taste" } }
  }

  expect_failures = [var.routes]
}

run "a_side_with_a_role_and_keys" {
  command = plan

  variables {
    binaries = { x86_64 = "main.tf" }
    routes   = { a = { from = "s3://aaa", to = "s3://bbb", destination = { role_arn = "arn:aws:iam::123456789012:role/x", credentials_parameter = "/x" } } }
  }

  expect_failures = [var.routes]
}

run "an_external_id_without_a_role" {
  command = plan

  variables {
    binaries = { x86_64 = "main.tf" }
    routes   = { a = { from = "s3://aaa", to = "s3://bbb", destination = { external_id = "x" } } }
  }

  expect_failures = [var.routes]
}

run "a_role_that_is_none" {
  command = plan

  variables {
    binaries = { x86_64 = "main.tf" }
    routes   = { a = { from = "s3://aaa", to = "s3://bbb", destination = { role_arn = "longbow" } } }
  }

  expect_failures = [var.routes]
}

run "a_store_in_the_clear" {
  command = plan

  variables {
    binaries = { x86_64 = "main.tf" }
    routes   = { a = { from = "s3://aaa", to = "s3://bbb", destination = { endpoint_url = "http://store.example.org" } } }
  }

  expect_failures = [var.routes]
}

run "most_below_least" {
  command = plan

  variables {
    binaries    = { x86_64 = "main.tf" }
    routes      = { a = { from = "s3://aaa", to = "s3://bbb" } }
    min_workers = 5
    max_workers = 4
  }

  expect_failures = [var.max_workers]
}

run "an_architecture_without_types_and_images" {
  command = plan

  variables {
    binaries       = { aarch64 = "main.tf" }
    routes         = { a = { from = "s3://aaa", to = "s3://bbb" } }
    instance_types = { x86_64 = ["c7i.large"] }
    images         = { x86_64 = "ami-1" }
  }

  expect_failures = [var.instance_types, var.images]
}

run "half_a_request" {
  command = plan

  variables {
    binaries = { x86_64 = "main.tf" }
    routes   = { a = { from = "s3://aaa", to = "s3://bbb" } }
    worker   = { max_requests = 0.5 }
  }

  expect_failures = [var.worker]
}


# These look at other inputs, and are judged once those are right.
run "everything_else_wrong" {
  command = plan

  variables {
    binaries       = { x86_64 = "main.tf" }
    routes         = { a = { from = "s3://aaa", to = "s3://bbb" } }
    instance_types = { x86_64 = ["large"] }
    images         = { x86_64 = "newest" }
    max_workers    = 0
  }

  expect_failures = [var.instance_types, var.images, var.max_workers]
}
