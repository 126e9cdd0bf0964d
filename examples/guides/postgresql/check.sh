tenant-api platform check || true
tenant-api platform repair > superuser.sql || cat superuser.sql
