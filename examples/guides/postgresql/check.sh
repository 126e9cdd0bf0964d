tenant-api platform check || true
tenant-api platform repair > dba.sql || cat dba.sql
