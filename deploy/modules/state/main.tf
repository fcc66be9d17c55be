# The table that a fleet remembers in. Its shape is schema.json, which is what `longbow state schema` prints; a test holds the
# two together.

locals {
  schema = jsondecode(file("${path.module}/schema.json"))
}

resource "aws_dynamodb_table" "state" {
  name                        = var.name
  billing_mode                = local.schema.billing_mode
  hash_key                    = local.schema.hash_key
  range_key                   = local.schema.range_key
  deletion_protection_enabled = var.deletion_protection

  dynamic "attribute" {
    for_each = local.schema.attribute

    content {
      name = attribute.value.name
      type = attribute.value.type
    }
  }

  dynamic "global_secondary_index" {
    for_each = local.schema.global_secondary_index

    content {
      name            = global_secondary_index.value.name
      hash_key        = global_secondary_index.value.hash_key
      range_key       = global_secondary_index.value.range_key
      projection_type = global_secondary_index.value.projection_type
    }
  }

  ttl {
    attribute_name = local.schema.ttl.attribute_name
    enabled        = local.schema.ttl.enabled
  }

  point_in_time_recovery {
    enabled = local.schema.point_in_time_recovery.enabled
  }

  server_side_encryption {
    enabled     = true
    kms_key_arn = var.kms_key_arn
  }
}
