# A longbow fleet on AWS: queue, state, workers, jobsender, and what watches them. This file says only what is connected with what;
# each module says what it is.

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  account   = data.aws_caller_identity.current.account_id
  partition = data.aws_partition.current.partition
  region    = data.aws_region.current.name

  # Names that one part needs of another before that is made.
  worker_group    = "${var.name}-workers"
  jobsender_group = "${var.name}-jobsender"
  hook            = "${var.name}-drain"
  bucket          = coalesce(var.artifact_bucket, "${var.name}-artifacts-${local.account}-${local.region}")
}

module "queue" {
  source = "./modules/queue"

  name                         = "${var.name}-jobs"
  dead_letters_name            = "${var.name}-dead-letters"
  max_receive_count            = var.max_receive_count
  visibility_seconds           = var.visibility_seconds
  kms_key_arn                  = var.kms_key_arn
  account_id                   = local.account
  sender_role_arns             = concat([module.iam.jobsender_role_arn], var.operator_arns)
  dead_letter_sender_role_arns = concat([module.iam.worker_role_arn], var.operator_arns)
  event_rule_arns              = module.events.rule_arns
  event_bucket_arns            = module.events.bucket_arns
}

module "state" {
  source = "./modules/state"

  name                = var.name
  deletion_protection = var.deletion_protection
  kms_key_arn         = var.kms_key_arn
}

module "parameters" {
  source = "./modules/parameters"

  name     = var.name
  routes   = local.routes_json
  settings = local.settings_toml["worker"]
}

module "artifacts" {
  source = "./modules/artifacts"

  bucket   = local.bucket
  binaries = var.binaries
}

module "network" {
  source = "./modules/network"
  count  = var.existing_network == null ? 1 : 0

  name                     = var.name
  cidr                     = var.vpc_cidr
  zones                    = var.zones
  interface_endpoints      = var.interface_endpoints
  flow_logs                = var.flow_logs
  log_retention_days       = var.log_retention_days
  bucket_arns              = concat(["arn:${local.partition}:s3:::${local.bucket}"], local.route_bucket_arns)
  table_arn                = module.state.arn
  kms_key_arn              = var.kms_key_arn
  permissions_boundary_arn = var.permissions_boundary_arn
  account_id               = local.account
  partition                = local.partition
  region                   = local.region
}

module "iam" {
  source = "./modules/iam"

  name                       = var.name
  partition                  = local.partition
  region                     = local.region
  account_id                 = local.account
  ec2_service                = local.partition == "aws-cn" ? "ec2.amazonaws.com.cn" : "ec2.amazonaws.com"
  permissions_boundary_arn   = var.permissions_boundary_arn
  worker_group_name          = local.worker_group
  jobsender_group_name       = local.jobsender_group
  queue_arn                  = module.queue.arn
  dead_letters_arn           = module.queue.dead_letters_arn
  table_arn                  = module.state.arn
  parameter_arns             = [module.parameters.routes_arn, module.parameters.settings_arn]
  credentials_parameter_arns = local.credentials_parameter_arns
  credentials_kms_key_arns   = var.credentials_kms_key_arns
  sources                    = local.own_sources
  destinations               = local.own_destinations
  read_kms_key_arns          = local.read_kms_key_arns
  write_kms_key_arns         = local.write_kms_key_arns
  assume_role_arns           = local.assume_role_arns
  binary_arns                = module.artifacts.object_arns
  worker_log_group_arns      = [module.observability.log_group_arns["worker"], module.observability.log_group_arns["boot"]]
  jobsender_log_group_arns   = [module.observability.log_group_arns["jobsender"], module.observability.log_group_arns["boot"]]
  kms_key_arn                = var.kms_key_arn
}

module "boot" {
  source   = "./modules/boot"
  for_each = toset(["worker", "jobsender"])

  name           = var.name
  kind           = each.key
  region         = local.region
  bucket         = module.artifacts.bucket
  binaries       = module.artifacts.binaries
  settings       = local.settings_toml[each.key]
  log_filter     = var.log_filter
  log_group      = each.key == "worker" ? module.observability.worker_log_group : module.observability.jobsender_log_group
  boot_log_group = module.observability.boot_log_group
}

module "workers" {
  source = "./modules/workers"

  name                 = var.name
  group_name           = local.worker_group
  hook_name            = local.hook
  vpc_id               = local.vpc_id
  subnet_ids           = local.subnet_ids
  public_ip            = local.public_ip
  egress_ports         = var.egress_ports
  instance_types       = { for architecture, types in var.instance_types : architecture => types if contains(keys(var.binaries), architecture) }
  images               = var.images
  min_size             = var.min_workers
  max_size             = var.max_workers
  on_demand_base       = var.on_demand_workers
  spot_max_price       = var.spot_max_price
  instance_profile_arn = module.iam.worker_instance_profile_arn
  user_data            = module.boot["worker"].user_data
  drain_seconds        = var.drain_seconds
  kms_key_arn          = var.kms_key_arn
  tags                 = var.tags
}

module "scaling" {
  source = "./modules/scaling"

  name            = var.name
  group_name      = module.workers.group_name
  queue_name      = module.queue.name
  min_size        = var.min_workers
  mode            = var.scaling_mode
  jobs_per_worker = var.jobs_per_worker
  idle_minutes    = var.idle_minutes
  warmup_seconds  = 180
}

module "jobsender" {
  source = "./modules/jobsender"

  name                 = var.name
  group_name           = local.jobsender_group
  schedule             = var.jobsender_schedule
  timezone             = var.jobsender_timezone
  scheduler_role_arn   = module.iam.scheduler_role_arn
  subnet_ids           = local.subnet_ids
  security_group_id    = module.workers.security_group_id
  public_ip            = local.public_ip
  instance_type        = var.jobsender_instance_type[local.jobsender_architecture]
  image                = var.images[local.jobsender_architecture]
  instance_profile_arn = module.iam.jobsender_instance_profile_arn
  user_data            = module.boot["jobsender"].user_data
  volume_gib           = var.jobsender_volume_gib
  partition            = local.partition
  kms_key_arn          = var.kms_key_arn
  tags                 = var.tags
}

module "events" {
  source = "./modules/events"

  name             = var.name
  delivery         = var.event_delivery
  buckets          = local.event_buckets
  queue_arn        = module.queue.arn
  ready_queue_arn  = module.queue.ready_arn
  dead_letters_arn = module.queue.dead_letters_arn
  partition        = local.partition
}

module "observability" {
  source = "./modules/observability"

  name                   = var.name
  region                 = local.region
  partition              = local.partition
  account_id             = local.account
  alarm_emails           = var.alarm_emails
  queue_name             = module.queue.name
  dead_letters_name      = module.queue.dead_letters_name
  group_name             = local.worker_group
  jobsender_group_name   = local.jobsender_group
  log_retention_days     = var.log_retention_days
  oldest_job_minutes     = var.oldest_job_minutes
  silence_minutes        = var.silence_minutes
  batch_finished_minutes = var.batch_finished_minutes
  kms_key_arn            = var.kms_key_arn
}
