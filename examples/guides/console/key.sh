tenant-api apikey create --name "Ada Lovelace" --scope admin --expires 720h
