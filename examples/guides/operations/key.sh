tenant-api apikey list
umask 077
tenant-api apikey create --name ops-2 --scope admin --expires 2160h > ops-2.key
# Once every client has the new one:
tenant-api apikey revoke "$OLD_KEY"
