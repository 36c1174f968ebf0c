//! Addresses that nobody dials over the internet.

use std::net::IpAddr;

/// Whether no route of the internet leads to an address of a host: the registry of RFC 6890 says
/// so for private networks (RFC 1918), what providers share (100.64.0.0/10, RFC 6598), links
/// (RFC 3927, RFC 4291) and unique local addresses (RFC 4193). Ranges of documentation, which it
/// lists as well, count as public here: examples stand for real networks.
pub fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(it) => {
            let [first, second, ..] = it.octets();
            let is_shared = first == 100 && (64..128).contains(&second);
            it.is_private() || it.is_link_local() || is_shared
        }
        IpAddr::V6(it) => it.is_unique_local() || it.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_private_address_is_known_as_one() {
        for (address, expected) in [
            ("192.168.4.10", true),
            ("10.0.0.1", true),
            ("172.16.0.1", true),
            ("172.32.0.1", false),
            ("169.254.1.1", true),
            ("100.63.255.255", false),
            ("100.64.0.1", true),
            ("100.127.255.255", true),
            ("100.128.0.0", false),
            ("198.51.100.1", false),
            ("fd00::1", true),
            ("fe80::1", true),
            ("2001:db8::1", false),
        ] {
            assert_eq!(is_private(address.parse().unwrap()), expected, "{address}");
        }
    }
}
