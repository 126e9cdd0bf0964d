cd clinic
terraform init
terraform test -filter=tests/mock.tftest.hcl
terraform test -filter=tests/live.tftest.hcl
