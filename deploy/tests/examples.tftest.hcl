# Each example is planned: what it says is taken.

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

mock_provider "aws" {
  alias = "other"

  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
  mock_data "aws_iam_policy_document" {
    defaults = { json = "{}" }
  }
}

variables {
  binary = "main.tf"
}

run "same_account" {
  command = plan

  module {
    source = "./examples/same-account"
  }

  assert {
    condition     = strcontains(output.run_now, "longbow-jobsender")
    error_message = "a comparison can be begun at once"
  }
}

run "cross_account" {
  command = plan

  providers = {
    aws       = aws
    aws.other = aws.other
  }

  module {
    source = "./examples/cross-account"
  }

  assert {
    condition     = strcontains(output.run_now, "longbow-jobsender")
    error_message = "a comparison can be begun at once"
  }
}

run "other_partition" {
  command = plan

  module {
    source = "./examples/other-partition"
  }

  assert {
    condition     = strcontains(output.run_now, "longbow-jobsender")
    error_message = "a comparison can be begun at once"
  }
}

run "own_network" {
  command = plan

  module {
    source = "./examples/own-network"
  }

  assert {
    condition     = strcontains(output.run_now, "longbow-jobsender")
    error_message = "a comparison can be begun at once"
  }
}
