variable "key" {
  description = "The platform's own key of the clinic."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9-]+$", var.key))
    error_message = "The key has lower-case letters, digits and hyphens."
  }
}

variable "name" {
  description = "The clinic's name."
  type        = string
}

variable "admin" {
  description = "The first administrator."
  type        = object({ email = string, first_name = string, last_name = string })
}

variable "environment" {
  description = "production, staging or test."
  type        = string

  validation {
    condition     = contains(["production", "staging", "test"], var.environment)
    error_message = "The environment is production, staging or test."
  }
}
