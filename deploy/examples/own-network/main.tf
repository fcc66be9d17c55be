# Machines in a network that is there already, in private subnets behind a NAT gateway or interface endpoints, with one's own key, and
# two machines that are always there.

module "longbow" {
  source = "../.."

  binaries    = { x86_64 = var.binary }
  kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/11111111-2222-3333-4444-555555555555"

  existing_network = {
    vpc_id     = "vpc-0123456789abcdef0"
    subnet_ids = ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"]
  }

  min_workers       = 2
  on_demand_workers = 2
  scaling_mode      = "thresholds"

  routes = {
    photos = {
      from              = "s3://photos"
      to                = "s3://photos-copy"
      events            = true
      propagate_deletes = true
    }
  }
}
