# Two buckets of one account: compared each hour, and events of new objects copied at once. EventBridge has to be switched on
# for the bucket "photos": aws s3api put-bucket-notification-configuration (see deploy/README.md).

module "longbow" {
  source = "../.."

  binaries     = { x86_64 = var.binary }
  alarm_emails = var.alarm_emails

  routes = {
    photos = {
      from   = "s3://photos/originals"
      to     = "s3://photos-copy/originals"
      events = true
    }
  }
}
