tenant-api tenants show 'name:Lakeside Practice'
tenant-api tenants retry 'name:Lakeside Practice' --skip-undo REGISTER_IN_DIRECTORY --reason 'deleted by hand'
