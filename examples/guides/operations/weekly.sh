tenant-api apikey list                  # keys that are not needed, or that expire soon
tenant-api channels                     # channel accounts that are disabled
tenant-api channels open                # transactions without an outcome
tenant-api contracts list --failed
tenant-api tenants list --held
