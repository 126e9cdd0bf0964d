tenant-api blueprints activate practice 1
tenant-api blueprints retire practice
tenant-api blueprints activate practice 2
tenant-api blueprints show practice
