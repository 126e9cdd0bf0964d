tenant-api platform check
tenant-api tenants verify
tenant-api platform accept-restore --reason 'Restored to 2026-11-27 08:00 after the loss of the disk'
