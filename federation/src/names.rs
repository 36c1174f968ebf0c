//! Names, checked once at the door and trusted afterwards.
//!
//! Each rule is the strictest of the products which will meet the name: a DNS
//! label for whatever becomes part of a certificate or of a Consul node name
//! (RFC 1123), Nomad's own rule for namespaces, and the GOCDB form for sites.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A value which cannot be a name of its kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{value}` cannot be a {kind}: {rule}")]
pub struct NameError {
    kind: &'static str,
    value: String,
    rule: &'static str,
}

macro_rules! names {
    ($($(#[$doc:meta])* $name:ident: $kind:literal, $check:ident, $rule:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;

            fn try_from(value: String) -> Result<Self, NameError> {
                if $check(&value) {
                    Ok(Self(value))
                } else {
                    Err(NameError { kind: $kind, value, rule: $rule })
                }
            }
        }

        impl std::str::FromStr for $name {
            type Err = NameError;

            fn from_str(value: &str) -> Result<Self, NameError> {
                Self::try_from(value.to_owned())
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }
    )*};
}

names! {
    /// A machine's own name within its datacenter, as the inventory knows it.
    HostName: "host name", is_label, "1 to 63 of a-z, 0-9 and -, with neither end a -";
    /// The machine as Consul and Nomad know it: unique in the federation.
    NodeName: "node name", is_label, "1 to 63 of a-z, 0-9 and -, with neither end a -";
    /// Consul's and Nomad's datacenter.
    DatacenterName: "datacenter name", is_label, "1 to 63 of a-z, 0-9 and -, with neither end a -";
    /// Nomad's region: the whole federation.
    RegionName: "federation name", is_label, "1 to 63 of a-z, 0-9 and -, with neither end a -";
    /// The left label of a site's user URLs.
    DomainLabel: "domain label", is_label, "1 to 63 of a-z, 0-9 and -, with neither end a -";
    /// A fully qualified domain name, without a trailing dot.
    DomainName: "domain name", is_domain, "at least two labels of a-z, 0-9 and -, joined by dots, 253 characters at most";
    /// A virtual organisation, named like a domain.
    VoName: "VO name", is_domain, "at least two labels of a-z, 0-9 and -, joined by dots, 253 characters at most";
    /// A Nomad namespace.
    NamespaceName: "namespace", is_namespace, "1 to 128 of a-z, A-Z, 0-9 and -";
    /// The name under which accounting knows a site (GOCDB).
    SiteName: "site name", is_site, "1 to 100 of a-z, A-Z, 0-9, -, _ and ., starting with a letter or digit";
    /// A system account on a host.
    UserName: "user name", is_user, "1 to 32 of a-z, 0-9, - and _, starting with a letter or _";
    /// A product's version.
    Version: "version", is_version, "digits and dots, such as 1.11.3";
}

fn is_label(value: &str) -> bool {
    let edge = value.starts_with('-') || value.ends_with('-');
    (1..=63).contains(&value.len()) && !edge && value.bytes().all(is_label_byte)
}

fn is_label_byte(b: u8) -> bool {
    b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'
}

fn is_domain(value: &str) -> bool {
    value.len() <= 253 && value.contains('.') && value.split('.').all(is_label)
}

fn is_namespace(value: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
    (1..=128).contains(&value.len()) && value.bytes().all(allowed)
}

fn is_site(value: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    (1..=100).contains(&value.len())
        && value.bytes().all(allowed)
        && value
            .bytes()
            .next()
            .is_some_and(|b| b.is_ascii_alphanumeric())
}

fn is_user(value: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_');
    (1..=32).contains(&value.len())
        && value.bytes().all(allowed)
        && value
            .bytes()
            .next()
            .is_some_and(|b| b.is_ascii_lowercase() || b == b'_')
}

fn is_version(value: &str) -> bool {
    let number = |part: &str| {
        !part.is_empty() && part.len() <= 9 && part.bytes().all(|b| b.is_ascii_digit())
    };
    (2..=4).contains(&value.split('.').count()) && value.split('.').all(number)
}

impl Version {
    /// The numbers of the version, most significant first, so that versions compare.
    pub fn numbers(&self) -> Vec<u32> {
        self.0
            .split('.')
            .filter_map(|part| part.parse().ok())
            .collect()
    }
}

impl NodeName {
    /// The name of a host that the inventory does not name itself.
    ///
    /// # Errors
    /// When the two together are longer than a DNS label may be.
    pub fn of(datacenter: &DatacenterName, host: &HostName) -> Result<Self, NameError> {
        Self::try_from(format!("{datacenter}-{host}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_what_every_product_accepts() {
        for good in ["a", "server-0", "0", &"x".repeat(63)] {
            assert!(good.parse::<HostName>().is_ok(), "{good}");
        }
        for bad in ["", "-a", "a-", "A", "a_b", "a.b", "é", &"x".repeat(64)] {
            assert!(bad.parse::<HostName>().is_err(), "{bad}");
        }
        for good in ["vo.ai4eosc.eu", "a.b"] {
            assert!(good.parse::<VoName>().is_ok(), "{good}");
        }
        for bad in ["localhost", "a..b", ".a.b", "a.b.", "A.b"] {
            assert!(bad.parse::<VoName>().is_err(), "{bad}");
        }
        assert!("AI4-eosc".parse::<NamespaceName>().is_ok());
        for bad in ["", "ai4_eosc", "*", &"x".repeat(129)] {
            assert!(bad.parse::<NamespaceName>().is_err(), "{bad}");
        }
        for bad in ["1", "1.x", "v1.2", "1..2", "1.2.3.4.5"] {
            assert!(bad.parse::<Version>().is_err(), "{bad}");
        }
    }

    #[test]
    fn an_error_says_kind_value_and_rule() {
        let error = "Server".parse::<HostName>().unwrap_err().to_string();
        assert_eq!(
            error,
            "`Server` cannot be a host name: 1 to 63 of a-z, 0-9 and -, with neither end a -"
        );
    }

    #[test]
    fn versions_compare_by_number() {
        let version = |text: &str| text.parse::<Version>().unwrap().numbers();
        assert!(version("1.9.5") < version("1.11.3"));
    }
}
