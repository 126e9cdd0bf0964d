terraform apply -auto-approve
terraform apply -auto-approve -var suspended=true
terraform apply -auto-approve -var held=true # Resumes it, too.
terraform apply -auto-approve                # Clears the hold.
terraform destroy -auto-approve              # Archives it.
terraform apply -auto-approve                # Brings it back: unarchive_existing.
