# What follows from the routes: the parameter that longbow reads, who may read and write which bucket, which buckets tell events.

locals {
  # Only what was said: the rest is longbow's default.
  routes_json = jsonencode({
    for name, route in var.routes : name => merge(
      { from = route.from, to = route.to, events = route.events },
      route.key_mapping == null ? {} : { key_mapping = route.key_mapping },
      { for side, settings in { source = route.source, destination = route.destination } : side => {
        for key, value in settings : key => value if value != null && key != "kms_key_arn"
      } if length([for key, value in settings : key if value != null && key != "kms_key_arn"]) > 0 },
      length(route.include) + length(route.exclude) == 0 ? {} : { selection = merge(
        length(route.include) == 0 ? {} : { include = route.include },
        length(route.exclude) == 0 ? {} : { exclude = route.exclude },
      ) },
      route.compare == null ? {} : { sync = { compare = route.compare } },
      { cluster = { propagate_deletes = route.propagate_deletes } },
    )
  })

  # s3://bucket/prefix; a prefix means what lies under it.
  sides = merge([
    for name, route in var.routes : {
      for side, place in { source = route.from, destination = route.to } : "${name}/${side}" => {
        route                     = name
        side                      = side
        bucket                    = regex("^s3://([^/]+)", place)[0]
        prefix                    = trimprefix(replace(place, "/^s3:\\/\\/[^\\/]+\\/?/", ""), "") == "" ? "" : "${trimsuffix(replace(place, "/^s3:\\/\\/[^\\/]+\\/?/", ""), "/")}/"
        settings                  = side == "source" ? route.source : route.destination
        deletes                   = route.propagate_deletes
        versions                  = route.compare == "version"
        events                    = route.events
        # Reached by the roles of the fleet themselves.
        own = (
          (side == "source" ? route.source.role_arn : route.destination.role_arn) == null
          && (side == "source" ? route.source.credentials_parameter : route.destination.credentials_parameter) == null
          && (side == "source" ? route.source.endpoint_url : route.destination.endpoint_url) == null
          && !(side == "source" && coalesce(route.source.anonymous, false))
        )
      }
    }
  ]...)

  route_bucket_arns = distinct([for side in values(local.sides) : "arn:${local.partition}:s3:::${side.bucket}"])

  own_sources = [for side in values(local.sides) : {
    bucket = side.bucket, prefix = side.prefix, partition = local.partition, versions = side.versions
  } if side.own && side.side == "source"]

  own_destinations = [for side in values(local.sides) : {
    bucket = side.bucket, prefix = side.prefix, partition = local.partition, deletes = side.deletes
  } if side.own && side.side == "destination"]

  assume_role_arns  = distinct([for side in values(local.sides) : side.settings.role_arn if side.settings.role_arn != null])
  read_kms_key_arns = distinct([for side in values(local.sides) : side.settings.kms_key_arn if side.own && side.side == "source" && side.settings.kms_key_arn != null])
  # What is written is encrypted by this key, or by the key that the bucket encrypts with by itself.
  write_kms_key_arns = distinct([for side in values(local.sides) : side.settings.kms_key_arn if side.own && side.side == "destination" && side.settings.kms_key_arn != null])

  credentials_parameter_arns = distinct([
    for side in values(local.sides) :
    "arn:${local.partition}:ssm:${local.region}:${local.account}:parameter/${trimprefix(side.settings.credentials_parameter, "/")}"
    if side.settings.credentials_parameter != null
  ])

  event_buckets = { for bucket in distinct([for side in values(local.sides) : side.bucket if side.side == "source" && side.events]) : bucket => {
    prefixes = distinct([for side in values(local.sides) : side.prefix if side.side == "source" && side.events && side.bucket == bucket])
    removals = anytrue([for side in values(local.sides) : side.deletes if side.side == "source" && side.events && side.bucket == bucket])
  } }
}
