tenant-api apikey list
