psql --dbname="$DBA_URL" --set=ON_ERROR_STOP=1 --file=dba.sql
tenant-api platform repair
tenant-api platform check
