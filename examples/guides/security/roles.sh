tenant-api platform check                                # who may connect, who owns what: 0 findings
tenant-api tenants verify                                # chains, roles, privileges, contracts: 0 findings
