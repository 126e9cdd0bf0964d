# With the new release's tenant-api, while servers and workers of the old one run.
tenant-api migrate status || [ $? = 3 ] # 3: something is to be migrated
tenant-api migrate up
