variable "name" {
  description = "Name of the secret."
  type        = string
}

variable "description" {
  description = "What it is for."
  type        = string
}

variable "text" {
  description = "What it holds. Ephemeral, so that Terraform refuses to put it where it would be kept."
  type        = string
  ephemeral   = true
  sensitive   = true
}

variable "text_version" {
  description = "Another number each time that the text is another."
  type        = number
}
