terraform apply -auto-approve   # A destroy reads deletion_policy in the state.
terraform destroy -auto-approve # Deletes its data for good.
