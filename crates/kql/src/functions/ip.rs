//! IPv4 and IPv6 addresses (reference: "IPv4/IPv6 functions").

pub(super) const TABLE: &str = "
parse_ipv4(ip: string) -> long
parse_ipv4_mask(ip: string, prefix: long) -> long
format_ipv4(ip: any, prefix?: long) -> string
format_ipv4_mask(ip: any, prefix?: long) -> string
ipv4_compare(ip1: string, ip2: string, prefix?: long) -> long
ipv4_is_match(ip1: string, ip2: string, prefix?: long) -> bool
ipv4_is_in_range(ip: string, range: string) -> bool
ipv4_is_in_any_range(ip: string, range...: string|dynamic) -> bool
ipv4_netmask_suffix(ip: string) -> long
ipv4_is_private(ip: string) -> bool
ipv4_range_to_cidr_list(start_ip: string, end_ip: string) -> dynamic
parse_ipv6(ip: string) -> string
parse_ipv6_mask(ip: string, prefix: long) -> string
ipv6_compare(ip1: string, ip2: string, prefix?: long) -> long
ipv6_is_match(ip1: string, ip2: string, prefix?: long) -> bool
ipv6_is_in_range(ip: string, range: string) -> bool
ipv6_is_in_any_range(ip: string, range...: string|dynamic) -> bool
__ipv6_lookup_ranges(ip: string, ranges: dynamic) -> dynamic
has_ipv4(source: string|dynamic, ip: string) -> bool
has_ipv4_prefix(source: string|dynamic, prefix: string) -> bool
has_any_ipv4(source: string|dynamic, ip...: string|dynamic) -> bool
has_any_ipv4_prefix(source: string|dynamic, prefix...: string|dynamic) -> bool
geo_info_from_ip_address(ip: string) -> dynamic
";
