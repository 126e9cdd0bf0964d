tenant-api healthcheck                  # parts that are degraded or unavailable
tenant-api tenants list --status FAILED
tenant-api tenants verify               # 3: findings
tenant-api platform check               # 3: findings
