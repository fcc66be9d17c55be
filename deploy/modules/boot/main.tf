# What a machine does at its first start, as one script: a launch template takes it as user data. It makes nothing itself.

locals {
  packaging = "${path.module}/../../../packaging"

  files = {
    "/usr/lib/longbow/longbow-instance"             = { mode = "0755", text = file("${path.module}/files/longbow-instance") }
    "/usr/lib/sysusers.d/longbow.conf"              = { mode = "0644", text = file("${local.packaging}/longbow.sysusers") }
    "/usr/lib/tmpfiles.d/longbow.conf"              = { mode = "0644", text = file("${local.packaging}/longbow.tmpfiles") }
    "/etc/logrotate.d/longbow"                      = { mode = "0644", text = file("${local.packaging}/longbow.logrotate") }
    "/etc/systemd/system/longbow-unhealthy.service" = { mode = "0644", text = file("${path.module}/files/longbow-unhealthy.service") }
    "/etc/systemd/system/longbow-${var.kind}.service" = {
      mode = "0644"
      text = file("${local.packaging}/longbow-${var.kind}.service")
    }
    "/etc/systemd/system/longbow-${var.kind}.service.d/ec2.conf" = {
      mode = "0644"
      text = file("${path.module}/files/ec2-${var.kind}.conf")
    }
    "/etc/sysctl.d/60-longbow.conf" = { mode = "0644", text = file("${path.module}/files/sysctl.conf") }
    "/etc/longbow/longbow.toml"     = { mode = "0644", text = var.settings }
    "/etc/longbow/environment" = {
      mode = "0644"
      text = "AWS_REGION=${var.region}\nLONGBOW_LOG=${var.log_filter}\n"
    }
    "/etc/longbow/agent.json" = { mode = "0644", text = jsonencode(local.agent) }
  }

  script = templatefile("${path.module}/boot.sh.tftpl", {
    kind     = var.kind
    bucket   = var.bucket
    region   = var.region
    binaries = var.binaries
    files    = { for path, file in local.files : path => { mode = file.mode, content = base64encode(file.text) } }
  })
}
