variable "prefix" {
  description = "Start of the bucket's name; a random suffix follows, because names are unique over all accounts."
  type        = string
}
