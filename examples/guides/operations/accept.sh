tenant-api platform check
tenant-api tenants verify || [ $? = 3 ] # Read what is missing.
tenant-api platform accept-restore --reason 'Restored to 2026-11-27 08:00 after the loss of the disk'
tenant-api tenants reconcile
