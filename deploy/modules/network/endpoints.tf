# Ways to AWS's services that do not leave the network. Each lets through what the fleet needs and no more.

data "aws_iam_policy_document" "s3" {
  #checkov:skip=CKV_AWS_283:whoever is in the network; what they may do is said by their own roles, and the resources are named
  statement {
    sid       = "BucketsOfTheRoutes"
    actions   = ["s3:*"]
    resources = concat(var.bucket_arns, [for arn in var.bucket_arns : "${arn}/*"])

    principals {
      type        = "AWS"
      identifiers = ["*"]
    }
  }

  # Packages of Amazon Linux are in buckets of AWS.
  statement {
    sid     = "PackagesOfTheSystem"
    actions = ["s3:GetObject"]
    resources = [
      "arn:${var.partition}:s3:::al2023-repos-${var.region}-*/*",
      "arn:${var.partition}:s3:::amazoncloudwatch-agent-${var.region}/*",
      "arn:${var.partition}:s3:::amazon-ssm-${var.region}/*",
    ]

    principals {
      type        = "AWS"
      identifiers = ["*"]
    }
  }
}

resource "aws_vpc_endpoint" "s3" {
  vpc_id            = aws_vpc.this.id
  service_name      = "com.amazonaws.${var.region}.s3"
  vpc_endpoint_type = "Gateway"
  route_table_ids   = [aws_route_table.public.id]
  policy            = data.aws_iam_policy_document.s3.json

  tags = { Name = "${var.name}-s3" }
}

data "aws_iam_policy_document" "dynamodb" {
  #checkov:skip=CKV_AWS_283:whoever is in the network; what they may do is said by their own roles, and the resources are named
  statement {
    sid       = "TheTable"
    actions   = ["dynamodb:*"]
    resources = [var.table_arn, "${var.table_arn}/index/*"]

    principals {
      type        = "AWS"
      identifiers = ["*"]
    }
  }
}

resource "aws_vpc_endpoint" "dynamodb" {
  vpc_id            = aws_vpc.this.id
  service_name      = "com.amazonaws.${var.region}.dynamodb"
  vpc_endpoint_type = "Gateway"
  route_table_ids   = [aws_route_table.public.id]
  policy            = data.aws_iam_policy_document.dynamodb.json

  tags = { Name = "${var.name}-dynamodb" }
}

resource "aws_security_group" "endpoints" {
  count = length(var.interface_endpoints) > 0 ? 1 : 0

  name        = "${var.name}-endpoints"
  description = "The interface endpoints of longbow: https from the network, nothing else."
  vpc_id      = aws_vpc.this.id

  tags = { Name = "${var.name}-endpoints" }
}

resource "aws_vpc_security_group_ingress_rule" "endpoints" {
  count = length(var.interface_endpoints) > 0 ? 1 : 0

  security_group_id = aws_security_group.endpoints[0].id
  description       = "https from the machines"
  cidr_ipv4         = var.cidr
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}

resource "aws_vpc_endpoint" "interface" {
  for_each = var.interface_endpoints

  vpc_id              = aws_vpc.this.id
  service_name        = "com.amazonaws.${var.region}.${each.value}"
  vpc_endpoint_type   = "Interface"
  private_dns_enabled = true
  subnet_ids          = [for subnet in aws_subnet.public : subnet.id]
  security_group_ids  = [aws_security_group.endpoints[0].id]

  tags = { Name = "${var.name}-${each.value}" }
}
