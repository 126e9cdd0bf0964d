tenant-api apikey list
tenant-api apikey revoke "$PREFIX"
