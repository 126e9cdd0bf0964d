#!/bin/sh
# With the new release's tenant-api, once all old servers and workers have stopped.
set -eu
tenant-api migrate up                 # the registry's and the queue's tables
tenant-api tenants migrate --dry-run  # how many tenant schemas are to be migrated
tenant-api tenants migrate            # a canary first, then the rest
tenant-api contracts upgrade          # a canary first, then the rest, with the workers
tenant-api tenants verify             # ends with 3 if anything is not as it should be
tenant-api migrate status
