# Put beside the module by the tests: AWS is a server on this machine.

variable "emulator" {
  description = "Where that server is."
  type        = string
}

provider "aws" {
  region                      = "us-east-1"
  access_key                  = "test"
  secret_key                  = "test"
  s3_use_path_style           = true
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_requesting_account_id  = false
  skip_region_validation      = true

  endpoints {
    autoscaling = var.emulator
    cloudwatch  = var.emulator
    dynamodb    = var.emulator
    ec2         = var.emulator
    events      = var.emulator
    iam         = var.emulator
    kms         = var.emulator
    logs        = var.emulator
    s3          = var.emulator
    scheduler   = var.emulator
    sns         = var.emulator
    sqs         = var.emulator
    ssm         = var.emulator
    sts         = var.emulator
  }
}
