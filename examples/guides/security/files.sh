find /etc/tenant-api -type f ! -name tenant-api.env -perm /077 # files with secrets that others can read: none
