#!/bin/sh
# What the jobs run: sh ci.sh plan|apply|drift|remove ENVIRONMENT
set -eu
task=$1 environment=$2
export TF_IN_AUTOMATION=1 TF_INPUT=0
export TF_DATA_DIR=".terraform-$environment"        # Environments share nothing.
export PG_SCHEMA_NAME="clinic_app_$environment"     # Where its state is.
export TF_VAR_environment="$environment"

terraform init -lockfile=readonly
case $task in
plan) # Ends with 2 when there is something to do, which is then in ENVIRONMENT.tfplan.
	terraform plan -detailed-exitcode -lock-timeout=5m -out="$environment.tfplan"
	;;
apply) # What was planned, and nothing else.
	terraform apply -lock-timeout=5m "$environment.tfplan"
	;;
drift) # Ends with 2 when something is not as it was applied. Changes nothing.
	terraform plan -detailed-exitcode -lock=false
	;;
remove) # Archives the tenant. Its schema stays until it is purged.
	terraform destroy -auto-approve -lock-timeout=5m
	;;
*)
	echo "there is no task $task" >&2
	exit 64
	;;
esac
