# To China, where no role of this partition reaches: with keys of a user there, in a SecureString that you make, so that they never pass
# through Terraform:
#
#   aws ssm put-parameter --name /longbow/china --type SecureString \
#     --value '{"aws_access_key_id":"...","aws_secret_access_key":"...","region":"cn-northwest-1"}'
#
# The user needs the rights of docs/PERMISSIONS.md on its side. The other way round (this fleet in China) it is the same with the other
# side's keys: run the fleet where the larger part of the bytes is.

module "longbow" {
  source = "../.."

  binaries = { x86_64 = var.binary }

  # Few large objects over a long way: many requests in flight, some memory for them.
  worker = { max_requests = 512, memory = "2GiB" }

  routes = {
    logs = {
      from    = "s3://logs/2026"
      to      = "s3://logs-cn/2026"
      compare = "size"
      destination = {
        region                = "cn-northwest-1"
        credentials_parameter = "/longbow/china"
      }
    }
  }
}
