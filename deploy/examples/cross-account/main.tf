# From a bucket of this account to one of another account, by a role of the other account that trusts this fleet.

locals {
  other_account = "210987654321"
  role          = "longbow-papers"
  external_id   = "papers-2026"
}

module "longbow" {
  source = "../.."

  binaries = { x86_64 = var.binary }

  routes = {
    papers = {
      from = "s3://papers"
      to   = "s3://papers-elsewhere/in"
      destination = {
        region      = "us-east-1"
        role_arn    = "arn:aws:iam::${local.other_account}:role/${local.role}"
        external_id = local.external_id
        # The bucket must be theirs: one of the same name elsewhere is refused.
        expected_bucket_owner = local.other_account
      }
    }
  }
}

module "writer" {
  source    = "../../modules/other-account"
  providers = { aws = aws.other }

  name              = local.role
  side              = "destination"
  bucket            = "papers-elsewhere"
  prefix            = "in/"
  external_id       = local.external_id
  trusted_role_arns = [module.longbow.worker_role_arn, module.longbow.jobsender_role_arn]
}
