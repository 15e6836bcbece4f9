terraform {
  required_version = ">= 1.11, < 2.0"

  required_providers {
    # Only arguments that 5.100 has are used, so that both major versions serve.
    aws = { source = "hashicorp/aws", version = ">= 5.100, < 7.0" }
  }

  # State is a file beside this one, for one person. For two, make a bucket by hand and keep it there:
  # backend "s3" {
  #   bucket       = "YOUR-STATE-BUCKET"
  #   key          = "orderflow/food.tfstate"
  #   region       = "us-east-1"
  #   encrypt      = true
  #   use_lockfile = true
  # }
}

provider "aws" {
  region = var.region

  # A project of its own: what `orderflow destroy` sweeps away, all with the tag Project = orderflow, is not this host.
  default_tags {
    tags = { Project = "orderflow-food", Root = "food" }
  }
}
