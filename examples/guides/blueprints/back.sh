tenant-api blueprints activate clinic 1
tenant-api blueprints retire clinic
tenant-api blueprints activate clinic 2
