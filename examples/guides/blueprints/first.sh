tenant-api blueprints validate ./clinic
tenant-api blueprints publish ./clinic --activate
tenant-api blueprints show clinic
