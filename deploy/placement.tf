# Where machines are: the network made here, or one that was there.

locals {
  vpc_id     = var.existing_network == null ? module.network[0].vpc_id : var.existing_network.vpc_id
  subnet_ids = var.existing_network == null ? module.network[0].subnet_ids : var.existing_network.subnet_ids
  public_ip  = var.existing_network == null ? true : var.existing_network.public_ip

  # Graviton is cheaper.
  jobsender_architecture = contains(keys(var.binaries), "aarch64") ? "aarch64" : "x86_64"
}
