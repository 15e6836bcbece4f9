variable "name" {
  description = "What all of it is called; names of security groups begin with it."
  type        = string
}

variable "vpc_cidr" {
  description = "Addresses of the VPC."
  type        = string
}

variable "availability_zones" {
  description = "Names of the zones, one subnet in each."
  type        = list(string)
}

variable "domain" {
  description = "Private domain of the hosts."
  type        = string
}

variable "ssh_cidrs" {
  description = "Who may reach port 22 of the hosts."
  type        = list(string)
}

variable "allowed_cidrs" {
  description = "Who may open the pages of the console host."
  type        = list(string)
}

variable "groups" {
  description = "Which security groups of the table there are."
  type        = set(string)
}
