output "vpc_id" {
  description = "The network."
  value       = aws_vpc.this.id
}

output "subnet_ids" {
  description = "One subnet a zone."
  value       = [for subnet in aws_subnet.public : subnet.id]
}
