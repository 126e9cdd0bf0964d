cat steps.yaml >> practice/blueprint.yaml
tenant-api blueprints publish ./practice --activate
terraform apply
terraform output directory_id
tenant-api tenants show 'name:Lakeside Practice' --outputs
