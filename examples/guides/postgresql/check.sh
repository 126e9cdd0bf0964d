tenant-api platform repair --dry-run
tenant-api platform repair > superuser.sql ||
  psql --dbname="$SUPERUSER_URL" --set=ON_ERROR_STOP=1 --file=superuser.sql
tenant-api platform check
