terraform {
  required_version = ">= 1.9"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.80, < 6.0"
    }
  }
}

provider "aws" {
  region = "eu-west-1"
}

# Whoever may make roles in the other account.
provider "aws" {
  alias   = "other"
  region  = "us-east-1"
  profile = "other-account"
}
