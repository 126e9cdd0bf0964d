variable "deployer" {
  type        = string
  description = "Address (G...) of the account that deploys contracts."
  default     = "GA7QYNF7SOWQ3GLR2BGMZEHXAVIRZA4KVWLTJJFC7MGXUA74P7UJVSGZ"
}

output "contract_id" {
  value = provider::healthcare::contract_id("testnet", var.deployer, "01a2032d-a32c-7643-bc92-bd01bfc32875")
}
