tenant-api apikey list                  # keys that nobody needs, or that expire
tenant-api channels                     # channel accounts that are disabled
tenant-api channels open                # transactions without an outcome
tenant-api contracts list --failed
tenant-api tenants list --held
