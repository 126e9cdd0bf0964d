psql --dbname="$SUPERUSER_URL" --set=ON_ERROR_STOP=1 --file=superuser.sql
tenant-api platform repair
tenant-api platform check
